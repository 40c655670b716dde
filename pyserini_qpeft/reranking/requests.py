"""What is asked of the reranker, and what it gives back: requests, their candidates, and final lists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.candidates.hit_lists import TextHit, listed
from pyserini_qpeft.candidates.hits import first_stage_hits, to_candidates
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.candidates.texts import TextSource, chain, from_list, from_mapping, from_searcher
from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import RankedHit, ScoredWindow
from pyserini_qpeft.errors import NonFiniteScoreError, QPeftError
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.ranking import Ranking

Request = tuple[str, Iterable[Any]]
"""A query and its first-stage hits, best first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, its hits to rescore, and its tail.

    Attributes:
        query: The query.
        head: The hits that are rescored.
        tail: The others.
        scored: Whether the hits are of a kind that has first-stage scores; texts alone have none.
    """

    query: str
    head: list[Candidate]
    tail: list[RankedHit]
    scored: bool = True

    def until(self, count: int) -> "Asked":
        """The same query with its first `count` hits as its head. The others join the tail and keep their texts."""
        unread = [
            RankedHit(hit.docid, hit.score, place, first_stage_score=hit.score, first_stage_rank=place, text=hit.text)
            for place, hit in enumerate(self.head[count:], start=count + 1)
        ]
        return replace(self, head=self.head[:count], tail=[*unread, *self.tail])


@dataclass(frozen=True, slots=True)
class Reranked:
    """The final list of one query.

    Attributes:
        hits: In rank order.
        hints: The hint tokens of each hit, None for a hit that was not rescored; None if they were not asked for.
        passages: How many passages were scored for this query.
        prior: Likelihood of the query without a passage; None if it was not needed.
        dropped: How many hits were left out because their probability was too low.
    """

    hits: RankedHits
    hints: list[list[str] | None] | None = None
    passages: int = 0
    prior: float | None = None
    dropped: int = 0

    def first(self, k: int | None) -> "Reranked":
        """The same list with its first k hits; None is all."""
        return self if k is None else replace(self, hits=self.hits[:k], hints=self.hints and self.hints[:k])


def as_pairs(query: str, texts: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of one query with each text; lone surrogates in them become U+FFFD.

    Raises:
        QPeftError: The texts are no list, or one of them or the query is not a string.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise QPeftError(f"the texts must be a list of strings, not {texts!r:.60}.")
    query = as_text(query, "the query")
    return [(query, as_text(text, f"text {place}")) for place, text in enumerate(texts, start=1)]


def read_pairs(pairs: Any) -> tuple[list[tuple[str, str]], bool]:
    """Pairs of query and text, and whether a single pair was given.

    Args:
        pairs: Pairs, each a tuple, a list or a row of an array or DataFrame; or one such pair. Lone surrogates in the
            strings become U+FFFD.

    Raises:
        QPeftError: One of the pairs is not two strings.
    """
    if hasattr(pairs, "to_numpy"):
        pairs = pairs.to_numpy()
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
        raise QPeftError(f"(query, text) pairs are needed, not {pairs!r:.60}.")
    listed = list(pairs)
    single = bool(listed) and isinstance(listed[0], str)
    read = []
    for place, pair in enumerate([listed] if single else listed, start=1):
        both = [] if isinstance(pair, str | bytes) or not isinstance(pair, Iterable) else list(pair)
        if len(both) != 2:
            raise QPeftError(f"pair {place} must be (query, text), not {pair!r:.60}.")
        read.append((as_text(both[0], f"the query of pair {place}"), as_text(both[1], f"the text of pair {place}")))
    return read, single


def text_source(searcher: Any, corpus: Any) -> TextSource | None:
    """The texts of a searcher and of a corpus, asked in this order; None if neither is given.

    Args:
        searcher: Anything whose `doc(docid)` gives a Lucene document, or None.
        corpus: A mapping or a function from docid to text, a list of texts (docids are places from 0), or None.

    Raises:
        QPeftError: The corpus is a path.
    """
    if isinstance(corpus, str | bytes | PathLike):
        raise QPeftError(
            f"corpus takes texts and not a path: open it, corpus=Corpus.open({str(corpus)!r}) of "
            "pyserini_qpeft.data.corpus, or StoredTexts of pyserini_qpeft.lucene for an index."
        )
    sources = [from_searcher(searcher)] if searcher is not None else []
    if isinstance(corpus, Mapping):
        sources.append(from_mapping(corpus))
    elif isinstance(corpus, Sequence):
        sources.append(from_list(corpus))
    elif corpus is not None:
        sources.append(corpus)
    return chain(*sources) if sources else None


def rescored(hits: Sequence[Any], config: RerankConfig) -> int:
    """How many of a query's first hits are rescored. No text is looked up.

    Args:
        hits: All hits of the query, see `candidates.hits.to_candidates`.
        config: Its depth and margin say so.
    """
    if config.margin is None:
        return len(hits) if config.depth is None else min(config.depth, len(hits))
    return config.rescored([hit.score for hit in first_stage_hits(hits[: config.depth])])


def ask(request: Request, place: int, texts: TextSource | None, config: RerankConfig) -> Asked:
    """A request with the texts of the hits that are rescored.

    Args:
        request: The query and its hits.
        place: Number of the request, from 1; an error about the query names it.
        texts: Gives the texts of hits that have none.
        config: Its depth and margin say which hits are rescored.

    Raises:
        QPeftError: The text of a hit is missing, or a text or the query is not a string.
    """
    query, hits = request
    found = listed(hits)
    count = rescored(found, config)
    return Asked(
        as_text(query, f"the query of request {place}"),
        to_candidates(found[:count], texts),
        first_stage_hits(found[count:], first_rank=count + 1),
        scored=not all(isinstance(hit, TextHit) for hit in found),
    )


def refuse_non_finite(asked: Asked, likelihoods: npt.NDArray[np.float32]) -> None:
    """Refuse likelihoods that are NaN or infinite.

    Raises:
        NonFiniteScoreError: Names the first such hit.
    """
    for candidate, likelihood in zip(asked.head, likelihoods, strict=True):
        if not np.isfinite(likelihood):
            raise NonFiniteScoreError(
                f"the score of document {candidate.docid!r} for query {asked.query!r} is {likelihood}: "
                "the model's numbers overflow; try another dtype (float32).",
                asked.query,
            )


def ranked_hits(
    asked: Asked,
    likelihoods: npt.NDArray[np.float32],
    ranking: Ranking,
    windows: Sequence[tuple[ScoredWindow, ...]] | None = None,
) -> RankedHits:
    """The hits in the order of a ranking, with both scores and ranks.

    Args:
        asked: The query and its hits.
        likelihoods: Of `asked.head`, float32 `[head]`.
        ranking: Places in the first stage's list, and scores.
        windows: The windows of each hit of `asked.head`; None if there are none.
    """
    hits = RankedHits()
    for rank, (place, score) in enumerate(zip(ranking.order, ranking.scores, strict=True), start=1):
        if place >= len(asked.head):
            hits.append(replace(asked.tail[place - len(asked.head)], score=score, rank=rank))
            continue
        candidate = asked.head[place]
        hits.append(
            RankedHit(
                docid=candidate.docid,
                score=score,
                rank=rank,
                first_stage_score=candidate.score,
                first_stage_rank=place + 1,
                text=candidate.text,
                likelihood=float(likelihoods[place]),
                windows=() if windows is None else windows[place],
            )
        )
    return hits
