"""Pairs of query and passage to log-likelihoods: the entrance to this room."""

import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.registry import loaded_name, passage_tokens
from pyserini_qpeft.qpeft.hints import hint_rule
from pyserini_qpeft.qpeft.hints.selection import HintSelector
from pyserini_qpeft.qpeft.template import PromptEncoder, PromptTemplate, TokenIds
from pyserini_qpeft.scoring.budget import TokenBudget, query_batch_pairs
from pyserini_qpeft.scoring.cache_choice import new_cache, shared_cache
from pyserini_qpeft.scoring.compilation import compile_model
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.fused_layers import fuse_layers
from pyserini_qpeft.scoring.hint_sources import other_passages
from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.scoring.passage_cache import PassageCache
from pyserini_qpeft.scoring.row_planner import RowPlanner
from pyserini_qpeft.scoring.row_scorer import OnScored, RowScorer
from pyserini_qpeft.scoring.sequences import PairSequence, SequenceBuilder


class LikelihoodScorer:
    """Scores pairs of query and passage with a causal language model, prompted by its Q-PEFT adapter if it has one.

    score = 1/n · Σ log p(q_t | instruction, passage, hints, q_1 … q_(t-1)), over the n tokens of the query.

    Several threads may use one scorer. Each call gets the scores that it would get alone, up to rounding: batches go
    through the model one at a time, and the token budget and the passage cache change only between batches. So several
    threads score about as fast as one. `model.disable_adapter()` switches the adapter off for all threads.

    Args:
        model: A causal language model, or a `PeftModel` over one. It is put into evaluation mode, and on a CPU
            some of its layers get faster forward passes without gradients (`fuse_layers`).
        tokenizer: Its fast tokenizer.
        config: The settings of scoring.
        template: The words of the prompt for a model without a Q-PEFT adapter.
        read_alone: Read each passage for the cache in a batch of its own. Its key-values are then the same to the last
            bit each time, which a training run that is interrupted and resumed needs.
        others: Scorers with the same `config`. If one of them reads passages as this one does (adapters over the same
            weights whose hints stand behind the passage), both use its passage cache and its token budget.

    Attributes:
        adapter: The settings of the active Q-PEFT adapter, or None.
        builder: Builds the sequences.
        planner: Decides which pairs share a row.
        row_scorer: Scores rows; it owns the token budget and the passage cache.
        query_batch_pairs: How many pairs the caller should score together.

    Raises:
        QPeftError: If the configuration asks for a passage cache, other hints or compiling, and this model or machine
            cannot do it. The message says why.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        config: ScoringConfig | None = None,
        template: PromptTemplate | None = None,
        *,
        read_alone: bool = False,
        others: Iterable["LikelihoodScorer"] = (),
    ) -> None:
        self.model = model.eval()
        asked = config or ScoringConfig()
        kept = asked.passage_tokens or passage_tokens(loaded_name(model))
        self.config = replace(asked, passage_tokens=kept)
        pair_model = PairModel(model)
        self.adapter = pair_model.adapter
        wording = self.adapter.prompt_template if self.adapter else template or PromptTemplate()
        reference = self.adapter is not None and self.adapter.reference_settings
        self.encoder = PromptEncoder(tokenizer, wording, kept, framed=reference)
        self._uncut = PromptEncoder(tokenizer, wording, sys.maxsize)
        embeddings = model.get_input_embeddings()
        rule = hint_rule(self.adapter)
        table = model.base_model.prompt.table if reference and rule.has_hints else None
        selector = HintSelector(self.adapter, embeddings, tokenizer, table) if rule.has_hints and self.adapter else None
        max_length = getattr(model.config, "max_position_embeddings", None) or 1 << 20
        drawn = self.config.hints == "random"
        if drawn and not rule.hints_are_tokens:
            raise QPeftError("random hints need an adapter with retrieved hints (Q-PEFT-R).")
        if self.config.hints == "shuffled" and not rule.has_hints:
            raise QPeftError("shuffled hints need an adapter with hints (Q-PEFT-R or Q-PEFT-A).")
        self.builder = SequenceBuilder(self.encoder, self.adapter, selector, max_length, random_hints=drawn)
        self.device = pair_model.device
        self.query_batch_pairs = self.config.query_batch_pairs or query_batch_pairs(model, self.device)
        self.planner = RowPlanner(pair_model, self.config, max_length)
        caches = [one.cache for one in others if one.config == self.config and one.cache is not None]
        cache, budget = shared_cache(pair_model, caches), None
        if cache is not None:
            budget = cache.budget
        else:
            tokens = self.config.batch_tokens
            budget = TokenBudget(tokens, self.device) if tokens else TokenBudget.of(model, self.device)
            cache = new_cache(pair_model, self.builder, self.config, budget, alone=read_alone)
        self.row_scorer = RowScorer(pair_model, self.builder, self.planner, budget, cache)
        self._tokenizing = threading.Lock()
        if not self.config.compile:
            fuse_layers(pair_model.causal_model)
        else:
            compile_model(pair_model.causal_model, self.device, self._trial)

    @property
    def cache(self) -> PassageCache | None:
        """Key-values of passages, or None. They are those of the weights that the model has now."""
        return self.row_scorer.cache

    def sequences(self, pairs: Sequence[tuple[str, str]], *, hints: bool = True) -> list[PairSequence]:
        """Tokenises each distinct query and passage once and joins them to sequences.

        Args:
            pairs: (query, passage) texts. Equal pairs get the same sequence.
            hints: False leaves the hints out.

        Returns:
            One sequence for each pair, in the order given.

        Raises:
            QPeftError: If a query is empty, or too long for the model.
        """
        queries = list(dict.fromkeys(query for query, _ in pairs))
        passages = list(dict.fromkeys(passage for _, passage in pairs))
        donors = other_passages(pairs) if self.config.hints == "shuffled" else {}
        # Tokenizers and the builder keep state of their own, which threads must not change at the same time.
        with self._tokenizing:
            encoded_queries = dict(zip(queries, self.encoder.queries(queries), strict=True))
            parts = dict(zip(passages, map(self.builder.passage, self.encoder.passages(passages)), strict=True))
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

    def token_spans(self, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
        """The places of the tokens that each text has as a passage that is not cut.

        Places are counted in the text without the blanks around it.

        Returns:
            Start and stop of each token, int64 `[tokens, 2]` for each text. The first token may start at -1, because it
            can hold the blank before the text.
        """
        with self._tokenizing:
            return [passage.spans for passage in self._uncut.passages(texts)]

    def passages(self, texts: Sequence[str]) -> list[TokenIds]:
        """The token ids that the passage cache reads of each text: instruction and passage, cut to `passage_tokens`."""
        with self._tokenizing:
            return [self.builder.passage(encoded).shared for encoded in self.encoder.passages(texts)]

    def hint_tokens(self, sequence: PairSequence) -> list[str]:
        """The passage tokens that are the hints of a sequence, as text without surrounding blanks, nearest first.

        Args:
            sequence: One that `sequences` returned.

        Returns:
            At most `num_hints` tokens; none if the adapter has attended hints (they are no single tokens) or no hints.
        """
        with self._tokenizing:
            return [self.encoder.tokenizer.decode([token]).strip() for token in sequence.hint_ids]

    def score(self, sequences: Sequence[PairSequence], on_scored: OnScored | None = None) -> npt.NDArray[np.float32]:
        """Mean log-likelihood of the query tokens of each sequence.

        Args:
            sequences: Sequences that `sequences` returned.
            on_scored: Is called with the number of sequences that were scored, after each batch of the model.

        Returns:
            float32 `[len(sequences)]`, in the order given. A score does not depend on the other sequences, up to
            rounding.

        Raises:
            QPeftError: If one sequence alone does not fit into memory.
        """
        # A pair that occurs twice is scored once: in two batches its scores could differ by rounding.
        distinct = {id(sequence): sequence for sequence in sequences}
        if len(distinct) < len(sequences):
            place = {key: i for i, key in enumerate(distinct)}
            once = self.score(list(distinct.values()), on_scored)
            if on_scored is not None:
                on_scored(len(sequences) - len(distinct))
            return once[[place[id(sequence)] for sequence in sequences]]
        scores = np.empty(len(sequences), dtype=np.float32)
        for rows in self.plan_rows(sequences):
            places = [place for row in rows for place in row]
            paired = [[sequences[place] for place in row] for row in rows]
            scores[places] = self.row_scorer.score(paired, on_scored)
        return scores

    def plan_rows(self, sequences: Sequence[PairSequence]) -> list[list[list[int]]]:
        """Groups of rows that must not be mixed in a batch; each row lists its pairs by their index in `sequences`."""
        groups = self.planner.rows(sequences)
        if self.cache is None:
            return groups
        # Behind cached passages every row has a mask, and the cache makes blocks of its own.
        return [[row for group in groups for row in group]]

    def token_logprobs(self, sequence: PairSequence) -> npt.NDArray[np.float32]:
        """Log-likelihood of each query token of one sequence, float32 `[tokens]`."""
        return self.row_scorer.token_logprobs(sequence)

    def _trial(self) -> None:
        self.score(self.sequences([("a question", "a passage"), ("another question", "another passage")]))
