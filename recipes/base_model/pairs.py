"""Groups of similar passages, each passage with queries: the training data of the shipped model.

Within a group the queries of the other passages are the wrong ones, so the passages should be similar: they are from
one article or module, or nearest neighbours by tf-idf.

Run: `python -m recipes.base_model.pairs --shared ../shared --work FOLDER` writes `FOLDER/pairs.jsonl.gz` and
`FOLDER/questions.jsonl.gz`. The second training reads only these files, and `recipes.check_leaks` checks them.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from recipes.base_model import docstrings, made_queries, sources
from recipes.base_model.config import SETTINGS, PairsConfig, RecipeConfig
from recipes.base_model.forbidden import Forbidden
from recipes.base_model.made_queries import Rarity, words
from recipes.base_model.neighbours import grouped
from recipes.base_model.questions import Questions
from recipes.base_model.sources import Passage
from recipes.base_model.text import documents

PAIRS, QUESTIONS = "pairs.jsonl.gz", "questions.jsonl.gz"
RUNNING_TEXT = 6_000_000  # characters of books that are cut into passages


KINDS = ("keywords", "keywords", "keywords", "reshaped", "reshaped", "sentence-in")
HOW_TO_KINDS = ("keywords", "keywords", "how-to", "how-to", "reshaped", "sentence-in")


@dataclass(frozen=True, slots=True)
class Pair:
    """A passage as the model reads it, its queries, and the kind of each query."""

    passage: str
    queries: tuple[str, ...]
    kinds: tuple[str, ...]


def write_pairs(shared: Path, config: PairsConfig, seed: int, path: Path, forbidden: Forbidden) -> Counter[str]:
    """Writes the groups of all sources in random order, and returns the number of queries of each kind."""
    counts: Counter[str] = Counter()
    lines: list[str] = []
    for source, number in config.passages.items():
        random = Random(f"{seed}:{source}")
        questions = Questions.of(shared, source, seed)
        passages = some_groups(passages_of(source, shared, seed), number, random)
        for group in groups(passages, questions, number, config, random, forbidden):
            lines.append(json.dumps([[p.passage, p.queries, p.kinds] for p in group], ensure_ascii=False))
            counts.update(f"{source}:{kind}" for pair in group for kind in pair.kinds)
    Random(seed).shuffle(lines)
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=3) as file:
        file.writelines(line + "\n" for line in lines)
    return counts


def read_pairs(path: Path) -> Iterator[list[Pair]]:
    """Reads the groups of a file from `write_pairs`."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield [Pair(passage, tuple(queries), tuple(kinds)) for passage, queries, kinds in json.loads(line)]


def passages_of(source: str, shared: Path, seed: int) -> list[Passage]:
    """Returns the passages of a source; running text is cut into passages of a few sentences."""
    if source == "stdlib":
        return list(docstrings.standard_library())
    if source == "packages":
        return list(docstrings.packages())
    if source in sources.COLLECTIONS:
        return sources.passages(shared / "data" / source)
    return _cut(documents(shared, {source: RUNNING_TEXT}, seed), source)


def some_groups(passages: Sequence[Passage], number: int, random: Random) -> list[Passage]:
    """Returns the passages of randomly chosen groups, 1.5 times as many as are needed, which saves reading the rest."""
    by_group: dict[str, list[Passage]] = {}
    for passage in passages:
        by_group.setdefault(passage.group, []).append(passage)
    names = list(by_group)
    random.shuffle(names)
    chosen: list[Passage] = []
    for name in names:
        if len(chosen) >= 1.5 * number:
            break
        chosen += by_group[name]
    return chosen


def groups(
    passages: Sequence[Passage],
    questions: Questions,
    number: int,
    config: PairsConfig,
    random: Random,
    forbidden: Forbidden,
) -> Iterator[list[Pair]]:
    """Yields groups until `number` passages have been used, with several passes over `passages` if necessary."""
    if config.real:
        passages = [passage for passage in passages if passage.docid in questions.by_docid]
    rarity = Rarity.of(p.full for p in passages)
    made = 0
    while made < number:
        before = made
        for group in grouped(passages, config.group, random):
            chosen = [pair for p in group if (pair := pair_of(p, questions, rarity, config, random, forbidden))]
            if len(chosen) == config.group:
                yield chosen
                made += len(chosen)
            if made >= number:
                return
        if made == before:
            return


def pair_of(
    passage: Passage,
    questions: Questions,
    rarity: Rarity,
    config: PairsConfig,
    random: Random,
    forbidden: Forbidden,
) -> Pair | None:
    """Returns a passage with two to `config.queries` distinct queries, none of them forbidden; None if it has fewer.

    Sometimes a sentence or the title is removed from the passage and becomes a query. Three quarters of the real
    questions are used; the other queries are generated. With `config.real` the passage is uncut and has all of its
    questions, and a query is generated only if there is one question.
    """
    shown, taken_out, kind = (passage.full, "", "") if config.real else _shown(passage, questions, random)
    candidates = [(taken_out, kind)] if taken_out else []
    for query in questions.draw(passage.docid, config.queries, random):
        if config.real or random.random() < 0.75:
            candidates.append((query, "question"))
    wanted = max(2, len(candidates)) if config.real else config.queries
    kinds = HOW_TO_KINDS if passage.source in ("stdlib", "packages") else KINDS
    for _ in range(3 * config.queries):
        kind = random.choice(kinds)
        made: str | None
        if kind == "keywords":
            made = made_queries.keywords(shown, rarity, random)
        elif kind == "reshaped":
            made = made_queries.question(shown, random)
        elif kind == "how-to":
            made = made_queries.how_to(passage.text, random)
        else:
            made = made_queries.sentence_left_in(shown, random)
        if made:
            candidates.append((made, kind))
    found: dict[str, str] = {}
    for query, kind in candidates:
        if len(found) < wanted and query not in found and not forbidden.holds(query):
            found[query] = kind
    if len(found) < 2 or len(words(shown)) < 8:
        return None
    return Pair(shown, tuple(found), tuple(found.values()))


def _shown(passage: Passage, questions: Questions, random: Random) -> tuple[str, str, str]:
    """Returns the text of the passage, what was removed from it ("" for nothing), and the kind of this query."""
    chance = random.random()
    if chance < 0.3 and (parted := made_queries.sentence_taken_out(passage.text, random)):
        return f"{passage.title}\n{parted[1]}".strip(), parted[0], "sentence-out"
    barred = passage.docid in questions.barred_titles
    if 0.3 <= chance < 0.5 and not barred and (titled := made_queries.title(passage)):
        return titled[1], titled[0], "title"
    return passage.full, "", ""


def _cut(texts: Sequence[str], source: str) -> list[Passage]:
    passages = []
    for index, text in enumerate(texts):
        random = Random(f"{source}:{index}")
        kept: list[str] = []
        size, aim = 0, random.randint(30, 180)
        for sentence in made_queries.sentences(text):
            kept.append(sentence)
            size += len(words(sentence))
            if size >= aim:
                passages.append(Passage(source, f"{source}:{index}", "", " ".join(kept)))
                kept, size, aim = [], 0, random.randint(30, 180)
    return passages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    arguments = parser.parse_args()
    config = RecipeConfig.read(arguments.settings)
    forbidden = Forbidden.read(arguments.shared / "data")
    for name, asked in ((PAIRS, config.pairs), (QUESTIONS, config.questions)):
        counts = write_pairs(arguments.shared, asked, config.seed, arguments.work / name, forbidden)
        print(name)
        for kind, count in sorted(counts.items()):
            print(f"{count:7d}  {kind}")


if __name__ == "__main__":
    main()
