"""What the search process does: hits of Lucene indexes, with their texts."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A hit of the first stage, with its text.

    Attributes:
        docid: Id of the passage.
        score: Score of the first stage.
        title: The title: the field `title` of the stored document, or the first of several lines; may be empty.
        text: The text that is scored, with the title.
    """

    docid: str
    score: float
    title: str
    text: str


class Searching:
    """Indexes by name.

    Args:
        indexes: Folder or prebuilt name of each index, by its name in requests.
    """

    def __init__(self, indexes: dict[str, str]) -> None:
        from pyserini_qpeft.lucene.bm25 import Bm25Searcher

        self._searchers = {name: Bm25Searcher(place) for name, place in indexes.items()}
        self.info = {name: searcher.documents for name, searcher in self._searchers.items()}
        for searcher in self._searchers.values():
            list(searcher.search("a question", 1))  # the first search is slow

    def search(self, index: str, query: str, k: int) -> list[SearchHit]:
        """The best hits of a query. Hits without a text are left out.

        Args:
            index: Name of the index.
            query: The query.
            k: How many hits at most.
        """
        from pyserini_qpeft.candidates.texts import stored_text
        from pyserini_qpeft.data.fields import without_surrogates

        hits = []
        for hit in self._searchers[index].search(query, k):
            text = stored_text(hit.raw, hit.contents)
            if text is not None:
                text = without_surrogates(text)
                hits.append(SearchHit(hit.docid, hit.score, _title(hit.raw, text), text))
        return hits


def _title(raw: str | None, text: str) -> str:
    fields: Any = None
    if raw is not None and raw.lstrip().startswith("{"):
        try:
            fields = json.loads(raw)
        except ValueError:
            fields = None
    if isinstance(fields, dict) and isinstance(fields.get("title"), str):
        return str(fields["title"]).strip()
    first, newline, _ = text.partition("\n")
    return first.strip() if newline else ""
