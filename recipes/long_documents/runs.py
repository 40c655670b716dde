"""The runs of the comparison: BM25's, and one reranked run for each way of cutting."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pyserini_qpeft.cli.__main__ import main as qpeft
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.records import RankedList
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.rerank_run import RunConfig, rerank_run
from pyserini_qpeft.reranking.reranker import QPeftReranker
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.windows.config import WindowConfig

CUTS = {
    "cut": None,
    "256": WindowConfig(),
    "256-stride-128": WindowConfig(stride=128),
    "128": WindowConfig(size=128),
}
"""Ways of cutting, by name: tokens of a window, and the stride."""


@dataclass(frozen=True, slots=True)
class CutRun:
    """The queries of both splits, reranked with one way of cutting.

    Attributes:
        lists: With windows, if there are any.
        tokens: Tokens of the prompts of one query, if the query is reranked alone.
        windows: Windows of a document, as a mean; 1 if documents are cut.
    """

    lists: list[RankedList]
    tokens: float
    windows: float


def first_stage(folder: BeirFolder, work: Path, depth: int) -> Path:
    """BM25's run for the queries of both splits."""
    run, index = work / "bm25.txt", str(work / "index")
    if not run.exists():
        options = ["--topics", str(folder.topics), "--hits", str(depth), "--first-stage-only", "--quiet"]
        _run(["index", "--corpus", str(folder.folder), "--index", index, "--overwrite", "--quiet"])
        _run(["search", "--index", index, *options, "--output", str(run)])
    return run


def rerank(folder: BeirFolder, run: Path, cut: str, model: ModelConfig) -> CutRun:
    """Rerank by the likelihood alone; a finished run is read instead. All queries are in one query batch."""
    output = run.with_name(f"{cut}.jsonl")
    counted = output.with_suffix(".json")
    if not output.exists() or not counted.exists():
        config = RerankConfig(fusion=None, windows=CUTS[cut], scoring=ScoringConfig(query_batch_pairs=1 << 20))
        report = rerank_run(
            read_run(run),
            read_topics(folder.topics),
            RunConfig(output, format="jsonl", restart=True, progress=True),
            QPeftReranker.from_config(model, config),
            corpus=Corpus.open(folder.folder),
        )
        counted.write_text(json.dumps({"queries": report.queries, **asdict(report.scoring)}) + "\n")
    counts = json.loads(counted.read_text())
    windows = (counts["windows"] or counts["passages"]) / counts["passages"]
    return CutRun(read_ranked_lists(output), counts["tokens"] / counts["queries"], windows)


def _run(arguments: list[str]) -> None:
    if code := qpeft(arguments):
        sys.exit(code)
