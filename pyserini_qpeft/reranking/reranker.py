"""The reranker: first-stage hits in, the same hits out in a better order."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from pyserini_qpeft.candidates.hits import first_stage_hits, to_candidates
from pyserini_qpeft.candidates.texts import chain, from_mapping, from_searcher
from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.errors import NonFiniteScoreError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.explanation import Explanation, explain
from pyserini_qpeft.reranking.fusion import fuse
from pyserini_qpeft.reranking.query_batches import Request, query_batches
from pyserini_qpeft.reranking.tail import score_tail
from pyserini_qpeft.scoring.report import ScoringReport

if TYPE_CHECKING:
    import torch

    from pyserini_qpeft.models.config import Quantization
    from pyserini_qpeft.qpeft.template import PromptTemplate
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer


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
        dtype: "str | torch.dtype | None" = None,
        quantize: "Quantization | None" = None,
        trust_remote_code: bool = False,
        **model_kwargs: Any,
    ) -> Self:
        """Loads a model and an adapter.

        Args:
            model: A hub id or folder of any causal language model; None is the shipped one.
            adapter: A hub id or folder of an adapter. None is the shipped adapter for the shipped model, and no
                adapter for any other; "none" is the bare model.
            config: What is rescored, and how scores become a ranking.
            template: The prompt's wording for a model without a Q-PEFT adapter.
            device: Such as "cpu" or "cuda:0"; None is the first GPU, or the CPU where there is none.
            dtype: Such as "bfloat16" or `torch.bfloat16`; None is the best of the device.
            quantize: Fewer bits for the base model's weights: "int8" (torchao), "8bit" or "4bit" (bitsandbytes).
            trust_remote_code: Whether transformers may run code that comes with the model.
            **model_kwargs: Go to `AutoModelForCausalLM.from_pretrained`.

        Raises:
            QPeftError: If something named is not there, is not what it should be, or does not fit together.
        """
        named = ModelConfig(
            model=None if model is None else str(model),
            adapter=None if adapter is None else str(adapter),
            device=device,
            dtype=None if dtype is None else str(dtype).removeprefix("torch."),
            quantize=quantize,
            trust_remote_code=trust_remote_code,
        )
        return cls.from_config(named, config, template=template, **model_kwargs)

    @classmethod
    def from_config(
        cls,
        model: ModelConfig,
        config: RerankConfig | None = None,
        *,
        template: "PromptTemplate | None" = None,
        **model_kwargs: Any,
    ) -> Self:
        """Loads what a `ModelConfig` names; the arguments are those of `from_pretrained`."""
        from pyserini_qpeft.models.loading import load_model

        loaded, tokenizer = load_model(model, **model_kwargs)
        # Imported after loading: it imports torch, and a model that is not there should be reported at once.
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

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
        size = self.scorer.query_batch_pairs
        blocks = [self._score(pairs[i : i + size]) for i in range(0, len(pairs), size)]
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
        asked = (self._request(query, hits, texts) for query, hits in requests)
        for batch in query_batches(asked, self.scorer.query_batch_pairs):
            yield from self._rank(batch, k)

    def hints(self, query: str, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text that become hints for the query, nearest first; none where hints are attended."""
        decode = self.scorer.encoder.tokenizer.decode
        sequences = self.scorer.sequences([(query, text) for text in texts])
        return [[decode([i]).strip() for i in sequence.hint_ids] for sequence in sequences]

    def explain(self, query: str, text: str) -> Explanation:
        """Takes one score apart: the hints, and what each query token got with and without them."""
        return explain(self.scorer, query, text)

    def _request(self, query: str, hits: Iterable[Any], texts: Any) -> Request:
        listed = list(hits)
        head = to_candidates(listed[: self.config.depth], texts)
        return Request(query, head, first_stage_hits(listed[len(head) :], first_rank=len(head) + 1))

    def _rank(self, batch: list[Request], k: int | None) -> Iterator[list[RankedHit]]:
        """Scores the pairs of several queries together, sorted and batched as one."""
        pairs = [(request.query, candidate.text) for request in batch for candidate in request.head]
        scores = self._score(pairs) if pairs else np.zeros(0, dtype=np.float32)
        start = 0
        for request in batch:
            likelihoods = scores[start : start + len(request.head)]
            start += len(request.head)
            ranked = self._ranked(request, likelihoods)
            yield [*ranked, *self._below(ranked, request.tail)][:k]

    def _ranked(self, request: Request, likelihoods: npt.NDArray[np.float32]) -> list[RankedHit]:
        for candidate, likelihood in zip(request.head, likelihoods, strict=True):
            if not np.isfinite(likelihood):
                raise NonFiniteScoreError(
                    f"the score of document {candidate.docid!r} for query {request.query!r} is {likelihood}: "
                    "the model's numbers overflow; try another dtype (float32).",
                    request.query,
                )
        final = likelihoods
        if self.config.fusion is not None:
            fused = fuse([candidate.score for candidate in request.head], likelihoods.tolist(), self.config.fusion)
            # trec_eval reads scores in single precision: what would tie there has to tie here, in our order.
            final = fused.astype(np.float32)
        return [
            RankedHit(
                docid=request.head[i].docid,
                score=float(final[i]),
                rank=rank,
                first_stage_score=request.head[i].score,
                first_stage_rank=int(i) + 1,
                text=request.head[i].text,
                likelihood=float(likelihoods[i]),
            )
            for rank, i in enumerate(np.argsort(-final, kind="stable"), start=1)
        ]

    def _below(self, head: list[RankedHit], tail: list[RankedHit]) -> list[RankedHit]:
        if self.config.below_depth == "drop":
            return []
        if not head:
            return tail
        scores = score_tail([hit.score for hit in head], len(tail))
        return [replace(hit, score=score) for hit, score in zip(tail, scores, strict=True)]

    def _score(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        start = time.perf_counter()
        sequences = self.scorer.sequences(pairs)
        scores = self.scorer.score(sequences)
        report = self.last_report
        report.passages += len(sequences)
        report.tokens += sum(len(sequence) for sequence in sequences)
        report.passages_cut += sum(sequence.tokens_cut > 0 for sequence in sequences)
        report.tokens_cut += sum(sequence.tokens_cut for sequence in sequences)
        report.seconds += time.perf_counter() - start
        return scores
