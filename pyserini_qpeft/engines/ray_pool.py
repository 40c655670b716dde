"""The workers of a Ray cluster. A worker that dies is replaced, and its query batches are scored again."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.requests import Request, Reranked
from pyserini_qpeft.scoring.report import ScoringReport

_AHEAD = 2
"""Query batches that each worker has at most, so that none waits for the next one."""
_MOST_DEATHS = 3
"""A query batch is scored again after this many workers have died of it, and not after one more."""


@dataclass(eq=False)
class Task:
    """A query batch: its number, its requests, whether hints are kept, and how many workers died while scoring it."""

    number: int
    batch: list[Request]
    hints: bool
    deaths: int = 0


class WorkerPool:
    """Workers, and the query batches that they have. A worker scores its query batches in the order of submission.

    Ray could restart workers and repeat calls itself, but it would repeat a call that ends its worker without end, or
    give up a call that only waited for another one.

    Args:
        ray: The library, connected to a cluster.
        worker: The class of workers.
        count: Number of workers.
        settings: Arguments of the class.
    """

    def __init__(self, ray: Any, worker: Any, count: int, settings: tuple[Any, ...]) -> None:
        self._ray, self._class, self._settings = ray, worker, settings
        self._calls: dict[Any, tuple[Any, Task | None]] = {}  # None: the worker loads its models
        self._tasks: dict[Any, deque[Task]] = {}  # of workers that have loaded their models
        self._again: deque[Task] = deque()  # query batches whose worker died
        self._failed_starts = 0  # in a row
        self._most_failed_starts = max(count, _MOST_DEATHS)
        for _ in range(count):
            self._start_worker()

    @property
    def has_room(self) -> bool:
        """Whether a worker can take a new query batch."""
        return not self._again and any(_has_room(tasks) for tasks in self._tasks.values())

    @property
    def has_tasks(self) -> bool:
        """Whether a query batch is not finished."""
        return bool(self._again) or any(self._tasks.values())

    def submit(self, task: Task) -> None:
        """Gives a query batch to the worker that has the fewest."""
        worker = min((one for one, tasks in self._tasks.items() if _has_room(tasks)), key=lambda w: len(self._tasks[w]))
        self._tasks[worker].append(task)
        self._calls[worker.rerank.remote(task.batch, task.hints)] = worker, task

    def submit_again(self) -> None:
        """Gives the query batches of dead workers to idle workers, so that it shows which of them ends a worker."""
        while self._again and not all(self._tasks.values()):
            self.submit(self._again.popleft())

    def next(self) -> tuple[int, list[Reranked], ScoringReport] | None:
        """Waits until a worker has finished something; the result if it is a query batch.

        Raises:
            QPeftError: The same query batch has ended several workers, workers cannot start, or Ray has failed.
        """
        errors = self._ray.exceptions
        (done,), _ = self._ray.wait(list(self._calls), num_returns=1)
        worker, task = self._calls.pop(done)
        try:
            result = self._ray.get(done)
        except errors.RayTaskError as error:
            raise error.cause from None
        except (errors.RayActorError, errors.ObjectLostError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            self._replace(worker, error)
            return None
        except errors.RayError as error:
            raise QPeftError(f"Ray has failed: {first_line(error)}") from error
        if task is None:
            self._tasks[worker] = deque()
            self._failed_starts = 0
            return None
        self._tasks[worker].remove(task)
        return task.number, *result

    def stop(self) -> None:
        """Ends the workers."""
        for worker in {worker for worker, _ in self._calls.values()} | self._tasks.keys():
            self._ray.kill(worker)

    def _start_worker(self) -> None:
        worker = self._class.remote(*self._settings)
        self._calls[worker.ready.remote()] = worker, None

    def _replace(self, worker: Any, error: Exception) -> None:
        if getattr(error, "actor_init_failed", False):
            raise QPeftError(f"a worker could not load the model: {str(error).strip().splitlines()[-1]}") from error
        self._calls = {call: (one, task) for call, (one, task) in self._calls.items() if one is not worker}
        tasks = self._tasks.pop(worker, deque())
        self._ray.kill(worker)  # it may be alive, and only out of reach
        for task in () if getattr(error, "preempted", False) else tasks:
            task.deaths += 1
            if task.deaths > _MOST_DEATHS:
                query = task.batch[0][0]
                raise QPeftError(
                    f"{task.deaths} workers died while they scored the query batch that begins with the query "
                    f"{query!r:.80}: do they need more memory? Try a smaller --query-batch-pairs. ({first_line(error)})"
                ) from error
        self._failed_starts += not tasks
        if self._failed_starts > self._most_failed_starts:
            raise QPeftError(f"workers die before they have loaded the model: {first_line(error)}") from error
        self._again.extend(tasks)
        self._start_worker()


def _has_room(tasks: deque[Task]) -> bool:
    return len(tasks) < _AHEAD and not any(task.deaths for task in tasks)


def first_line(error: Exception) -> str:
    """The first line of an error's message that is not blank."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
