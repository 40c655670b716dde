"""Real questions that training may use: train splits of collections whose licence allows it, less what is held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Self

from recipes.base_model import sources

# SciFact has no dev split; settings are chosen on so many of its train claims, which training never sees.
SCIFACT_DEV = 200


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of one source by the docid they are answered in.

    Attributes:
        by_docid: docid -> its questions.
        barred_titles: Documents that a dev or test query judges relevant: their titles are no training queries.
    """

    by_docid: Mapping[str, tuple[str, ...]]
    barred_titles: frozenset[str]

    @classmethod
    def of(cls, shared: Path, source: str, seed: int) -> Self:
        """The train questions of `source`; none for a source that is not a collection."""
        folder = shared / "data" / source
        if source not in sources.COLLECTIONS:
            return cls({}, frozenset())
        texts = sources.queries(folder)
        held = set(scifact_dev(folder, seed)) if source == "scifact" else set()
        found: dict[str, list[str]] = defaultdict(list)
        for qid, docid in sources.qrels(folder, "train"):
            if qid not in held:
                found[docid].append(texts[qid])
        return cls({k: tuple(v) for k, v in found.items()}, frozenset(sources.judged(folder, "dev", "test")))

    def draw(self, docid: str, count: int, random: Random) -> list[str]:
        """At most `count` of a document's questions, at random."""
        have = list(dict.fromkeys(self.by_docid.get(docid, ())))
        return random.sample(have, min(count, len(have)))


def scifact_dev(folder: Path, seed: int) -> list[str]:
    """Ids of the train claims of SciFact that are held out of training."""
    claims = sorted({qid for qid, _ in sources.qrels(folder, "train")})
    return Random(seed).sample(claims, SCIFACT_DEV)
