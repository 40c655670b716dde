"""Real questions for training: train splits of collections with a suitable licence, without held-out questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Self

from recipes.base_model import sources

# SciFact has no dev split: this many of its train claims are held out, and settings are chosen on them.
SCIFACT_DEV = 200


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of one source by the docid of their answer.

    Attributes:
        by_docid: Questions by docid.
        barred_titles: Documents that are relevant to a dev or test query; their titles are not used as queries.
    """

    by_docid: Mapping[str, tuple[str, ...]]
    barred_titles: frozenset[str]

    @classmethod
    def of(cls, shared: Path, source: str, seed: int) -> Self:
        """Reads the train questions of `source`; a source that is not a collection has none."""
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
        """Draws at most `count` of a document's questions."""
        have = list(dict.fromkeys(self.by_docid.get(docid, ())))
        return random.sample(have, min(count, len(have)))


def scifact_dev(folder: Path, seed: int) -> list[str]:
    """Returns the ids of SciFact's train claims that are held out of training."""
    claims = sorted({qid for qid, _ in sources.qrels(folder, "train")})
    return Random(seed).sample(claims, SCIFACT_DEV)
