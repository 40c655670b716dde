"""A service without a model and without Java, for tests of the page."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import RankedHit, ScoredWindow, StageScore
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Pace
from pyserini_qpeft.reranking.explanation import Explanation, Hint, TokenScore
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.scoring.report import ScoringReport
from pyserini_qpeft.service.config import LimitsConfig
from pyserini_qpeft.service.names import Served, ServedCascade, ServedModel
from pyserini_qpeft.service.reranks import Reranking
from pyserini_qpeft.service.searching import SearchHit
from pyserini_qpeft.service.shared_scoring import KnownScoring, ServiceReranker

PRIOR = -8.0

SCRIPT = "<script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"
PASSAGES = [
    ("d1", 9.5, "Rivers", "Rivers\nA river is a natural stream of water. Rivers run to the sea."),
    ("d2", 8.0, "", f"{SCRIPT} the river of markup"),
    ("d3", 7.75, "The Nile", "The Nile\nThe Nile is the longest river of Africa. It runs through Egypt. 🗼"),
    ("d4", 5.0, "", "Cairo is the capital of Egypt."),
    *((f"d{n}", 5 - n / 10, "", f"Passage {n} is about the number {n}.") for n in range(5, 13)),
]


def likelihood(query: str, text: str) -> float:
    """The higher, the more words of the query the text has, and the shorter it is."""
    shared = set(query.lower().split()) & set(text.lower().replace(".", "").split())
    return len(shared) - 9 - len(text) / 1000


def windows_of(query: str, text: str) -> tuple[ScoredWindow, ...]:
    """Two halves of a text; the second is the better one."""
    half = len(text) // 2
    return ScoredWindow(0, half, -5.0), ScoredWindow(half, len(text), -4.0)


def model(name: str, weight: float | None = None, calibration: Calibration | None = None) -> ServedModel:
    return ServedModel(
        name, ModelConfig("base"), RerankConfig(fusion=FusionConfig(weight=weight), calibration=calibration)
    )


class StubService:
    """Finds the same passages for every query; a text is the more likely, the more words of the query it has."""

    def __init__(self, *, indexes: Sequence[str] = ("rivers",)) -> None:
        self.models: dict[str, Served] = {
            "with-hints": model("with-hints", weight=0.85),
            "plain": model("plain", weight=0.5),
            "long": model("long", calibration=Calibration(1.0, 0.0)),
            "quick@9,exact@3": ServedCascade("quick@9,exact@3", (model("quick"), model("exact"))),
        }
        self.indexes = dict.fromkeys(indexes, "folder")
        self.limits = LimitsConfig()

    async def search(self, index: str | None, query: str, k: int = 10) -> list[SearchHit]:
        return [] if query == "nothing" else [SearchHit(*passage) for passage in PASSAGES[:k]]

    async def rerank(self, model: str | None, query: str, hits: Sequence[str | Candidate]) -> Reranking:
        if query == "wrong":
            raise QPeftError("the query is wrong.")
        served = self.models[model or "plain"]
        texts = [hit if isinstance(hit, str) else hit.text for hit in hits]
        if isinstance(served, ServedCascade):
            return self._cascade(served, query, hits, texts)
        unread = 2 if query == "hurry" else 0
        job = SimpleNamespace(
            likelihoods=[likelihood(query, text) for text in texts[: len(texts) - unread]],
            windows=[windows_of(query, text) if model == "long" else () for text in texts],
            tokens=[1] * len(texts),
            tokens_cut=[0] * len(texts),
            priors={query: PRIOR},
        )
        config = replace(served.config, depth=len(texts) - unread).for_model(None)
        reranker = ServiceReranker(config, KnownScoring(job), Pace())  # type: ignore[arg-type]
        (one,) = reranker.rerank_query_batches([[(query, hits)]])
        return Reranking(one.hits, ScoringReport())

    def _cascade(
        self, served: ServedCascade, query: str, hits: Sequence[str | Candidate], texts: list[str]
    ) -> Reranking:
        """The first three hits backwards, then the others as they are; the second stage has scored the three alone."""
        order = [2, 1, 0, *range(3, len(texts))]
        ranked = RankedHits()
        for rank, place in enumerate(order, start=1):
            last = -float(rank) if rank <= 3 else None
            stages = (StageScore(place + 1, -1.0 - place, -1.0 - place), StageScore(rank, -float(rank), last))
            ranked.append(
                RankedHit(str(place), -float(rank), rank, 0.0, place + 1, texts[place], last, None, (), stages)
            )
        return Reranking(ranked, ScoringReport(), tuple(stage.name for stage in served.stages))

    async def explain(self, model: str | None, query: str, text: str) -> Explanation:
        words = query.split()
        hints = [Hint(word, 0.9, ((at, at + len(word)),)) for word in words if (at := text.find(word)) >= 0]
        gain = 0.5 if model == "with-hints" else 0
        tokens = tuple(TokenScore(f" {word}", -1.5 - n, -1.5 - n - gain) for n, word in enumerate(words))
        hinted = tuple(hints) if model == "with-hints" else ()
        windows = windows_of(query, text) if model == "long" else ()
        cut = 0 if model == "long" else 3
        return Explanation(-2.0, tokens, hinted, cut, max(0, len(text) - 4 * cut), windows)
