"""What trec_eval reads is read, with equal figures: an independent reader of its rules, and pytrec_eval, say which."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.evaluation.measures import score_queries

MEASURES = {
    "Bpref": "bpref",
    "AP": "map",
    "nDCG@10": "ndcg_cut_10",
    "P@10": "P_10",
    "RR": "recip_rank",
    "R@100": "recall_100",
}
IDS = st.text("ab1.-_\u00a0\u3000é", min_size=1, max_size=3)
BLANKS = st.sampled_from([" ", "\t", "  ", " \t "])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str]:
    """A run and qrels as other tools write them: any order and separators, ranks that mean nothing, negative grades."""
    docids = draw(st.lists(IDS, min_size=1, max_size=8, unique=True))
    qids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    pairs = [(qid, docid) for qid in qids for docid in docids]
    ranks, scores = st.sampled_from(["0", "1", "7.5", "-", "first"]), st.integers(-400, 400).map(lambda n: n / 8)
    grades = st.integers(-2, 3)

    def lines(chosen: list[tuple[str, str]], *fields: st.SearchStrategy[object] | str) -> str:
        rows = [
            [qid, str(fields[0]), docid, *(f if isinstance(f, str) else str(draw(f)) for f in fields[1:])]
            for qid, docid in chosen
        ]
        return "".join(draw(BLANKS).join(row) + draw(st.sampled_from(["\n", "\r\n", " \n"])) for row in rows)

    hits = draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    judged = draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    judged += [hits[0]] if hits[0] not in judged else []  # a run that shares nothing with its qrels is refused
    return lines(hits, "Q0", ranks, scores, "a tag"), lines(judged, "0", grades)


def as_trec_eval_reads(text: str) -> list[list[str]]:
    return [line.replace("\t", " ").replace("\r", " ").strip(" ").split(" ") for line in text.split("\n") if line]


@given(files=files())
def test_generated_files_have_the_figures_of_pytrec_eval(
    files: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    import pytrec_eval

    folder = tmp_path_factory.mktemp("files")
    for name, text in zip(("run", "qrels"), files, strict=True):
        (folder / name).write_bytes(text.encode())
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for fields in as_trec_eval_reads(files[0]):
        qid, _, docid, _, score, *_ = (field for field in fields if field)
        run.setdefault(qid, {})[docid] = float(score)
    for fields in as_trec_eval_reads(files[1]):
        qid, _, docid, grade = (field for field in fields if field)
        qrels.setdefault(qid, {})[docid] = int(grade)
    # pytrec_eval can end the process at a negative grade. bpref takes it for not judged, the other measures for 0.
    zero = {qid: {docid: max(grade, 0) for docid, grade in grades.items()} for qid, grades in qrels.items()}
    theirs = pytrec_eval.RelevanceEvaluator(zero, set(MEASURES.values()) - {"bpref"}).evaluate(run)
    judged = {qid: {docid: grade for docid, grade in grades.items() if grade >= 0} for qid, grades in qrels.items()}
    for qid, values in pytrec_eval.RelevanceEvaluator(judged, {"bpref"}).evaluate(run).items():
        theirs[qid] |= values

    ours = score_queries(read_run(folder / "run"), read_qrels(folder / "qrels"), list(MEASURES))

    assert set(ours.index) == set(qrels)
    for qid in qrels:
        for measure, name in MEASURES.items():
            assert ours.loc[qid, measure] == pytest.approx(theirs.get(qid, {}).get(name, 0.0), abs=1e-6)


@pytest.mark.parametrize("name", ["in-order", "by-docid", "shuffled", "rank-0", "rank-with-point"])
def test_runs_out_of_order_have_the_figures_of_the_sorted_run(tmp_path: Path, name: str) -> None:
    runs = {
        "in-order": "1 Q0 a 1 2.12 S\n1 Q0 c 2 2.10 S\n1 Q0 b 3 1.72 S\n2 Q0 d 1 1.0 S\n",
        "by-docid": "1\tQ0\ta\t104\t  2.12\tS\n1\tQ0\tb\t414\t  1.72\tS\n1\tQ0\tc\t124\t  2.10\tS\n2\tQ0\td\t1\t 1.0\tS\n",
        "shuffled": "1 Q0 a 1 2.12 S\n2 Q0 d 1 1.0 S\n1 Q0 c 2 2.10 S\n1 Q0 b 3 1.72 S\n",
        "rank-0": "1 Q0 a 0 2.12 S\n1 Q0 c 0 2.10 S\n1 Q0 b 0 1.72 S\n2 Q0 d 0 1.0 S\n",
        "rank-with-point": "1 Q0 a 1.0 2.12 S\n1 Q0 c 2.0 2.10 S\n1 Q0 b 3.0 1.72 S\n2 Q0 d 1.0 1.0 S\n",
    }
    (tmp_path / "run").write_text(runs[name])
    (tmp_path / "qrels").write_text("1 0 a 1\n1 0 b 0\n1 0 c 1\n2 0 d 1\n")

    means = score_queries(read_run(tmp_path / "run"), read_qrels(tmp_path / "qrels"), ["AP", "P@10"]).mean()

    assert means.to_dict() == pytest.approx({"AP": 1.0, "P@10": 0.15})


def test_negative_grades_have_the_figures_of_pytrec_eval(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("q1 Q0 d1 1 2.0 r\nq1 Q0 d2 2 1.0 r\nq2 Q0 d3 1 1e-3 r\nq2 Q0 d4 2 9.5E-4 r\n")
    (tmp_path / "qrels").write_text("q1 0 d1 -2\nq1 0 d2 1\nq2 0 d3 2\nq2 0 d4 -1\n")

    means = score_queries(read_run(tmp_path / "run"), read_qrels(tmp_path / "qrels"), ["AP", "nDCG@10"]).mean()

    assert means.to_dict() == pytest.approx({"AP": 0.75, "nDCG@10": 0.8155}, abs=5e-5)


def test_a_negative_grade_is_not_judged_for_bpref(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("".join(f"q Q0 {docid} 1 {5 - n} r\n" for n, docid in enumerate("abcde")))
    (tmp_path / "qrels").write_text("q 0 a -1\nq 0 b 1\nq 0 c 0\nq 0 d -2\nq 0 e 1\nq 0 f 0\n")

    scores = score_queries(read_run(tmp_path / "run"), read_qrels(tmp_path / "qrels"), ["Bpref", "RR@10"])

    # trec_eval: of two relevant passages, the first has no judged one above it, the second has one of two.
    assert scores.loc["q"].to_dict() == pytest.approx({"Bpref": (1 + 1 / 2) / 2, "RR@10": 1 / 2})
