"""BEIR's ``Rerank``, with fusion and with the passages as the rest of this package reads them.

``beir.reranking.Rerank(reranker)`` works too, without this file. It joins title and text with a space, where this
package uses a line break, and it ranks by the likelihood alone. BEIR itself is not needed here.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyserini_qpeft.checks import check_whole

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.protocol import Reranker


class BeirReranker:
    """Used in place of ``beir.reranking.Rerank``. A fusing reranker mixes in the scores of the results.

    Args:
        reranker: Scores the passages.

    Attributes:
        rerank_results: The result of the last call of `rerank`.
    """

    def __init__(self, reranker: "Reranker") -> None:
        self.reranker = reranker
        self.rerank_results: dict[str, dict[str, float]] = {}

    def rerank(
        self,
        corpus: Mapping[str, Mapping[str, str]],
        queries: Mapping[str, str],
        results: Mapping[str, Mapping[str, float]],
        top_k: int,
    ) -> dict[str, dict[str, float]]:
        """Rerank the best passages of each query, all queries together.

        Args:
            corpus: `title` and `text` of each docid, as BEIR's data loaders return them.
            queries: Text of each qid.
            results: First-stage score of each docid of each qid, as BEIR's retrievers return them.
            top_k: How many passages of each query are reranked. The others are left out.

        Returns:
            For each qid the new score of each docid, best first, for BEIR's ``EvaluateRetrieval.evaluate``.

        Raises:
            QPeftError: A docid is not in the corpus, or `top_k` is negative.
        """
        check_whole(top_k, "top_k", 0)
        requests = [
            (queries[qid], sorted(found.items(), key=lambda hit: hit[1], reverse=True)[:top_k])
            for qid, found in results.items()
        ]
        rankings = self.reranker.rerank_batch(requests, corpus=corpus)
        self.rerank_results = {
            qid: {hit.docid: float(hit.score) for hit in hits} for qid, hits in zip(results, rankings, strict=True)
        }
        return self.rerank_results
