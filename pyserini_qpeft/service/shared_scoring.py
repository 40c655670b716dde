"""Rerankers of one request, whose pairs are scored in the turns that all requests share."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Deadline, Pace
from pyserini_qpeft.reranking.fingerprint import config_settings
from pyserini_qpeft.reranking.likelihood_reranker import LikelihoodReranker
from pyserini_qpeft.reranking.scored import Scored
from pyserini_qpeft.service.calls import Calls
from pyserini_qpeft.service.queue import Job
from pyserini_qpeft.service.scheduler import Scheduler

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation
    from pyserini_qpeft.scoring.row_scorer import OnScored
    from pyserini_qpeft.scoring.sequences import PairSequence


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms the pairs of a request are scored.

    Attributes:
        client: Whose request it is.
        text_tokens: The most tokens of each text that are read; None is the model's own limit.
        deadline: When the best order that is known then is wanted; None waits for all scores.
        with_priors: Whether probabilities are wanted.
    """

    client: str
    text_tokens: int | None = None
    deadline: Deadline | None = None
    with_priors: bool = True


class SharedRequest:
    """A request that is reranked in a thread. Its pairs are scored by the event loop, in turns with other requests.

    Args:
        scheduler: Scores the pairs.
        explanations: Explains pairs.
        terms: On what terms.
    """

    def __init__(self, scheduler: Scheduler, explanations: Calls, terms: Terms) -> None:
        self._scheduler = scheduler
        self._explanations = explanations
        self._terms = terms
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: concurrent.futures.Future[Any] | None = None
        self._accepted = False
        self._cancelled = False

    def score(self, model: str, pairs: Sequence[tuple[str, str]]) -> Job:
        """Score pairs, and wait for them. Called from the thread.

        Raises:
            CancelledError: Nobody waits for the answer any more.
            QPeftError: As for `Scheduler.score`.
        """
        terms, accepted = self._terms, self._accepted
        job = self._wait_for(
            self._scheduler.score(
                model,
                pairs,
                terms.client,
                text_tokens=terms.text_tokens,
                deadline=terms.deadline,
                with_priors=terms.with_priors,
                accepted=accepted,
            )
        )
        self._accepted = True
        return job

    def explain(self, model: str, query: str, text: str) -> "Explanation":
        """Explain a pair, and wait for it. Called from the thread."""
        explanation: Explanation = self._wait_for(self._explanations.call("explain", model, query, text))
        return explanation

    def cancel(self) -> None:
        """End the thread's work, because nobody waits for the answer. Called from the event loop."""
        with self._lock:
            self._cancelled = True
            if self._waiting is not None:
                self._waiting.cancel()

    def _wait_for[Result](self, work: Coroutine[Any, Any, Result]) -> Result:
        with self._lock:
            if self._cancelled:
                work.close()
                raise concurrent.futures.CancelledError
            self._waiting = waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        return waiting.result()


class SharedScoring:
    """Scores the pairs of one request with a model of the service; a `PairScoring`.

    Args:
        model: Name of the model.
        request: The request.
    """

    def __init__(self, model: str, request: SharedRequest) -> None:
        self.model = model
        self.request = request
        self._priors: dict[str, float] = {}

    def score(self, pairs: Sequence[tuple[str, Candidate]], on_scored: "OnScored | None" = None) -> Scored:
        """The scores of the pairs; of the first of them if the time is up."""
        job = self.request.score(self.model, [(query, one.text) for query, one in pairs])
        self._priors |= job.priors
        return scored_of(job)

    def priors(self, queries: Sequence[str]) -> tuple[dict[str, float], int]:
        """The priors, which come with the scores: the dict is filled by `score`."""
        return self._priors, 0

    def hint_tokens(self, sequence: "PairSequence") -> list[str]:
        """Hints are not sent between processes."""
        raise NotImplementedError


class KnownScoring:
    """Scores that are known already; a `PairScoring`.

    Args:
        job: The pairs of the request, scored.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def score(self, pairs: Sequence[tuple[str, Candidate]], on_scored: "OnScored | None" = None) -> Scored:
        """The scores of all pairs of the request."""
        return scored_of(self._job)

    def priors(self, queries: Sequence[str]) -> tuple[dict[str, float], int]:
        """The likelihood of each query without a passage."""
        return self._job.priors, 0

    def hint_tokens(self, sequence: "PairSequence") -> list[str]:
        """Hints are not sent between processes."""
        raise NotImplementedError


class ServiceReranker(LikelihoodReranker):
    """A reranker whose model is in another process of the service.

    Args:
        config: How it reranks; everything that comes with the model is set.
        scoring: Scores the pairs.
        pace: How long scoring takes, waiting included.
    """

    def __init__(self, config: RerankConfig, scoring: SharedScoring | KnownScoring, pace: Pace) -> None:
        self.config = config
        self.pace = pace
        self._scoring = scoring

    @property
    def query_batch_pairs(self) -> int:
        """One query: the service puts the pairs of several requests together."""
        return 1

    def pair_scoring(self) -> SharedScoring | KnownScoring:
        """What scores the pairs."""
        return self._scoring

    def settings(self) -> dict[str, Any]:
        """Everything that rankings depend on, but for the model."""
        return config_settings(self.config)

    def explain(self, query: str, text: str) -> "Explanation":
        """The parts of one likelihood."""
        assert isinstance(self._scoring, SharedScoring)
        return self._scoring.request.explain(self._scoring.model, query, text)


def scored_of(job: Job) -> Scored:
    """What is known about the first pairs of a request, up to the first that is not scored."""
    finite = np.isfinite(job.likelihoods)
    count = len(finite) if finite.all() else int(np.argmin(finite))
    likelihoods = np.array(job.likelihoods[:count], dtype=np.float32)
    return Scored(likelihoods, [], job.windows[:count], job.tokens[:count], job.tokens_cut[:count])
