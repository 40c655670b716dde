"""The reranker: first-stage hits in, the same hits out in a better order."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from pyserini_qpeft.candidates.hits import to_candidates
from pyserini_qpeft.candidates.records import Candidate, RankedHit
from pyserini_qpeft.candidates.texts import chain, from_mapping, from_searcher
from pyserini_qpeft.depth import BELOW_DEPTH, score_tail
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.explanation import Explanation, Hint, TokenScore
from pyserini_qpeft.fusion import FusionConfig, fuse
from pyserini_qpeft.scoring.config import ScoringConfig

if TYPE_CHECKING:
    from pyserini_qpeft.qpeft.template import PromptTemplate
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer

DEFAULT_ADAPTER = "retrieval"
NO_ADAPTER = "none"


@dataclass(frozen=True)
class RerankConfig:
    """What is rescored, and how scores become a ranking.

    Raises:
        QPeftError: If a setting has a value that does not exist.
    """

    depth: int | None = field(
        default=None, metadata={"help": "how many of a query's first hits are rescored; all when not given"}
    )
    below_depth: str = field(
        default="keep",
        metadata={"help": "hits below the depth: keep (after the rescored ones, in their order) or drop"},
    )
    fusion: FusionConfig | None = field(
        default=None, metadata={"help": "how the first stage's scores are mixed in; None: not at all"}
    )
    scoring: ScoringConfig = field(default_factory=ScoringConfig, metadata={"help": "how scoring is done"})
    progress: bool = field(default=False, metadata={"help": "show a progress bar over queries"})

    def __post_init__(self) -> None:
        if self.depth is not None and self.depth < 0:
            raise QPeftError(f"depth must not be negative, and is {self.depth}.")
        if self.below_depth not in BELOW_DEPTH:
            raise QPeftError(f"below_depth must be one of {', '.join(BELOW_DEPTH)}, not {self.below_depth!r}.")


@dataclass(slots=True)
class ScoringReport:
    """What the last call did: counts, and seconds of wall clock."""

    passages: int = 0
    tokens: int = 0
    passages_cut: int = 0
    tokens_cut: int = 0
    seconds: float = 0.0

    @property
    def passages_per_second(self) -> float:
        """Passages scored in a second of wall clock; 0 before anything was scored."""
        return self.passages / self.seconds if self.seconds else 0.0


class QPeftReranker:
    """Rescores hits by the mean log-likelihood of the query under a language model prompted by Q-PEFT.

    Args:
        scorer: The model over pairs.
        config: What is rescored, and how scores become a ranking.

    Attributes:
        last_report: Counts and time of the last call of `score`, `predict`, `rerank` or `rerank_batch`.
    """

    def __init__(self, scorer: "LikelihoodScorer", config: RerankConfig | None = None) -> None:
        self.scorer = scorer
        self.config = config or RerankConfig()
        self.last_report = ScoringReport()

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        adapter: str | Path | None = None,
        *,
        config: RerankConfig | None = None,
        template: "PromptTemplate | None" = None,
        device: str | None = None,
        dtype: Any = None,
        trust_remote_code: bool = False,
        **model_kwargs: Any,
    ) -> Self:
        """Loads a model and an adapter.

        Args:
            model: A hub id or folder of any causal language model; None is the shipped one.
            adapter: A hub id or folder of an adapter. None is the shipped default beside the shipped model and no
                adapter beside any other; "none" is no adapter: the bare model, scoring by query likelihood alone.
            config: What is rescored, and how scores become a ranking.
            template: The prompt's wording for a model without a Q-PEFT adapter.
            device: Such as "cpu" or "cuda:0"; the first GPU where there is one when not given.
            dtype: Such as "bfloat16"; the device's best when not given.
            trust_remote_code: Lets transformers run code that comes with the model.
            **model_kwargs: Go to `AutoModelForCausalLM.from_pretrained`.

        Raises:
            QPeftError: If something named is not there, is not what it should be, or does not fit together.
        """
        from pyserini_qpeft.scoring.loading import load_model
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

        chosen = DEFAULT_ADAPTER if model is None and adapter is None else adapter
        loaded, tokenizer = load_model(
            model,
            None if chosen == NO_ADAPTER else chosen,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            **model_kwargs,
        )
        settings = config or RerankConfig()
        return cls(LikelihoodScorer(loaded, tokenizer, settings.scoring, template), settings)

    def score(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Mean natural-log probability of the query's tokens given each text.

        Returns:
            float32 of shape `[len(texts)]`, in the order of `texts`; higher is better, never above 0.
        """
        return self.predict([(query, text) for text in texts])

    def predict(self, pairs: Sequence[tuple[str, str]], batch_size: int | None = None) -> npt.NDArray[np.float32]:
        """Scores (query, text) pairs, as a sentence-transformers `CrossEncoder` does.

        Args:
            pairs: The pairs.
            batch_size: Taken for compatibility; batches are planned by tokens.

        Returns:
            float32 of shape `[len(pairs)]`.
        """
        self.last_report = ScoringReport()
        window = self.config.scoring.window_pairs
        blocks = [self._score(pairs[i : i + window]) for i in range(0, len(pairs), window)]
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)

    def rerank(
        self,
        query: str,
        hits: Iterable[Any],
        *,
        k: int | None = None,
        searcher: Any = None,
        corpus: Any = None,
    ) -> list[RankedHit]:
        """Reorders one query's hits.

        Args:
            query: The query.
            hits: First-stage hits, best first: Pyserini's of any searcher, `(docid, text, score)`, or anything with
                `docid` and `score`. They are not changed.
            k: How many hits to return; all when not given.
            searcher: Where texts are when the hits have none: anything whose `doc(docid)` gives a Lucene document.
            corpus: The same, as a mapping from docid to text, such as `Corpus`.

        Returns:
            Hits by descending score; equal scores keep the first stage's order.

        Raises:
            QPeftError: If a hit's text cannot be found or a score is not a number; the docid is named.
        """
        return self.rerank_batch([(query, hits)], k=k, searcher=searcher, corpus=corpus)[0]

    def rerank_batch(
        self,
        requests: Iterable[tuple[str, Iterable[Any]]],
        *,
        k: int | None = None,
        searcher: Any = None,
        corpus: Any = None,
    ) -> list[list[RankedHit]]:
        """Reorders many queries' hits, filling batches across queries; see `rerank`."""
        listed = list(requests)
        stream = self.rerank_stream(listed, k=k, searcher=searcher, corpus=corpus)
        return list(tqdm(stream, total=len(listed), unit="query", disable=not self.config.progress))

    def rerank_stream(
        self,
        requests: Iterable[tuple[str, Iterable[Any]]],
        *,
        k: int | None = None,
        searcher: Any = None,
        corpus: Any = None,
    ) -> Iterator[list[RankedHit]]:
        """Like `rerank_batch`, one query's hits after the other as they are done, in bounded memory."""
        self.last_report = ScoringReport()
        sources = [from_searcher(searcher)] if searcher is not None else []
        sources += [from_mapping(corpus)] if isinstance(corpus, Mapping) else [corpus] if corpus is not None else []
        texts = chain(*sources) if sources else None
        for window in self._windows((query, to_candidates(hits, texts)) for query, hits in requests):
            yield from self._rank(window, k)

    def explain(self, query: str, text: str) -> Explanation:
        """Takes one score apart: the hints, and what each query token got with and without them."""
        sequence, plain = (self.scorer.sequences([(query, text)], hints=hints)[0] for hints in (True, False))
        logprobs = self.scorer.token_logprobs(sequence)
        without = self.scorer.token_logprobs(plain)
        decode = self.scorer.encoder.tokenizer.decode
        tokens = zip(sequence.query, logprobs, without, strict=True)
        return Explanation(
            score=float(logprobs.mean()),
            tokens=tuple(TokenScore(decode([i]), float(with_), float(alone)) for i, with_, alone in tokens),
            hints=tuple(
                Hint(decode([i]).strip(), float(similarity))
                for i, similarity in zip(sequence.hint_ids, sequence.hint_similarities, strict=True)
            ),
            tokens_cut=sequence.tokens_cut,
        )

    def _windows(self, requests: Iterable[tuple[str, list[Candidate]]]) -> Iterator[list[tuple[str, list[Candidate]]]]:
        """Queries in groups of about `window_pairs` pairs, which are sorted and batched together."""
        group: list[tuple[str, list[Candidate]]] = []
        pairs = 0
        for query, candidates in requests:
            group.append((query, candidates))
            pairs += len(candidates[: self.config.depth])
            if pairs >= self.config.scoring.window_pairs:
                yield group
                group, pairs = [], 0
        if group:
            yield group

    def _rank(self, window: list[tuple[str, list[Candidate]]], k: int | None) -> Iterator[list[RankedHit]]:
        heads = [(query, candidates[: self.config.depth]) for query, candidates in window]
        pairs = [(query, candidate.text) for query, head in heads for candidate in head]
        scores = iter(self._score(pairs))
        for (query, candidates), (_, head) in zip(window, heads, strict=True):
            likelihoods = np.fromiter(islice(scores, len(head)), dtype=np.float32, count=len(head))
            yield self._ranked(query, candidates, likelihoods)[:k]

    def _ranked(self, query: str, candidates: list[Candidate], likelihoods: npt.NDArray[np.float32]) -> list[RankedHit]:
        head = candidates[: len(likelihoods)]
        for candidate, likelihood in zip(head, likelihoods, strict=True):
            if not np.isfinite(likelihood):
                raise QPeftError(
                    f"the score of document {candidate.docid!r} for query {query!r} is {likelihood}: "
                    "the model's numbers overflow; try another dtype (float32)."
                )
        final = np.asarray(likelihoods, dtype=np.float64)
        if self.config.fusion is not None:
            final = fuse([candidate.score for candidate in head], final, self.config.fusion)
        order = np.argsort(-final, kind="stable")
        places = [(int(i), float(final[i]), float(likelihoods[i])) for i in order]
        ranked = [
            _hit(candidates[i], rank, i, score, likelihood)
            for rank, (i, score, likelihood) in enumerate(places, start=1)
        ]
        if self.config.below_depth == "drop":
            return ranked
        tail = score_tail([hit.score for hit in ranked], len(candidates) - len(head))
        if not head:
            tail = [candidate.score for candidate in candidates]
        for i, score in enumerate(tail, start=len(head)):
            ranked.append(_hit(candidates[i], i + 1, i, score, None))
        return ranked

    def _score(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        start = time.perf_counter()
        sequences = self.scorer.sequences(pairs)
        scores = self.scorer.score(sequences)
        report = self.last_report
        report.passages += len(sequences)
        report.tokens += sum(len(sequence.ids) for sequence in sequences)
        report.passages_cut += sum(sequence.tokens_cut > 0 for sequence in sequences)
        report.tokens_cut += sum(sequence.tokens_cut for sequence in sequences)
        report.seconds += time.perf_counter() - start
        return scores


def _hit(candidate: Candidate, rank: int, place: int, score: float, likelihood: float | None) -> RankedHit:
    return RankedHit(
        docid=candidate.docid,
        score=score,
        rank=rank,
        first_stage_score=candidate.score,
        first_stage_rank=place + 1,
        text=candidate.text,
        likelihood=likelihood,
    )
