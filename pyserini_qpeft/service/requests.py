"""The bodies of requests, as Cohere, Jina, vLLM, Text Embeddings Inference (TEI) and others have them.

Fields that a client sends and that mean nothing here are ignored.
"""

from contextvars import ContextVar
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pyserini_qpeft.data.fields import without_surrogates

TOO_MANY = "too_many"
"""The type of the error of a list that has more texts than one request may have."""

MOST_TEXTS: ContextVar[int | None] = ContextVar("MOST_TEXTS", default=None)
"""How many texts one request may have; the gate sets it for each request. None is any number."""


class Document(BaseModel):
    """A document with fields, of which `rank_fields` are scored."""

    model_config = ConfigDict(extra="allow")

    def joined(self, fields: list[str], place: int) -> str:
        """The named fields, each on a line of its own.

        Raises:
            ValueError: None of them is text.
        """
        values = self.__pydantic_extra__ or {}
        texts = [values[name] for name in fields if isinstance(values.get(name), str)]
        if not texts:
            raise ValueError(f"document {place} has no text in {', '.join(fields)}")
        return without_surrogates("\n".join(texts))


def _named_query(value: Any) -> Any:
    """Jina and others accept `{"text": …}` as a query."""
    return value["text"] if isinstance(value, dict) and "text" in value else value


def _no_name(value: Any) -> Any:
    """What clients send when their user names no model."""
    return None if value in ("", "default", "default/not-specified") else value


def _not_too_many(value: Any) -> Any:
    most = MOST_TEXTS.get()
    if isinstance(value, list) and most is not None and len(value) > most:
        raise PydanticCustomError(
            TOO_MANY,
            "{count} documents are more than the {most} of one request: send several requests",
            {"count": len(value), "most": most},
        )
    return value


Text = Annotated[str, AfterValidator(without_surrogates)]
Query = Annotated[Text, BeforeValidator(_named_query), Field(min_length=1)]
Model = Annotated[str | None, BeforeValidator(_no_name)]
# A small body can hold millions of elements. They are counted before they are read, and reading ends at a wrong one.
_LIST = (Field(fail_fast=True), BeforeValidator(_not_too_many))
Texts = Annotated[list[Text], *_LIST]
_MODEL = Field(
    default=None,
    description="Name of a served model or cascade, or a cascade of served models such as tiny@100,other@10; null is "
    "the default.",
)
_RAW = Field(
    default=None,
    description="True: scores are mean natural-log probabilities of the query's tokens, never above 0. False, the "
    "default: probabilities of relevance if the model has a calibration, else their exponentials, 0 to 1.",
)


_MILLISECONDS = Field(
    default=None,
    gt=0,
    description="Time limit in milliseconds: documents that are not scored in time stay below the others, "
    "in their order.",
)


class _ScoreChoice(BaseModel):
    """How a client asks for likelihoods as they are."""

    raw_scores: bool | None = _RAW
    use_activation: bool | None = Field(default=None, description="False is raw_scores.")
    activation: bool | None = Field(default=None, description="False is raw_scores.")

    @property
    def raw(self) -> bool:
        """Whether scores are log-probabilities."""
        return bool(self.raw_scores) or False in (self.use_activation, self.activation)


class RerankRequest(_ScoreChoice):
    """A request as Cohere, Jina, vLLM, llama.cpp and infinity have it."""

    model: Model = _MODEL
    query: Query
    documents: Annotated[list[Text | Document], *_LIST] = Field(description="Texts, or objects with the field text.")
    top_n: int | None = Field(default=None, ge=0, description="How many results; null and 0 are all.")
    return_documents: bool | None = Field(default=None, description="False leaves the documents out of the results.")
    max_tokens_per_doc: int | None = Field(default=None, ge=1, description="Tokens of a document that are read.")
    rank_fields: Texts | None = Field(default=None, description="Fields of a document that are scored.")
    truncate_prompt_tokens: int | None = Field(default=None, ge=-1, description="As max_tokens_per_doc.")
    milliseconds: float | None = _MILLISECONDS

    @property
    def texts(self) -> list[str]:
        """The texts that are scored.

        Raises:
            ValueError: A document has no text.
        """
        fields = self.rank_fields or ["text"]
        return [
            document if isinstance(document, str) else document.joined(fields, place)
            for place, document in enumerate(self.documents)
        ]

    @property
    def text_tokens(self) -> int | None:
        """The most tokens of a document that are read, or None."""
        given = [n for n in (self.max_tokens_per_doc, self.truncate_prompt_tokens) if n is not None and n > 0]
        return min(given, default=None)


class TextsRequest(BaseModel):
    """A request as TEI has it."""

    model: Model = _MODEL
    query: Query
    texts: Texts
    raw_scores: bool | None = _RAW
    return_text: bool | None = None
    truncate: bool | None = Field(default=None, description="False refuses texts that are longer than the model reads.")
    top_n: int | None = Field(default=None, ge=0, description="How many results; null and 0 are all.")
    milliseconds: float | None = _MILLISECONDS


def _shape(body: Any) -> str | None:
    if not isinstance(body, dict):
        return "rerank"
    return "tei" if "texts" in body and "documents" not in body else "rerank"


AnyRerankRequest = Annotated[
    Annotated[RerankRequest, Tag("rerank")] | Annotated[TextsRequest, Tag("tei")], Discriminator(_shape)
]
"""A request with `texts` gets TEI's answer, one with `documents` the answer of the others."""


class ScoreRequest(_ScoreChoice):
    """A request as vLLM's score API has it, with its older and newer names."""

    model: Model = _MODEL
    queries: Texts = Field(description="One query, or one for each document.")
    documents: Texts
    truncate_prompt_tokens: int | None = Field(default=None, ge=-1)

    @model_validator(mode="before")
    @classmethod
    def _one_name(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        named = dict(body)
        for name, others in (("queries", ("text_1", "data_1")), ("documents", ("text_2", "data_2", "items"))):
            for other in others:
                if name not in named and other in named:
                    named[name] = named.pop(other)
            if isinstance(named.get(name), str):
                named[name] = [named[name]]
        return named

    @model_validator(mode="after")
    def _fits(self) -> "ScoreRequest":
        if len(self.queries) != 1 and len(self.queries) != len(self.documents):
            raise ValueError(f"{len(self.queries)} queries for {len(self.documents)} documents: give one, or one each")
        return self

    @property
    def text_tokens(self) -> int | None:
        """The most tokens of a document that are read, or None."""
        given = self.truncate_prompt_tokens
        return given if given is not None and given > 0 else None


class SearchRequest(BaseModel):
    """A search of an index, and the reranking of its hits."""

    query: Query
    index: str | None = Field(default=None, description="Name of a served index; null is the default.")
    model: Model = _MODEL
    k: int = Field(default=10, ge=1, description="How many hits are returned.")
    depth: int | None = Field(
        default=None,
        ge=1,
        description="How many hits of the first stage are reranked; null is what the server was started with, or 100. "
        "A cascade has its own.",
    )
    rerank: bool = Field(default=True, description="False returns the hits of the first stage as they are.")
    fusion: Literal["zscore", "minmax", "linear", "rrf", "none"] | None = Field(
        default=None,
        description="How the likelihood is fused with the first stage's score; none is the likelihood; null is what "
        "the server was started with. The stages of a cascade have their own.",
    )
    fusion_weight: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Weight of the likelihood; the first stage gets the rest. Null is what the server was started "
        "with, or the weight that comes with the model.",
    )
    milliseconds: float | None = _MILLISECONDS
    return_documents: bool = Field(default=True, description="Whether the hits come with title and text.")
