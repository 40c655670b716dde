"""A reranker that stops reading a query's hits when its first hits can hardly change any more."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.adaptive.rule_file import rule_of
from pyserini_qpeft.adaptive.unread import refuse_rank_fusion
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.abstract import AbstractReranker
from pyserini_qpeft.reranking.call import RerankCall
from pyserini_qpeft.reranking.deadline import Deadline, score_in_time
from pyserini_qpeft.reranking.explanation import Explanation
from pyserini_qpeft.reranking.fingerprint import config_settings
from pyserini_qpeft.reranking.likelihood_reranker import LikelihoodReranker
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.requests import Asked, Request, Reranked, refuse_non_finite
from pyserini_qpeft.reranking.scored import Scored
from pyserini_qpeft.scoring.report import ScoringReport


class AdaptiveReranker(AbstractReranker):
    """Reads the hits of a query in blocks, and stops when the rule says so.

    The list of a query is the one that the reranker itself gives at the depth where reading stopped: a hit that was
    not read is treated as a hit below the depth.

    Args:
        reranker: Scores the hits. Its configuration says how many are read at most (`depth`), and how scores become a
            ranking.
        rule: When reading stops; None is the rule that comes with the model.

    Raises:
        QPeftError: The rule is something else, the model has no rule and none is given, or the fusion is `rrf`.
    """

    def __init__(self, reranker: LikelihoodReranker, rule: StoppingRule | None = None) -> None:
        self.reranker = reranker
        self.config = reranker.config
        self.last_report = ScoringReport()
        refuse_rank_fusion(self.config.fusion)
        if rule is not None and not isinstance(rule, StoppingRule):
            raise QPeftError(
                f"the rule must be a StoppingRule, not {rule!r:.60}: read one from its file with read_rule of "
                "pyserini_qpeft.adaptive.rule_file."
            )
        self.rule = rule_of(reranker.model) if rule is None else rule

    @property
    def query_batch_pairs(self) -> int:
        """A query batch ends with the query that brings it to this many passages."""
        return self.reranker.query_batch_pairs

    def settings(self) -> dict[str, Any]:
        """Everything that scores and rankings depend on, by name."""
        rule = {f"adaptive.{name}": value for name, value in config_settings(self.rule).items()}
        return {**self.reranker.settings(), **rule}

    def explain(self, query: str, text: str) -> Explanation:
        """The parts of one likelihood."""
        return self.reranker.explain(query, text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reranker!r}, {self.rule!r})"

    def rerank_query_batches(
        self, batches: Iterable[Iterable[Request]], options: CallOptions | None = None
    ) -> Iterator[Reranked]:
        """See `AbstractReranker.rerank_query_batches`. Hits that need not be read count as scored."""
        options = options or CallOptions()
        self.last_report = options.report
        call = self.reranker.call(options)
        limit = self.config.milliseconds if options.deadline is None else None
        for batch in batches:
            asked = [call.ask(request) for request in batch]
            # With a time limit, the time of a query begins when the query before it is done.
            for part in [asked] if limit is None else [[one] for one in asked]:
                end = options.deadline if limit is None else Deadline.after(limit)
                priors = call.priors(part, end)
                for read in self._read(part, call, end):
                    if options.on_scored is not None and read.unread:
                        options.on_scored(read.unread)
                    yield call.ranked(read.asked.until(read.count), Scored.joined(read.parts), priors)

    def _read(self, batch: Sequence[Asked], call: RerankCall, deadline: Deadline | None) -> "list[_Reading]":
        """Read block after block, each for all queries that are not done, so that batches of the model stay full."""
        reading = [_Reading(asked) for asked in batch]
        left = [one for one in reading if one.asked.head]
        while left:
            blocks = [one.next_block(self.rule) for one in left]
            if deadline is None:
                scored = call.score([(block.query, candidate) for block in blocks for candidate in block.head])
                stops = list(accumulate(len(block.head) for block in blocks))
                parts = [scored.part(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]
            else:
                pace = self.reranker.pace
                parts = [score_in_time(block, call.score, deadline, pace)[1] for block in blocks]
            for one, block, part in zip(left, blocks, parts, strict=True):
                one.add(part)
                in_time = len(part.likelihoods) == len(block.head)
                refuse_non_finite(block.until(len(part.likelihoods)), part.likelihoods)
                one.done = not in_time or self.rule.stops(one.likelihoods, one.first_stage, self.config.fusion)
            left = [one for one in left if not one.done]
        return reading


@dataclass(slots=True)
class _Reading:
    """A query while its hits are read block by block.

    Attributes:
        asked: The query and its hits.
        parts: What was found about the hits that were read, block by block.
        likelihoods: Their likelihoods, in the first stage's order.
        done: Whether reading has stopped.
    """

    asked: Asked
    parts: list[Scored] = field(default_factory=list)
    likelihoods: list[float] = field(default_factory=list)
    done: bool = False

    @property
    def first_stage(self) -> list[float]:
        return [one.score for one in self.asked.head]

    @property
    def count(self) -> int:
        return len(self.likelihoods)

    @property
    def unread(self) -> int:
        return len(self.asked.head) - self.count

    def next_block(self, rule: StoppingRule) -> Asked:
        """The hits that are read before the next decision, as a query of their own."""
        head = self.asked.head
        return replace(self.asked, head=head[self.count : rule.next_stop(self.count, len(head))], tail=[])

    def add(self, part: Scored) -> None:
        self.parts.append(part)
        self.likelihoods += part.likelihoods.tolist()
