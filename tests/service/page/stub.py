"""A service without a model and without Java, for tests of the page."""

from collections.abc import Sequence

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.explanation import Explanation, Hint, TokenScore
from pyserini_qpeft.service.config import LimitsConfig
from pyserini_qpeft.service.names import ServedModel
from pyserini_qpeft.service.searching import SearchHit

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


class StubService:
    """Finds the same passages for every query; a text is the more likely, the more words of the query it has."""

    def __init__(self, *, indexes: Sequence[str] = ("rivers",)) -> None:
        self.models = {
            "with-hints": ServedModel("with-hints", "base", "adapter", 0.85),
            "plain": ServedModel("plain", "base", "none", 0.5),
        }
        self.indexes = dict.fromkeys(indexes, "folder")
        self.limits = LimitsConfig()

    async def search(self, index: str | None, query: str, k: int = 10) -> list[SearchHit]:
        return [] if query == "nothing" else [SearchHit(*passage) for passage in PASSAGES[:k]]

    async def score(self, model: str | None, query: str, texts: Sequence[str]) -> list[float]:
        if query == "wrong":
            raise QPeftError("the query is wrong.")
        return [likelihood(query, text) for text in texts]

    async def explain(self, model: str | None, query: str, text: str) -> Explanation:
        words = query.split()
        hints = [Hint(word, 0.9, ((at, at + len(word)),)) for word in words if (at := text.find(word)) >= 0]
        gain = 0.5 if model == "with-hints" else 0
        tokens = tuple(TokenScore(f" {word}", -1.5 - n, -1.5 - n - gain) for n, word in enumerate(words))
        hinted = tuple(hints) if model == "with-hints" else ()
        return Explanation(-2.0, tokens, hinted, tokens_cut=3, read=max(0, len(text) - 12))
