"""Reranks the query batches of a run on a Ray cluster: one reranker in each worker, one query batch at a
time."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyserini_qpeft.engines.ray_pool import Task, WorkerPool, first_line
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.protocol import Reranker
from pyserini_qpeft.reranking.requests import Request, Reranked
from pyserini_qpeft.scoring.report import ScoringReport

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RayEngine:
    """Scores query batches on the workers of a Ray cluster.

        engine = RayEngine(lambda: CascadeReranker.from_pretrained("tiny@100,smollm2-135m@20"), workers=8)

    A worker that dies is replaced, on another machine if necessary, and its query batches are scored again. The run
    ends with an error if four workers died while they scored the same query batch.

    Attributes:
        load: Loads the reranker. Every worker calls it, so names and paths of models must mean the same on all
            machines.
        workers: Number of workers; None is one for each GPU of the cluster, or for each processor if it has no GPU.
        address: Address of the cluster; None is the cluster of this machine, which is started if there is none.

    Raises:
        QPeftError: The number of workers is not positive.
    """

    load: Callable[[], Reranker]
    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise QPeftError(f"the number of workers must be positive, not {self.workers}.")

    def rerank(
        self, batches: Iterable[Sequence[Request]], *, hints: bool
    ) -> Iterator[tuple[int, list[Reranked], ScoringReport]]:
        """Yields the number of each query batch with its lists and what scoring it took, in the order of completion.

        Args:
            batches: The requests of each query batch; their hits have texts. Only a few are read ahead.
            hints: Whether the hint tokens of each hit are kept.

        Raises:
            QPeftError: Ray is not installed or has failed, a worker cannot load the model, or a query batch ends every
                worker that scores it.
        """
        ray = _ray()
        waiting = (Task(number, list(batch), hints) for number, batch in enumerate(batches))
        following = next(waiting, None)
        if following is None:
            return
        pool = WorkerPool(ray, *self._start(ray), (self.load,))
        try:
            while following is not None or pool.has_tasks:
                pool.submit_again()
                while following is not None and pool.has_room:
                    pool.submit(following)
                    following = next(waiting, None)
                if (done := pool.next()) is not None:
                    yield done
        finally:
            pool.stop()

    def _start(self, ray: Any) -> tuple[Any, int]:
        """Connects to the cluster.

        Returns:
            The class of the workers, to be started, and the number of workers.

        Raises:
            QPeftError: The cluster cannot be reached.
        """
        try:
            if not ray.is_initialized():
                ray.init(address=self.address, log_to_driver=False, include_dashboard=False, logging_level="error")
            resources = ray.cluster_resources()
        except (ConnectionError, OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            where = "on this machine" if self.address is None else f"at {self.address}"
            raise QPeftError(f"cannot start or reach Ray {where}: {first_line(error)}") from error
        gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
        room = gpus or cpus
        if self.workers is not None and self.workers > room:
            _LOG.warning("the cluster has room for %d workers; the other %d wait", room, self.workers - room)
        actor = ray.remote(num_cpus=0 if gpus else 1, num_gpus=1 if gpus else 0, max_restarts=0)
        return actor(_Worker), self.workers or max(1, room)


class _Worker:
    """The reranker of one worker."""

    def __init__(self, load: Callable[[], Reranker]) -> None:
        self._reranker = load()

    def ready(self) -> None:
        """Returns when the model is loaded."""

    def rerank(self, batch: list[Request], hints: bool) -> tuple[list[Reranked], ScoringReport]:
        """Scores a query batch as a whole."""
        options = CallOptions(hints=hints)
        return list(self._reranker.rerank_query_batches([batch], options)), options.report


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise QPeftError("the engine ray needs Ray: pip install 'pyserini-qpeft[ray]'.") from error
    return ray
