"""The bodies of answers, as Cohere, Jina, vLLM, Text Embeddings Inference (TEI) and others have them."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class Usage(BaseModel):
    """Tokens that the model read."""

    prompt_tokens: int
    total_tokens: int


class ReturnedText(BaseModel):
    """A document as it comes back."""

    text: str


class RerankResult(BaseModel):
    """A document in its new place."""

    index: int = Field(description="Place of the document in the request, from 0.")
    relevance_score: float
    document: ReturnedText | str | None = None


class RerankResponse(BaseModel):
    """Documents in their new order, best first."""

    id: str
    model: str
    results: list[RerankResult]
    usage: Usage
    meta: dict[str, Any] = Field(description="Cohere's api_version, billed_units and tokens.")


class TextRank(BaseModel):
    """A text in its new place, as TEI has it."""

    index: int
    score: float
    text: str | None = None


class PairScore(BaseModel):
    """The score of a pair, as vLLM has it."""

    index: int
    object: Literal["score"] = "score"
    score: float


class ScoreResponse(BaseModel):
    """The scores of pairs, in their order."""

    id: str
    model: str
    data: list[PairScore]
    usage: Usage


class Hit(BaseModel):
    """A hit in its final place."""

    docid: str
    rank: int = Field(description="Place in the final list, from 1.")
    score: float = Field(description="What the list is sorted by: the fused score, or the likelihood.")
    likelihood: float | None = Field(description="Mean natural-log probability of the query's tokens.")
    probability: float | None = Field(description="Probability of relevance, if the model has a calibration.")
    first_stage_score: float
    first_stage_rank: int
    title: str | None = None
    text: str | None = None


class SearchResponse(BaseModel):
    """The hits of a search, best first."""

    id: str
    index: str
    model: str | None
    results: list[Hit]
    usage: Usage
    seconds: dict[str, float] = Field(description="Time of the first stage and of the reranking.")


class ErrorBody(BaseModel):
    """What is wrong. TEI-shaped requests get `{error, error_type}` instead."""

    detail: Any
    message: str
    error: dict[str, str]
