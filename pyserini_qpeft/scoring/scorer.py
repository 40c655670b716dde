"""The model over many pairs: batches within a token budget, sorted by length, smaller when memory runs out."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import active_adapter
from pyserini_qpeft.qpeft.cached_passages import read_passages
from pyserini_qpeft.qpeft.likelihood import QueryLikelihood, query_likelihood
from pyserini_qpeft.qpeft.selection import HintSelector
from pyserini_qpeft.qpeft.template import PromptEncoder, PromptTemplate
from pyserini_qpeft.scoring.batch import Batch, Row, collate, instruction_index
from pyserini_qpeft.scoring.budget import DoesNotFitError, TokenBudget, logits_cost, query_batch_pairs
from pyserini_qpeft.scoring.compilation import compile_scoring
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.hint_sources import other_passages
from pyserini_qpeft.scoring.packed_rows import pack, why_not_packed
from pyserini_qpeft.scoring.passage_cache import PassageCache, why_not_cached
from pyserini_qpeft.scoring.sequences import PairSequence, SequenceBuilder
from pyserini_qpeft.scoring.stored_passages import StoredPassages, model_fingerprint

logger = logging.getLogger(__name__)


class LikelihoodScorer:
    """Scores pairs with a causal language model, prompted by Q-PEFT where it carries such an adapter.

    Args:
        model: A causal language model, or a `PeftModel` over one; put into evaluation mode.
        tokenizer: Its fast tokenizer.
        config: How scoring is done.
        template: The prompt's wording for a model without a Q-PEFT adapter.

    Attributes:
        adapter: The active Q-PEFT adapter's settings, or None.
        builder: Makes the sequences that are scored.
        query_batch_pairs: How many pairs should be scored together.
        budget: Tokens that go through the model at once.
        cache: Key-values of passages, or None. It belongs to the weights that the model has now.

    Raises:
        QPeftError: If a passage cache, random hints or compiling are asked for and cannot be had; the reason is told.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        config: ScoringConfig | None = None,
        template: PromptTemplate | None = None,
    ) -> None:
        self.model = model.eval()
        self.config = config or ScoringConfig()
        self.adapter = active_adapter(model)
        wording = self.adapter.prompt_template if self.adapter else template or PromptTemplate()
        reference = self.adapter is not None and self.adapter.reference_settings
        self.encoder = PromptEncoder(tokenizer, wording, self.config.passage_tokens, framed=reference)
        embeddings = model.get_input_embeddings()
        hinted = self.adapter is not None and self.adapter.variant != "none"
        table = model.base_model.prompt.table if reference and hinted else None
        selector = HintSelector(self.adapter, embeddings, tokenizer, table) if hinted and self.adapter else None
        max_length = getattr(model.config, "max_position_embeddings", None) or 1 << 20
        drawn = self.config.hints == "random"
        if drawn and (self.adapter is None or self.adapter.variant != "retrieval"):
            raise QPeftError("random hints need an adapter with retrieved hints (Q-PEFT-R).")
        self.builder = SequenceBuilder(self.encoder, self.adapter, selector, max_length, random_hints=drawn)
        self.device = embeddings.weight.device
        self.query_batch_pairs = self.config.query_batch_pairs or query_batch_pairs(model, self.device)
        asked = self.config.batch_tokens
        self.budget = TokenBudget(asked, self.device) if asked else TokenBudget.of(model, self.device)
        self._packs: bool | None = None
        self.cache = self.passage_cache(self.config.passage_cache_bytes) if self.config.passage_cache_bytes else None
        if self.config.compile:
            compile_scoring(self)

    def sequences(self, pairs: Sequence[tuple[str, str]], *, hints: bool = True) -> list[PairSequence]:
        """Tokenises each distinct query and passage once and puts the pairs together.

        Args:
            pairs: (query, passage) texts; equal ones get the same sequence.
            hints: False leaves the hints out.
        """
        queries = list(dict.fromkeys(query for query, _ in pairs))
        passages = list(dict.fromkeys(passage for _, passage in pairs))
        encoded_queries = dict(zip(queries, self.encoder.queries(queries), strict=True))
        parts = dict(zip(passages, map(self.builder.passage, self.encoder.passages(passages)), strict=True))
        donors = other_passages(pairs) if self.config.hints == "shuffled" else {}
        built = {
            (query, passage): self.builder.build(
                encoded_queries[query],
                parts[passage],
                hints=hints,
                hints_from=parts[donors[query, passage]] if donors else None,
            )
            for query, passage in dict.fromkeys(pairs)
        }
        return [built[pair] for pair in pairs]

    def hint_tokens(self, sequence: PairSequence) -> list[str]:
        """The passage tokens that are the hints of a sequence, as text without surrounding blanks, nearest first.

        Args:
            sequence: One that `sequences` returned.

        Returns:
            At most `num_hints` tokens; none if the adapter has attended hints (they are no single tokens) or no hints.
        """
        decode = self.encoder.tokenizer.decode
        return [decode([token]).strip() for token in sequence.hint_ids]

    def score(self, sequences: Sequence[PairSequence]) -> npt.NDArray[np.float32]:
        """Mean log-likelihood of each sequence's query tokens.

        Returns:
            float32 of shape `[len(sequences)]`, in the order given; the same whatever else is in the list.

        Raises:
            QPeftError: If even one sequence alone does not fit into memory.
        """
        # A pair that occurs twice is scored once: in two batches its scores could differ by rounding.
        distinct = {id(sequence): sequence for sequence in sequences}
        if len(distinct) < len(sequences):
            place = {key: i for i, key in enumerate(distinct)}
            once = self.score(list(distinct.values()))
            return once[[place[id(sequence)] for sequence in sequences]]
        scores = np.full(len(sequences), np.nan, dtype=np.float32)
        groups = self.rows(sequences)
        if self.cache is None:
            for rows in groups:
                self._score_rows(sequences, rows, scores)
            return scores
        rows = [row for group in groups for row in group]
        shared = [sequences[row[0]].shared_ids for row in rows]
        for block in self.cache.blocks(shared):
            self.cache.fill([shared[i] for i in block])
            self._score_rows(sequences, [rows[i] for i in block], scores)
        return scores

    def rows(self, sequences: Sequence[PairSequence]) -> list[list[list[int]]]:
        """Which pairs, by their places, stand in a row together; in groups of rows that are batched apart."""
        every = range(len(sequences))
        rows = pack(sequences, every, self.builder.max_length)
        # Asked only where it matters: the answer costs some forward passes.
        if (len(rows) == len(sequences) and not self.config.compile) or not self.packs:
            return [[[i] for i in every]]
        if self._packs_all:
            return [rows]
        # Without a mask attention is faster, and a pair alone with its passage needs none.
        return [[row for row in rows if len(row) == 1], [row for row in rows if len(row) > 1]]

    @property
    def packs(self) -> bool:
        """Whether pairs of one passage are read in one row: if the model has shown, once asked, that it can."""
        disabled = self.adapter is not None and self.model.base_model.qpeft_layer.disable_adapters
        if disabled or not self.config.share_passages:
            return False
        if self._packs is None:
            reason = why_not_packed(self.causal_model, self.adapter, self.builder.max_length)
            if reason is not None:
                logger.info("each pair reads its passage anew: %s", reason)
            self._packs = reason is None
        return self._packs

    def token_logprobs(self, sequence: PairSequence) -> npt.NDArray[np.float32]:
        """Log-likelihood of each of one sequence's query tokens, float32 `[tokens]`."""
        if self.cache is not None:
            self.cache.fill([sequence.shared_ids])
        logprobs = self.forward([[sequence]]).token_logprobs
        assert logprobs is not None
        values: npt.NDArray[np.float32] = logprobs.cpu().numpy()
        return values

    def forward(self, rows: Sequence[Row]) -> QueryLikelihood:
        """One pass of the model over a batch, without gradients; with a cache, behind passages that it holds.

        Args:
            rows: The pairs of the batch; those of a row have their passage in common.
        """
        with torch.inference_mode():
            batch: dict[str, Any] = {name: value.to(self.device) for name, value in self.collate(rows).items()}
            if self.cache is not None:
                batch["cached"] = self.cache.batch([row[0].shared_ids for row in rows])
            if self.adapter is None:
                return query_likelihood(self.model, **batch)
            likelihood: QueryLikelihood = self.model(**batch)
            return likelihood

    def collate(self, rows: Sequence[Row]) -> Batch:
        """The keywords of a batch; with a cache, of what stands behind the passages."""
        builder = self.builder
        return collate(
            rows,
            self.adapter,
            builder.padding_id,
            builder.instruction,
            after_shared=self.cache is not None,
            packed=self._packs_all or any(len(row) > 1 for row in rows),
        )

    def batch_lengths(self, rows: Sequence[Row]) -> list[int]:
        """What each row takes of a batch's token budget."""
        following = [sum(len(sequence.following) for sequence in row) for row in rows]
        shared = [len(row[0].shared_ids) for row in rows]
        if self.cache is not None:
            shared = [self.cache.batch_cost(length) for length in shared]
        return [behind + before for behind, before in zip(following, shared, strict=True)]

    def passage_cache(self, limit: int, *, alone: bool = False) -> PassageCache:
        """A new, empty passage cache.

        Args:
            limit: Bytes of key-values that it keeps.
            alone: Read each passage by itself: its key-values are then the same to the last bit whenever it is read.

        Raises:
            QPeftError: If passages cannot be read without the query; the reason is told.
        """
        reason = why_not_cached(self.model, self.adapter)
        if reason is not None:
            raise QPeftError(f"this model cannot have a passage cache: {reason}; leave out passage_cache_bytes.")
        folder = self.config.passage_cache_folder
        stored = None
        if folder is not None:
            stored = StoredPassages(folder, model_fingerprint(self.model), self.device)
        budget = TokenBudget(1, self.device) if alone else self.budget
        builder = self.builder
        return PassageCache(self._read_passages, builder.padding_id, builder.head, budget, limit, stored)

    def _score_rows(
        self, sequences: Sequence[PairSequence], rows: Sequence[Sequence[int]], scores: npt.NDArray[np.float32]
    ) -> None:
        """Scores rows of pairs, which are given by their places, and puts the scores there."""
        listed = [[sequences[i] for i in row] for row in rows]

        def forward(batch: npt.NDArray[np.int64]) -> None:
            places = [place for i in batch for place in rows[i]]
            # One row would be another kind of arguments to compiled code.
            twice = [*batch, *batch] if self.config.compile and len(batch) == 1 else batch
            likelihood = self.forward([listed[i] for i in twice])
            assert likelihood.scores is not None
            scores[places] = likelihood.scores[: len(places)].cpu().numpy()

        vocabulary = len(self.model.get_input_embeddings().weight)
        logits = [logits_cost(sum(len(sequence.scored) for sequence in row), vocabulary) for row in listed]
        try:
            self.budget.run(self.batch_lengths(listed), forward, logits)
        except DoesNotFitError:
            alone = [[place] for row in rows for place in row if np.isnan(scores[place])]
            if len(alone) == sum(bool(np.isnan(scores[row]).any()) for row in rows):
                raise
            self._score_rows(sequences, alone, scores)

    @property
    def _packs_all(self) -> bool:
        # Compiled code is made anew for arguments of another kind, which costs more than it saves.
        return self.config.compile and self.packs

    @property
    def causal_model(self) -> Any:
        """The model that reads the prompts, a LoRA in it included, without Q-PEFT's tuner around it."""
        return self.model if self.adapter is None else self.model.base_model.model

    @torch.no_grad()
    def _read_passages(self, ids: npt.NDArray[np.int64]) -> torch.Tensor:
        # Not inference_mode: training keeps these for its backward pass.
        input_ids = torch.from_numpy(ids).to(self.device)
        if self.adapter is None:
            return read_passages(self.model, input_ids=input_ids)
        index = None
        if self.adapter.instruction_mode == "soft":
            index = torch.from_numpy(instruction_index(ids.shape, self.builder.instruction)).to(self.device)
        states: torch.Tensor = self.model.base_model.read_passages(input_ids, index)
        return states
