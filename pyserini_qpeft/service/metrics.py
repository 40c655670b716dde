"""What the service counts, for Prometheus."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.scored import Scored

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_DOCUMENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """The counters of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"qpeft_{name}", text, labels, registry=self.registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"qpeft_{name}", text, labels, buckets=buckets, registry=self.registry)

        self._requests = counter("requests", "Answered HTTP requests.", "path", "status")
        self._request_seconds = histogram(
            "request_seconds", "Seconds from the head of a request to its answer.", _SECONDS, "path"
        )
        self._refused = counter("refused", "Requests that a limit refused.", "reason")
        self._cancelled = counter("cancelled", "Requests whose client hung up before the answer.")
        self._documents = counter("documents", "Documents scored.", "model")
        self._cut = counter("documents_cut", "Scored documents of which the model did not read the end.", "model")
        self._tokens = counter("tokens", "Tokens that the model read.", "model")
        self._turn_seconds = histogram("turn_seconds", "Seconds that the model worked on a turn.", _SECONDS)
        self._turn_documents = histogram("turn_documents", "Documents in a turn.", _DOCUMENTS)
        self._turn_requests = histogram("turn_requests", "Requests that share a turn.", _DOCUMENTS)
        self._waiting = Gauge("qpeft_queue_documents", "Documents that wait to be scored.", registry=self.registry)
        self._ready = Gauge("qpeft_ready", "Whether the process is ready.", ["worker"], registry=self.registry)
        self._restarts = Gauge(
            "qpeft_worker_restarts", "How often the process was started again.", ["worker"], registry=self.registry
        )

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            path: The path of its route.
            status: HTTP status.
            seconds: From its head to its answer.
        """
        self._requests.labels(path, str(status)).inc()
        self._request_seconds.labels(path).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a request that a limit refused."""
        self._refused.labels(reason).inc()

    def cancelled(self) -> None:
        """Count a request whose client hung up."""
        self._cancelled.inc()

    def waiting(self, documents: int) -> None:
        """Set how many documents wait."""
        self._waiting.set(documents)

    def scored(self, model: str, scored: "Scored", seconds: float, *, requests: int, waiting: int) -> None:
        """Count a turn.

        Args:
            model: Name of the model.
            scored: What came out.
            seconds: How long it took.
            requests: How many requests shared it.
            waiting: How many documents wait now.
        """
        self._documents.labels(model).inc(len(scored.likelihoods))
        self._cut.labels(model).inc(sum(tokens > 0 for tokens in scored.tokens_cut))
        self._tokens.labels(model).inc(sum(scored.tokens))
        self._turn_seconds.observe(seconds)
        self._turn_documents.observe(len(scored.likelihoods))
        self._turn_requests.observe(requests)
        self._waiting.set(waiting)

    def text(self, workers: dict[str, tuple[bool, int]]) -> bytes:
        """The counters in Prometheus's text format.

        Args:
            workers: Whether each process is ready, and how often it was started again.
        """
        for name, (ready, restarts) in workers.items():
            self._ready.labels(name).set(ready)
            self._restarts.labels(name).set(restarts)
        return bytes(generate_latest(self.registry))
