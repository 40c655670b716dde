"""Draw one question of the demo before and after reranking, as SVG.

    qpeft demo      # with smollm2-135m-q4 installed
    python -m docs.scripts.picture --output docs/images/before-after.svg

The picture is made of the files that the demo leaves: its collection and its runs. Both lists are real.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_topics

ROWS = 10
WIDTH, TOP, ROW = 860, 104, 27
LEFT, RIGHT, CELL = 48, 476, 336
GREEN, PALE, INK, GREY = "#1a7f37", "#dafbe1", "#1f2328", "#8c959f"


def picture(
    query: str,
    before: Sequence[str],
    after: Sequence[str],
    grades: Mapping[str, int],
    footnote: str = "",
    *,
    model: str = "qpeft",
) -> str:
    """Draw the first hits of a query before and after reranking.

    Args:
        query: The query.
        before: Docids of the first stage, best first.
        after: The same docids in the reranked order.
        grades: Grade of each judged docid; 2 answers the query, 1 helps.
        footnote: A line below the lists.
        model: What reranked, as the title of the second list shows it.

    Returns:
        SVG. Passages that answer or help are green; a line joins the two places of a passage.
    """
    rank_before = {docid: rank for rank, docid in enumerate(before, start=1)}
    rank_after = {docid: rank for rank, docid in enumerate(after, start=1)}
    parts = [
        _text(24, 40, f"“{query}”", size=19, weight=600),
        _text(LEFT, 82, "first stage: BM25", size=14, weight=600, colour=GREY),
        _text(RIGHT, 82, f"reranked with {model}", size=14, weight=600, colour=GREY),
    ]
    for docid in before[:ROWS]:
        if rank_after.get(docid, ROWS + 1) <= ROWS:
            parts.append(_link(rank_before[docid], rank_after[docid], good=docid in grades))
    for docid in after[:ROWS]:
        if rank_before[docid] > ROWS and docid in grades:
            parts.append(_link(ROWS + 1, rank_after[docid], good=True))
    for place, (old, new) in enumerate(zip(before[:ROWS], after[:ROWS], strict=True), start=1):
        was = rank_before[new]
        parts.append(_cell(LEFT, place, old, grades, ""))
        parts.append(_cell(RIGHT, place, new, grades, "" if was == place else f"was {was}"))
    height = TOP + ROWS * ROW + 58
    parts.append(_text(24, height - 18, footnote, size=12.5, colour=GREY))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif" role="img">\n'
        f"<title>{escape(f'“{query}” before and after reranking')}</title>\n"
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff" stroke="#d0d7de"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _y(place: int) -> int:
    return TOP + (place - 1) * ROW


def _cell(x: int, place: int, docid: str, grades: Mapping[str, int], note: str) -> str:
    y, good = _y(place), docid in grades
    colour = GREEN if good else INK
    drawn = [
        f'<rect x="{x}" y="{y}" width="{CELL}" height="{ROW - 5}" rx="5" fill="{PALE if good else "#f6f8fa"}"/>',
        _text(x - 8, y + 16, str(place), size=12, colour=GREY, anchor="end"),
        _text(x + 10, y + 16, _short(docid), size=13, colour=colour, weight=600 if good else 400, mono=True),
    ]
    if note:
        drawn.append(_text(x + CELL - 10, y + 16, note, size=12, colour=colour if good else GREY, anchor="end"))
    return "\n".join(drawn)


def _link(old: int, new: int, *, good: bool) -> str:
    start, end = LEFT + CELL, RIGHT - 24
    y0, y1, middle = _y(old) + 11, _y(new) + 11, (start + end) / 2
    colour, width = (GREEN, 2.5) if good else ("#d0d7de", 1.2)
    return (
        f'<path d="M{start} {y0} C{middle} {y0} {middle} {y1} {end} {y1}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    colour: str = INK,
    weight: int = 400,
    anchor: str = "start",
    mono: bool = False,
) -> str:
    family = ' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"' if mono else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
        f'text-anchor="{anchor}"{family}>{escape(text)}</text>'
    )


def _short(docid: str, longest: int = 32) -> str:
    """The last parts of a qualified name that is too long."""
    parts = docid.split(".")
    while len(docid) > longest and len(parts) > 1:
        parts = parts[1:]
        docid = f"…{'.'.join(parts)}"
    return docid


def draw_from_demo(folder: Path, qid: str, model: str = "qpeft") -> str:
    """Draw a question from the files of `qpeft demo`.

    Args:
        folder: Output folder of the demo.
        qid: Id of the question.
        model: What reranked, as the title of the second list shows it.

    Returns:
        SVG.
    """
    from pyserini_qpeft.evaluation.measures import score_queries

    topics = read_topics(folder / "collection" / "queries.jsonl")
    qrels = read_qrels(folder / "collection" / "qrels" / "test.tsv")
    runs: dict[str, dict[str, list[ScoredDoc]]] = {
        name: read_run(folder / "runs" / f"{name}.trec") for name in ("bm25", "fused")
    }
    means = {name: float(score_queries(run, qrels, ["nDCG@10"])["nDCG@10"].mean()) for name, run in runs.items()}
    return picture(
        topics[qid],
        [hit.docid for hit in runs["bm25"][qid]],
        [hit.docid for hit in runs["fused"][qid]],
        qrels[qid],
        f"One of the {len(topics)} questions of “qpeft demo”. Green: answers the question or helps. "
        f"Mean nDCG@10 of all: {means['bm25']:.3f} → {means['fused']:.3f}.",
        model=model,
    )


def main() -> None:
    """Draw the picture that the command line asks for."""
    parser = argparse.ArgumentParser(description="Draw a question of the demo before and after reranking.")
    parser.add_argument("--demo", type=Path, default=Path("demo-output"), help="output folder of qpeft demo")
    parser.add_argument("--qid", default="q002", help="question to draw (default: q002)")
    parser.add_argument("--model", default="SmolLM2, fused with BM25", help="what reranked, as the picture shows it")
    parser.add_argument("--output", type=Path, required=True, help="SVG to write")
    args = parser.parse_args()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(draw_from_demo(args.demo, args.qid, args.model))


if __name__ == "__main__":
    main()
