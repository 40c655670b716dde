"""A PyTerrier transformer: ``bm25 % 100 >> PyTerrierReranker(reranker)``. It needs no Java."""

from typing import TYPE_CHECKING

from pyserini_qpeft.interop import needs

with needs("pyterrier"):
    import pyterrier as pt

if TYPE_CHECKING:
    import pandas as pd

    from pyserini_qpeft.reranking.protocol import Reranker


class PyTerrierReranker(pt.Transformer):  # type: ignore[misc]
    """Reranks result frames (R → R). A fusing reranker mixes in the scores of the frame, if it has any.

    Args:
        reranker: Scores the passages.
        text_field: The column with the passages; ``pt.text.get_text`` adds one.
    """

    def __init__(self, reranker: "Reranker", text_field: str = "text") -> None:
        self.reranker = reranker
        self.text_field = text_field

    def transform(self, inp: "pd.DataFrame") -> "pd.DataFrame":
        """Rerank the passages of each query, all queries together.

        Args:
            inp: `qid`, `query`, `docno`, the passages, and `score` and `rank` if there are any; it is not changed. The
                first stage's order is that of `rank`, or else of `score`, or else of the rows.

        Returns:
            A new frame with all columns of `inp`, and new `score` and `rank`; the rows of a query are best first. If
            the reranker has a calibration, `probability` is the probability of relevance, NaN for hits that were not
            rescored.

        Raises:
            pyterrier.validate.InputValidationError: A column is missing.
            QPeftError: A passage is not text.
        """
        pt.validate.result_frame(inp, extra_columns=["query", self.text_field], context=self)
        ordered = _first_stage_order(inp)
        rows = [places for _, places in ordered.groupby("qid", sort=False).indices.items()]
        requests = [(ordered["query"].iloc[places[0]], self._hits(ordered.iloc[places])) for places in rows]
        rankings = self.reranker.rerank_batch(requests)
        chosen = [
            (places[hit.first_stage_rank - 1], hit) for places, hits in zip(rows, rankings, strict=True) for hit in hits
        ]
        reranked = ordered.iloc[[place for place, _ in chosen]].reset_index(drop=True)
        reranked["score"] = [float(hit.score) for _, hit in chosen]
        if self.reranker.config.calibration is not None:
            reranked["probability"] = [hit.probability for _, hit in chosen]
            reranked = reranked.astype({"probability": "float64"})
        ranked: pd.DataFrame = pt.model.add_ranks(reranked.astype({"score": "float64"}))
        return ranked

    def _hits(self, frame: "pd.DataFrame") -> list[tuple[str, str, float | None]]:
        scores = frame["score"] if "score" in frame else [None] * len(frame)
        return list(zip(frame["docno"], frame[self.text_field], scores, strict=True))


def _first_stage_order(inp: "pd.DataFrame") -> "pd.DataFrame":
    """The frame in the order of the first stage; PyTerrier's frames need not be sorted."""
    if "rank" in inp:
        return inp.sort_values("rank", kind="stable")
    return inp.sort_values("score", ascending=False, kind="stable") if "score" in inp else inp
