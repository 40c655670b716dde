"""Reranks the query batches of a run on a Ray cluster: one model in each worker, one query batch at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.requests import Request, Reranked
from pyserini_qpeft.scoring.report import ScoringReport

_AHEAD = 2
"""Query batches that each worker has at most, so that none waits for the next one."""


@dataclass(frozen=True)
class RayEngine:
    """Scores query batches on the workers of a Ray cluster.

    A worker that dies is started again, on another machine if necessary, and its query batches are scored again.

    Attributes:
        model: The model and adapter, which every worker loads: a name, or a path that all machines can read.
        config: Which hits are rescored, and how scores become a ranking.
        workers: Number of workers; None is one for each GPU of the cluster, or for each processor if it has no GPU.
        address: Address of the cluster; None is the cluster of this machine, which is started if there is none.
    """

    model: ModelConfig
    config: RerankConfig
    workers: int | None = None
    address: str | None = None

    def rerank(
        self, batches: Iterable[Sequence[Request]], *, hints: bool
    ) -> Iterator[tuple[int, list[Reranked], ScoringReport]]:
        """Yields the number of each query batch with its lists and what scoring it took, in the order of completion.

        Args:
            batches: The requests of each query batch; their hits have texts. Only a few are read ahead.
            hints: Whether the hint tokens of each hit are kept.

        Raises:
            QPeftError: Ray is not installed, or the model cannot be loaded.
        """
        ray = _ray()
        if not ray.is_initialized():
            ray.init(address=self.address, log_to_driver=False, include_dashboard=False, logging_level="error")
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        count = self.workers or gpus or int(resources["CPU"])
        actor = ray.remote(num_cpus=0 if gpus else 1, num_gpus=1 if gpus else 0, max_restarts=-1, max_task_retries=-1)
        workers = [actor(_Worker).remote(self.model, self.config) for _ in range(count)]
        waiting = enumerate(batches)
        running: dict[Any, tuple[int, Any]] = {}

        def submit(worker: Any) -> None:
            for number, batch in waiting:
                running[worker.rerank.remote(list(batch), hints)] = number, worker
                return

        try:
            for _ in range(_AHEAD):
                for worker in workers:
                    submit(worker)
            while running:
                (done,), _ = ray.wait(list(running), num_returns=1)
                number, worker = running.pop(done)
                try:
                    lists, report = ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from None
                submit(worker)
                yield number, lists, report
        finally:
            for worker in workers:
                ray.kill(worker)


class _Worker:
    """The model of one worker."""

    def __init__(self, model: ModelConfig, config: RerankConfig) -> None:
        from pyserini_qpeft.reranking.reranker import QPeftReranker

        self._reranker = QPeftReranker.from_config(model, config)

    def rerank(self, batch: list[Request], hints: bool) -> tuple[list[Reranked], ScoringReport]:
        """Scores a query batch as a whole."""
        report = ScoringReport()
        return list(self._reranker.rerank_query_batches([batch], hints=hints, report=report)), report


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise QPeftError("the engine ray needs Ray: pip install 'pyserini-qpeft[ray]'.") from error
    return ray
