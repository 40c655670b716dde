"""The cascade: each stage reranks the first hits of the stage before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from pyserini_qpeft.candidates.hit_lists import TextHit, listed
from pyserini_qpeft.candidates.hits import to_candidates
from pyserini_qpeft.candidates.texts import TextSource
from pyserini_qpeft.cascade.config import CascadeConfig, check_stages, needed_texts, read_cascade
from pyserini_qpeft.cascade.flow import InStages, through
from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.reranking.abstract import AbstractReranker
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.protocol import Reranker
from pyserini_qpeft.reranking.requests import Request, Reranked
from pyserini_qpeft.scoring.report import COUNTS, ScoringReport

if TYPE_CHECKING:
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.reranking.explanation import Explanation


class CascadeReranker(AbstractReranker):
    """A chain of rerankers. Each stage rescores the first hits of the stage before.

        cascade = CascadeReranker.from_pretrained("tiny@100,smollm2-135m-q4@20")
        hits = cascade.rerank(query, searcher.search(query, 100))

    A stage ranks as if the stage before were its first stage. It rescores as many of its first hits as the depth of its
    configuration says, and fuses its likelihoods with the scores of the stage before, unless it has no fusion. The hits
    below the depth of a stage keep the order of the stage before, with scores below those of the rescored hits.

    In the final list, `score` is the score of the last stage; `likelihood` is that of the last stage, None for the hits
    that it did not rescore; `first_stage_score` and `first_stage_rank` are those of the first-stage searcher. `stages`
    has rank, score and likelihood of the hit after each stage.

    Args:
        stages: The stages, first to last. Only the first may drop the hits below its depth.
        milliseconds: Time limit for each query over all stages, see `RerankConfig.milliseconds`.
        progress: Whether `rerank_batch` shows a progress bar.

    Attributes:
        stages: As given.
        config: Depth, margin and tail of the first stage, fusion and scoring of the last, time limit and progress as
            given.
        last_report: Counts and time of the call that began last, of all stages together; its `stages` has them stage
            by stage.

    Raises:
        QPeftError: There is no stage, a stage is deeper than the stage before, or a stage other than the first drops
            hits.
    """

    def __init__(
        self, stages: Sequence[Reranker], *, milliseconds: float | None = None, progress: bool = False
    ) -> None:
        self.stages = tuple(stages)
        check_stages([stage.config for stage in self.stages])
        self.config = replace(
            self.stages[-1].config,
            depth=self.stages[0].config.depth,
            margin=self.stages[0].config.margin,
            below_depth=self.stages[0].config.below_depth,
            milliseconds=milliseconds,
            progress=progress,
        )
        self.last_report = ScoringReport()

    @classmethod
    def from_pretrained(
        cls, stages: str, *, model: "ModelConfig | None" = None, config: RerankConfig | None = None
    ) -> Self:
        """Load the models of a cascade.

        Args:
            stages: The stages, such as `tiny@100,smollm2-135m-q4@20`, or the name of a JSON file; see `read_cascade`.
            model: How all models are loaded (device, dtype and so on). It names no model and no adapter.
            config: The configuration of all stages, but for the fusion of stages that name one; its time limit is that
                of the cascade. It has no depth, margin or calibration.

        Raises:
            QPeftError: The stages cannot be read, or a model cannot be loaded.
        """
        return cls.from_config(read_cascade(stages, model, config))

    @classmethod
    def from_config(cls, config: CascadeConfig) -> Self:
        """Load the models of a cascade."""
        from pyserini_qpeft.reranking.reranker import QPeftReranker

        stages = [QPeftReranker.from_config(stage.model, stage.config) for stage in config.stages]
        return cls(stages, milliseconds=config.milliseconds, progress=config.progress)

    @property
    def stage_reports(self) -> tuple[ScoringReport, ...]:
        """Counts and time of each stage, see `last_report`."""
        return tuple(self.last_report.stages)

    @property
    def query_batch_pairs(self) -> int:
        """A query batch ends with the query that brings it to this many passages of all stages.

        No stage then has many more pairs than in its own query batches.
        """
        if self.config.milliseconds is not None:
            return 1
        depths = [stage.config.depth for stage in self.stages]
        sizes = [stage.query_batch_pairs for stage in self.stages]
        known = [depth for depth in depths if depth]
        if len(known) < len(depths):
            return min(sizes)
        queries = min(size / depth for size, depth in zip(sizes, known, strict=True))
        return max(1, int(queries * sum(known)))

    def passages(self, hits: int) -> int:
        """How many passages all stages together score at most for a query with this many hits."""
        return sum(stage.passages(hits) for stage in self.stages)

    def needed_texts(self, hits: Sequence[Any]) -> int:
        """How many of a query's first hits need a text, because a stage may rescore them."""
        first = self.stages[0].needed_texts(hits)
        return needed_texts(len(hits), first, [stage.config for stage in self.stages])

    def settings(self) -> dict[str, Any]:
        """What the result of a run depends on: the settings of each stage, and the time limit."""
        found: dict[str, Any] = {"stages": len(self.stages), "milliseconds": self.config.milliseconds}
        for place, stage in enumerate(self.stages, start=1):
            found |= {f"stage{place}.{name}": value for name, value in stage.settings().items()}
        return found

    def rerank_query_batches(
        self, batches: Iterable[Iterable[Request]], options: CallOptions | None = None
    ) -> Iterator[Reranked]:
        """Send each query batch through all stages; see `AbstractReranker.rerank_query_batches`.

        The hints that are kept are those of the last stage.
        """
        options = options or CallOptions()
        self.last_report = total = options.report
        total.stages += [ScoringReport() for _ in self.stages[len(total.stages) :]]
        other = {name: getattr(total, name) - _sum(total.stages, name) for name in COUNTS}
        limit = self.config.milliseconds if options.deadline is None else None
        given = _given(batches)
        # With a time limit, each query goes through all stages before the next one begins.
        flows = [given] if limit is None else ([[one]] for batch in given for one in batch)
        for flow in flows:
            end = options.deadline if limit is None else Deadline.after(limit)
            flow = ([self._with_texts(one, options.texts) for one in batch] for batch in flow)
            last = replace(options, texts=None, deadline=end)
            asked = [*[replace(last, k=None, hints=False)] * (len(self.stages) - 1), last]
            for stage, own, report in zip(self.stages, asked, total.stages, strict=False):
                flow = through(stage, flow, replace(own, report=report))
            for batch in flow:
                for name in COUNTS:
                    setattr(total, name, other[name] + _sum(total.stages, name))
                yield from (one.reranked() for one in batch)

    def explain(self, query: str, text: str) -> "Explanation":
        """The parts of the likelihood of the last stage, with those of every stage in `stages`.

        Each stage reads the pair, also if the hit would be below its depth.
        """
        explained = [stage.explain(query, text) for stage in self.stages]
        stages = [one for stage in explained for one in stage.stages or (stage,)]
        return replace(explained[-1], stages=tuple(stages))

    def _with_texts(self, asked: InStages, texts: TextSource | None) -> InStages:
        """The query with the hits that may be rescored as candidates, so that each stage gets them whole.

        A text alone stays one, because it has no first-stage score that could be missing.
        """
        head = to_candidates(asked.given[: self.needed_texts(asked.given)], texts)
        kept = [hit if isinstance(hit, TextHit) else one for hit, one in zip(asked.given, head, strict=False)]
        return replace(asked, given=[*kept, *asked.given[len(head) :]])

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(map(repr, self.stages))}])"


def _given(batches: Iterable[Iterable[Request]]) -> Iterator[list[InStages]]:
    places = count(1)
    for batch in batches:
        yield [InStages(as_text(query, f"the query of request {next(places)}"), listed(hits)) for query, hits in batch]


def _sum(reports: Sequence[ScoringReport], name: str) -> Any:
    return sum(getattr(report, name) for report in reports)
