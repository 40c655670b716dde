"""What a request is refused with."""

from pyserini_qpeft.errors import QPeftError


class ServiceError(QPeftError):
    """A request that is not answered.

    Args:
        message: What is wrong, and what to do.
        status: HTTP status.
        code: A short name of the reason, for programs.
        retry_after: Seconds after which another try makes sense; None if it makes none.
    """

    def __init__(self, message: str, *, status: int = 422, code: str = "invalid", retry_after: int | None = None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class WorkerDiedError(ServiceError):
    """The process that does the work ended in the middle of it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the {name} process ended in the middle of this request and is being started again: try again.",
            status=503,
            code="worker_died",
            retry_after=10,
        )


class WorkerFailedError(ServiceError):
    """The work raised an error that is not the client's fault."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"the {name} process failed with {kind}.", status=500, code="failed")


def too_large(message: str, code: str) -> ServiceError:
    """The error of a request that is over one of its limits."""
    return ServiceError(message, status=413, code=code)


def unknown_name(kind: str, name: str | None, known: list[str]) -> ServiceError:
    """The error of a model or index that is not served."""
    if not known:
        return ServiceError(f"no {kind} is served here.", status=404, code=f"unknown_{kind}")
    return ServiceError(
        f"there is no {kind} {name!r:.200} here: use one of {', '.join(known)}.", status=404, code=f"unknown_{kind}"
    )
