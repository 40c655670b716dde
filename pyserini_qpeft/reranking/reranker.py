"""The reranker: first-stage hits in, the same hits out in a better order."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.explanation import Explanation, explain
from pyserini_qpeft.reranking.model_name import model_name
from pyserini_qpeft.reranking.query_batches import query_batches
from pyserini_qpeft.reranking.ranking import Ranking, rank_hits
from pyserini_qpeft.reranking.requests import (
    Asked,
    Call,
    Request,
    Reranked,
    ask,
    ranked_hits,
    refuse_non_finite,
    text_source,
)
from pyserini_qpeft.scoring.report import ScoringReport

if TYPE_CHECKING:
    import torch

    from pyserini_qpeft.models.config import Quantization
    from pyserini_qpeft.qpeft.template import PromptTemplate
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer
    from pyserini_qpeft.scoring.sequences import PairSequence

_logger = logging.getLogger(__name__)


class QPeftReranker:
    """Reranks hits by the mean log-likelihood of the query under a language model prompted by Q-PEFT.

    The likelihood is fused with the first stage's score, unless the configuration says otherwise. Several threads may
    use one reranker.

    Args:
        scorer: The model that scores (query, passage) pairs.
        config: Which hits are rescored, and how scores become a ranking.

    Attributes:
        scorer: As given.
        config: As given; a fusion weight that was left open is the one that comes with the model.
        last_report: Counts and time of the call of `score`, `predict`, `rerank`, `rerank_batch` or `rerank_stream`
            that began last.
    """

    def __init__(self, scorer: "LikelihoodScorer", config: RerankConfig | None = None) -> None:
        config = config or RerankConfig()
        if config.fusion is not None:
            config = replace(config, fusion=config.fusion.for_model(model_name(scorer.model)))
        self.scorer = scorer
        self.config = config
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
        """Load a model and an adapter.

        Args:
            model: Hub id or folder of a causal language model; None is the shipped model.
            adapter: Hub id or folder of an adapter. None is the shipped adapter for the shipped model, and no adapter
                for any other; "none" is the bare model.
            config: Which hits are rescored, and how scores become a ranking. The default fuses the likelihood with the
                first stage's score, by the weight that comes with the model; `RerankConfig(fusion=None)` ranks by the
                likelihood alone.
            template: The prompt's wording for a model without a Q-PEFT adapter.
            device: Such as "cpu" or "cuda:0"; None is the first GPU, or the CPU if there is none.
            dtype: Such as "bfloat16" or `torch.bfloat16`; None is the best for the device.
            quantize: Fewer bits for the base model's weights: "int8" (torchao), "8bit" or "4bit" (bitsandbytes).
            trust_remote_code: Whether transformers may run code that comes with the model.
            **model_kwargs: Passed on to `AutoModelForCausalLM.from_pretrained`.

        Raises:
            QPeftError: A model or adapter cannot be loaded, or the two do not fit together.
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
        """Load the model and adapter of a `ModelConfig`; the other arguments are those of `from_pretrained`."""
        from pyserini_qpeft.models.loading import load_model

        loaded, tokenizer = load_model(model, **model_kwargs)
        # Imported after loading: it imports torch, and a model that is not there should be reported at once.
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

        settings = config or RerankConfig()
        if settings.fusion is not None:
            settings = replace(settings, fusion=settings.fusion.for_model(model.model))
        return cls(LikelihoodScorer(loaded, tokenizer, settings.scoring, template), settings)

    def score(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Mean natural-log probability of the query's tokens given each text, not fused with anything.

        Args:
            query: The query.
            texts: The passages.

        Returns:
            float32 of shape `[len(texts)]`, in the order of `texts`; higher is better, never above 0.
        """
        return self.predict([(query, text) for text in texts])

    def predict(self, pairs: Sequence[tuple[str, str]], batch_size: int | None = None) -> npt.NDArray[np.float32]:
        """Likelihoods of (query, text) pairs, called as a sentence-transformers `CrossEncoder` is.

        Args:
            pairs: The pairs.
            batch_size: Accepted for compatibility, without effect: batches are planned by tokens.

        Returns:
            float32 of shape `[len(pairs)]`.
        """
        self.last_report = report = ScoringReport()
        size = self.scorer.query_batch_pairs
        blocks = [self._score(pairs[i : i + size], report)[0] for i in range(0, len(pairs), size)]
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
        """Rerank the hits of one query.

        Args:
            query: The query.
            hits: First-stage hits, best first: those of any Pyserini searcher, `(docid, text, score)`, or anything
                with `docid` and `score`. They are not changed. Fusion leaves the list to the likelihood if a score is
                missing, NaN or infinite, or all are equal, and warns once a call.
            k: How many hits to return; None is all.
            searcher: Gives the texts of hits that have none: anything whose `doc(docid)` gives a Lucene document.
            corpus: The same, as a mapping from docid to text, such as `Corpus`.

        Returns:
            Hits by descending score; equal scores keep the first stage's order.

        Raises:
            QPeftError: The text of a hit is missing, or the model's score of it is not finite; the docid is named.
        """
        return self.rerank_batch([(query, hits)], k=k, searcher=searcher, corpus=corpus)[0]

    def rerank_batch(
        self,
        requests: Iterable[Request],
        *,
        k: int | None = None,
        searcher: Any = None,
        corpus: Any = None,
    ) -> list[list[RankedHit]]:
        """Rerank the hits of many queries, in batches across queries; see `rerank`."""
        listed = list(requests)
        stream = self.rerank_stream(listed, k=k, searcher=searcher, corpus=corpus)
        return list(tqdm(stream, total=len(listed), unit="query", disable=not self.config.progress))

    def rerank_stream(
        self,
        requests: Iterable[Request],
        *,
        k: int | None = None,
        searcher: Any = None,
        corpus: Any = None,
    ) -> Iterator[list[RankedHit]]:
        """Like `rerank_batch`, but yields the hits of each query when they are done, in bounded memory."""
        depth = self.config.depth
        listed = ((query, list(hits)) for query, hits in requests)
        batches = query_batches(listed, lambda request: len(request[1][:depth]), self.scorer.query_batch_pairs)
        for reranked in self.rerank_query_batches(batches, k=k, searcher=searcher, corpus=corpus):
            yield reranked.hits

    def rerank_query_batches(
        self,
        batches: Iterable[Iterable[Request]],
        *,
        k: int | None = None,
        searcher: Any = None,
        corpus: Any = None,
        hints: bool = False,
        report: ScoringReport | None = None,
    ) -> Iterator[Reranked]:
        """Rerank query batches, each scored as a whole, and yield the list of each query in order.

        Args:
            batches: The requests of each query batch, see `query_batches`.
            k: As for `rerank`.
            searcher: As for `rerank`.
            corpus: As for `rerank`.
            hints: Whether the hint tokens of each hit are kept.
            report: Counts and time are added to it, query batch by query batch.
        """
        self.last_report = report = report if report is not None else ScoringReport()
        call = Call(report, k, hints)
        texts = text_source(searcher, corpus)
        for batch in batches:
            yield from self._rank([ask(query, hits, texts, self.config.depth) for query, hits in batch], call)

    def hints(self, query: str, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text that become hints for the query, nearest first; none for attended hints."""
        return list(map(self.scorer.hint_tokens, self.scorer.sequences([(query, text) for text in texts])))

    def explain(self, query: str, text: str) -> Explanation:
        """The parts of one likelihood: the hints, and the score of each query token with and without them."""
        return explain(self.scorer, query, text)

    def _rank(self, batch: list[Asked], call: Call) -> Iterator[Reranked]:
        """Score the pairs of several queries together."""
        pairs = [(asked.query, candidate.text) for asked in batch for candidate in asked.head]
        scores, sequences = self._score(pairs, call.report) if pairs else (np.zeros(0, dtype=np.float32), [])
        start = 0
        for asked in batch:
            stop = start + len(asked.head)
            likelihoods = scores[start:stop]
            refuse_non_finite(asked, likelihoods)
            ranking = self._ranking(asked, likelihoods, call)
            hits = ranked_hits(asked, likelihoods, ranking)[: call.k]
            kept = None
            if call.hints:
                tokens = list(map(self.scorer.hint_tokens, sequences[start:stop]))
                kept = [tokens[place] if place < len(tokens) else None for place in ranking.order][: call.k]
            yield Reranked(hits, kept)
            start = stop

    def _ranking(self, asked: Asked, likelihoods: npt.NDArray[np.float32], call: Call) -> Ranking:
        first_stage = [*(one.score for one in asked.head), *(hit.first_stage_score for hit in asked.tail)]
        config = self.config
        ranking = rank_hits(
            likelihoods.tolist(), first_stage, config.fusion, depth=len(asked.head), below_depth=config.below_depth
        )
        if ranking.first_stage_unusable and not call.warned:
            call.warned = True
            _logger.warning(
                "query %r: its hits are ranked by the likelihood alone, because their first-stage scores are missing, "
                "not finite or all equal; other queries of this call whose scores are so are ranked the same way",
                asked.query,
            )
        return ranking

    def _score(
        self, pairs: Sequence[tuple[str, str]], report: ScoringReport
    ) -> "tuple[npt.NDArray[np.float32], list[PairSequence]]":
        start = time.perf_counter()
        sequences = self.scorer.sequences(pairs)
        scores = self.scorer.score(sequences)
        report.passages += len(sequences)
        report.tokens += sum(len(sequence) for sequence in sequences)
        report.passages_cut += sum(sequence.tokens_cut > 0 for sequence in sequences)
        report.tokens_cut += sum(sequence.tokens_cut for sequence in sequences)
        report.seconds += time.perf_counter() - start
        return scores, sequences
