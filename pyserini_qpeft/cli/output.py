"""From a first-stage run to the file that `search` and `rerank` write: reranked, or as it is."""

import argparse
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft import __version__
from pyserini_qpeft.candidates.hits import first_stage_hits
from pyserini_qpeft.candidates.texts import TextSource
from pyserini_qpeft.cli.reranking import load_reranker, read_model_config, read_rerank_config
from pyserini_qpeft.data.files import atomic_write
from pyserini_qpeft.data.fingerprint import file_fingerprint
from pyserini_qpeft.data.records import RankedHit, RankedList, Run, Topics
from pyserini_qpeft.data.run_formats import run_formats
from pyserini_qpeft.data.runs import formatter
from pyserini_qpeft.errors import NonFiniteScoreError, QPeftError
from pyserini_qpeft.reranking.resume import ResumableWriter

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.reranker import QPeftReranker
    from pyserini_qpeft.scoring.report import ScoringReport

_FORMATS = {name: name for name in run_formats()} | {"json": "jsonl"}


def add_output_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that say what is written, and where."""
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="run to write; .gz is gzipped")
    parser.add_argument(
        "--output-format",
        choices=tuple(_FORMATS),
        default="trec",
        help="format of the run; jsonl (or json) has one line per query, with texts and hints (default: trec)",
    )
    parser.add_argument(
        "--seconds", action="store_true", help="json: write each query's share of the scoring time, for qpeft evaluate"
    )
    parser.add_argument("--tag", default="qpeft", help="name of the run in TREC format (default: qpeft)")
    parser.add_argument("--restart", action="store_true", help="do not go on with an unfinished run of that output")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def check_output(args: argparse.Namespace) -> None:
    """Complain of a missing output folder before anything that takes time.

    Raises:
        QPeftError: There is no such folder.
    """
    if not args.output.parent.is_dir():
        raise QPeftError(f"cannot write {args.output}: the folder {args.output.parent} does not exist.")


def write_first_stage(run: Run, topics: Topics, texts: TextSource | None, args: argparse.Namespace) -> None:
    """Write a run as the first stage has it: in its order, with its scores; JSON has the texts too."""
    form = _FORMATS[args.output_format]
    lines = formatter(form, args.tag)
    with atomic_write(args.output) as file:
        for qid, hits in run.items():
            listed = first_stage_hits(hits)
            if form == "jsonl" and texts is not None:
                listed = [replace(hit, text=texts(hit.docid)) for hit in listed]
            file.write(lines(RankedList(qid, topics[qid], listed)))


def write_reranked(
    run: Run,
    topics: Topics,
    texts: TextSource | None,
    args: argparse.Namespace,
    reranker: "QPeftReranker | None" = None,
) -> None:
    """Rerank a run and write it, query by query; a job that was killed is taken up where it stopped.

    Args:
        run: First-stage hits.
        topics: At least the queries of the run.
        texts: Where the text of a docid is; None where every hit brings its own.
        args: What `add_output_options`, `add_model_options` and `add_ranking_options` parsed.
        reranker: The one to use; loaded as `args` say, once the output is known to be in order, when None.
    """
    from tqdm import tqdm

    config, choice = read_rerank_config(args), read_model_config(args)
    form = _FORMATS[args.output_format]
    settings = {
        "first_stage": _fingerprint(run, topics),
        "texts": str(args.corpus or args.index),
        "version": __version__,  # what comes along has no other name
        "model": choice.model,
        "model_weights": _weights(choice.model),
        "adapter": choice.adapter,
        "adapter_weights": _weights(choice.adapter),
        "dtype": choice.dtype,
        "quantize": choice.quantize,
        "depth": config.depth,
        "below_depth": config.below_depth,
        "fusion": asdict(config.fusion) if config.fusion else None,
        "passage_tokens": config.scoring.passage_tokens,
        "hints": config.scoring.hints,
    }
    with ResumableWriter(args.output, run, settings, form=form, tag=args.tag, restart=args.restart) as writer:
        unfinished = writer.unfinished
        reranker = reranker or load_reranker(choice, config, quiet=args.quiet)
        stream = reranker.rerank_stream(((topics[qid], run[qid]) for qid in unfinished), corpus=texts)
        progress = tqdm(stream, desc="rerank", total=len(unfinished), unit="query", disable=args.quiet)
        shares = _TimeShares()
        try:
            for qid, hits in zip(unfinished, progress, strict=True):
                seconds = shares.next(reranker.last_report, hits) if args.seconds else None
                hints = _hints(reranker, topics[qid], hits) if form == "jsonl" else None
                writer.write(RankedList(qid, topics[qid], hits, hints, seconds))
        except NonFiniteScoreError as error:
            qid = next(qid for qid in unfinished if topics[qid] == error.query)
            raise QPeftError(f"query {qid}: {error}") from error
    print(_told(args.output, len(unfinished), reranker.last_report), file=sys.stderr)


class _TimeShares:
    """The time of each scoring pass, shared among the queries scored in it by their passages."""

    def __init__(self) -> None:
        self._passages, self._seconds, self._per_passage = 0, 0.0, 0.0

    def next(self, report: "ScoringReport", hits: list[RankedHit]) -> float:
        if report.passages > self._passages:
            self._per_passage = (report.seconds - self._seconds) / (report.passages - self._passages)
            self._passages, self._seconds = report.passages, report.seconds
        return self._per_passage * sum(hit.likelihood is not None for hit in hits)


def _hints(reranker: "QPeftReranker", query: str, hits: list[RankedHit]) -> list[list[str] | None]:
    rescored = [hit.text for hit in hits if hit.likelihood is not None and hit.text is not None]
    found: Iterator[list[str]] = iter(reranker.hints(query, rescored))
    return [next(found) if hit.likelihood is not None and hit.text is not None else None for hit in hits]


def _told(output: Path, queries: int, report: "ScoringReport") -> str:
    return (
        f"{output}: {queries} queries, {report.passages} passages, {report.tokens_cut} tokens cut "
        f"(of {report.passages_cut} passages), {report.seconds:.1f} s, {report.passages_per_second:.1f} passages/s"
    )


def _fingerprint(run: Run, topics: Topics) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for qid, hits in run.items():
        digest.update(repr((qid, topics[qid], [(hit.docid, hit.score, hit.text) for hit in hits])).encode())
    return digest.hexdigest()


def _weights(folder: str | None) -> dict[str, str]:
    """Fingerprints of the weights in a folder; nothing where a name is none."""
    files = sorted(Path(folder).glob("*.safetensors")) if folder else []
    return {file.name: file_fingerprint(file) for file in files}
