"""The settings of the service: what it serves, how it batches, what it refuses, and who may ask."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig


@dataclass(frozen=True)
class LimitsConfig:
    """The limits of one request and of the queue. docs/service/api.md says what each limit answers.

    Attributes:
        documents: Documents in one request.
        characters: Characters of query and documents together, in one request.
        body_bytes: Bytes of a request's body.
        body_seconds: Seconds until the head of a request is complete, and again until its body is.
        request_seconds: Seconds from the queue to the answer.
        queue_documents: Documents that wait to be scored, of all clients. A client that has less than an equal share of
            them is accepted beyond.
        open_bytes: Bytes of all bodies that are received or not answered yet.
        connections: Open connections.

    Raises:
        QPeftError: A limit is not above 0.
    """

    documents: int = field(default=1000, metadata={"help": "documents in one request"})
    characters: int = field(default=5_000_000, metadata={"help": "characters of query and documents in one request"})
    body_bytes: int = field(default=10_000_000, metadata={"help": "bytes of a request's body"})
    body_seconds: float = field(default=30.0, metadata={"help": "seconds in which a client must send its request"})
    request_seconds: float = field(default=60.0, metadata={"help": "seconds from the queue to the answer"})
    queue_documents: int = field(default=4000, metadata={"help": "documents that wait to be scored, of all clients"})
    open_bytes: int = field(default=200_000_000, metadata={"help": "bytes of all bodies that are not answered yet"})
    connections: int = field(default=512, metadata={"help": "open connections"})

    def __post_init__(self) -> None:
        for limit in fields(self):
            if not getattr(self, limit.name) > 0:
                raise QPeftError(f"the limit {limit.name} must be above 0, not {getattr(self, limit.name)}.")


@dataclass(frozen=True)
class ServiceConfig:
    """What the service serves, and how it puts requests together.

    Attributes:
        model: The base model and its adapter. It is served under the model's name. With a cascade, it says how all
            models are loaded, and names no model and no adapter.
        rerank: How the models rerank. With a cascade, what all stages share.
        cascade: The stages of a cascade, see `read_cascade`. It is served under this name, and its models under theirs.
        adaptive: Whether reading stops before the depth (adaptive depth), of all models; not with a cascade.
        rule: When it stops, of the first model. None is the rule that comes with it. The other models use those that
            come with them.
        adapters: Further models over the same base model: `NAME=ADAPTER`, where ADAPTER is a hub id, a folder, the name
            of one of the base model's adapters, or `none` for the bare model. ADAPTER alone is served under its own
            name.
        index: Lucene indexes: folders or prebuilt names, or `NAME=FOLDER`. A folder alone is served under the last part
            of its path.
        examples: Queries that the page offers for a first try.
        batch_wait_ms: How long an idle model waits for more requests after the first, in milliseconds. It does not
            wait if the last request had no other beside it.
        turn_seconds: Documents of several requests are scored in turns of about this many seconds, and at least one
            batch; the last turn is up to half longer. A new request waits for one turn at most before some of its
            documents are scored.
        limits: What is refused.

    Raises:
        QPeftError: A value is out of range or of the wrong type, or a rule is given without adaptive depth.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    rerank: RerankConfig = field(default_factory=RerankConfig)
    cascade: str | None = None
    adaptive: bool = False
    rule: StoppingRule | None = None
    adapters: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "more adapters of the same base model, each served as a model: NAME=ADAPTER, or ADAPTER alone "
            "('none' is the bare model)"
        },
    )
    index: tuple[str, ...] = field(
        default=(), metadata={"help": "Lucene indexes for search: folders or prebuilt names, or NAME=FOLDER"}
    )
    examples: tuple[str, ...] = field(default=(), metadata={"help": "queries that the page offers for a first try"})
    batch_wait_ms: float = field(
        default=1.0, metadata={"help": "milliseconds that an idle model waits for more requests after the first"}
    )
    turn_seconds: float = field(
        default=0.25,
        metadata={"help": "seconds of work that the requests share at a time: more is faster, less is fairer"},
    )
    limits: LimitsConfig = field(default_factory=LimitsConfig)

    def __post_init__(self) -> None:
        for name in ("adapters", "index", "examples"):
            if isinstance(getattr(self, name), str):
                raise QPeftError(f"{name} must be a list of strings, not the string {getattr(self, name)!r:.60}.")
        if self.rule is not None and not isinstance(self.rule, StoppingRule):
            raise QPeftError(f"rule must be a StoppingRule, not {self.rule!r:.60}: read_rule reads one from a file.")
        if self.rule is not None and not self.adaptive:
            raise QPeftError("a stopping rule has no effect without adaptive depth: set adaptive too.")
        if not self.batch_wait_ms >= 0:
            raise QPeftError(f"batch_wait_ms must not be negative, and is {self.batch_wait_ms}.")
        if not self.turn_seconds > 0:
            raise QPeftError(f"turn_seconds must be above 0, and is {self.turn_seconds}.")


TOKEN_VARIABLE = "QPEFT_TOKEN"
"""The environment variable that holds the token if no file is named."""


@dataclass(frozen=True)
class ServerConfig:
    """Where the server listens, and who may ask.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 chooses a free one.
        token_file: File with the bearer tokens that are accepted, one on each line. Without it the token is the value
            of the environment variable `QPEFT_TOKEN`.
        insecure: Whether an address that other machines reach may be served without a token.
        trusted_proxies: Addresses of proxies whose `X-Forwarded-For` names the client.
        log_level: The least severe messages that are logged.

    Raises:
        QPeftError: There is no such port.
    """

    host: str = field(default="127.0.0.1", metadata={"help": "address to listen on"})
    port: int = field(default=8000, metadata={"help": "port to listen on; 0 chooses a free one"})
    token_file: Path | None = field(
        default=None,
        metadata={
            "help": "file with the bearer tokens that are accepted, one on each line (default: the variable "
            f"{TOKEN_VARIABLE}; without both, no token is needed)"
        },
    )
    insecure: bool = field(
        default=False, metadata={"help": "serve an address that other machines reach without a token"}
    )
    trusted_proxies: tuple[str, ...] = field(
        default=(), metadata={"help": "addresses of proxies whose X-Forwarded-For names the client"}
    )
    log_level: str = field(
        default="info", metadata={"help": "messages to log", "choices": ("debug", "info", "warning", "error")}
    )

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise QPeftError(f"port must be between 0 and 65535, and is {self.port}.")
