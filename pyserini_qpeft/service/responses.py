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


class BestPassage(BaseModel):
    """The window of a document with the highest likelihood."""

    text: str
    start: int = Field(description="Its first character in the text of the document.")
    stop: int = Field(description="The character after its last.")
    likelihood: float


class Stage(BaseModel):
    """A document after one stage of a cascade."""

    model: str
    rank: int
    score: float
    likelihood: float | None = Field(description="Null if the stage did not score the document.")


class _Details(BaseModel):
    """What is known of a document with windows, or after a cascade. Else these fields are absent."""

    best_passage: BestPassage | None = None
    probability: float | None = Field(default=None, description="Probability of relevance, if it was calibrated.")
    stage: str | None = Field(default=None, description="The last model of the cascade that scored the document.")
    stages: list[Stage] | None = None


class RerankResult(_Details):
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


class Hit(_Details):
    """A hit in its final place."""

    docid: str
    rank: int = Field(description="Place in the final list, from 1.")
    score: float = Field(description="What the list is sorted by: the fused score, or the likelihood.")
    likelihood: float | None = Field(description="Mean natural-log probability of the query's tokens.")
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
