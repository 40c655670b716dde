"""The tuned point is the best of the grid, found on the dev queries alone, and `qpeft rerank` can read it."""

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import pytrec_eval
from refused import refusal

from pyserini_qpeft.calibration.calibration import fit_calibration
from pyserini_qpeft.calibration.calibration_file import read_calibration
from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data.records import RankedHit, RankedList
from pyserini_qpeft.data.run_formats import run_formats
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.sweep import TwoStageHit, TwoStageRun
from pyserini_qpeft.evaluation.tune import TuneConfig, calibrate, tune
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.config_file import read_rerank_config, write_rerank_config
from pyserini_qpeft.reranking.fusion import FusionConfig, fuse


@pytest.fixture(scope="module")
def run() -> TwoStageRun:
    draw = random.Random(0)
    return {
        f"q{n}": [TwoStageHit(f"d{i}", 30.0 - i, draw.gauss(-9, 1) + (1.5 if i == n % 17 else 0)) for i in range(25)]
        for n in range(40)
    }


@pytest.fixture(scope="module")
def qrels() -> dict[str, dict[str, int]]:
    return {f"q{n}": {f"d{n % 17}": 1} for n in range(40)}


def test_the_chosen_point_is_the_best_of_an_independent_search(run, qrels):
    depths, weights = (5, 10, 25), (0.0, 0.25, 0.5, 0.75, 1.0)
    best = {}
    for depth, weight in itertools.product(depths, weights):
        ranking = {}
        for qid, hits in run.items():
            head = hits[:depth]
            fused = fuse([h.first_stage_score for h in head], [h.likelihood for h in head], FusionConfig(weight=weight))
            order = sorted(range(len(head)), key=lambda place, fused=fused: (-fused[place], place))
            docids = [head[place].docid for place in order] + [hit.docid for hit in hits[depth:]]
            ranking[qid] = {docid: float(-place) for place, docid in enumerate(docids)}
        measured = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(ranking)
        best[depth, weight] = sum(query["ndcg_cut_10"] for query in measured.values()) / len(qrels)
    tuned = tune(run, qrels, TuneConfig(weights=weights, depths=depths))
    assert (tuned.config.depth, tuned.config.fusion.weight) == max(best, key=best.get)
    assert tuned.value == pytest.approx(max(best.values()))
    assert tuned.first_stage == pytest.approx(best[5, 0.0])
    assert tuned.by_weight.to_dict() == pytest.approx({w: best[tuned.config.depth, w] for w in weights})
    assert 0 < tuned.config.fusion.weight < 1


def test_of_equal_points_the_shallowest_with_the_smallest_weight_is_taken():
    run = {"q": [TwoStageHit("a", 2.0, -1.0), TwoStageHit("b", 1.0, -2.0), TwoStageHit("c", 0.5, -3.0)]}
    tuned = tune(run, {"q": {"a": 1}}, TuneConfig(weights=(0.5, 0.2), depths=(3, 2)))
    assert (tuned.config.depth, tuned.config.fusion.weight) == (2, 0.2)


def test_queries_that_are_not_dev_are_not_looked_at(run, qrels):
    dev = {qid: grades for qid, grades in qrels.items() if int(qid[1:]) < 15}
    others = {qid: [TwoStageHit("x", 1.0, None)] for qid in run if qid not in dev}
    assert tune({**run, **others}, dev).config == tune(run, dev).config
    assert tune(run, dev).queries == 15


def test_unscored_hits_limit_the_depths_that_are_tried(run, qrels):
    shallow = {
        qid: [TwoStageHit(h.docid, h.first_stage_score, h.likelihood if i < 12 else None) for i, h in enumerate(hits)]
        for qid, hits in run.items()
    }
    assert list(tune(shallow, qrels).by_depth.index) == [5, 10, 12]


def test_a_run_without_a_dev_query_is_refused(run):
    with pytest.raises(QPeftError, match="no query of the run is in the dev qrels"):
        tune(run, {"other": {"a": 1}})
    with pytest.raises(QPeftError, match="the list of every dev query is empty"):
        tune({"q0": []}, {"q0": {"a": 1}})


def reranked(run: TwoStageRun, prior: float | None) -> list[RankedList]:
    return [
        RankedList(
            qid,
            qid,
            [
                RankedHit(hit.docid, -place, place, hit.first_stage_score, place, likelihood=hit.likelihood)
                for place, hit in enumerate(hits, start=1)
            ],
            prior=prior,
        )
        for qid, hits in run.items()
    ]


def test_a_calibration_is_fitted_to_the_rescored_hits_of_dev_queries_alone(run, qrels):
    dev = {qid: grades for qid, grades in qrels.items() if int(qid[1:]) < 15}
    tailed = {qid: [*run[qid], TwoStageHit("tail", 0.5, None)] for qid in run}
    expected = fit_calibration(
        [([hit.likelihood + 9 for hit in run[qid]], [hit.docid in dev[qid] for hit in run[qid]]) for qid in dev]
    )
    assert calibrate(reranked(tailed, -9.0), dev) == expected
    assert expected.queries == 15


def test_a_calibration_is_not_fitted_to_the_hits_that_a_minimum_probability_has_left(run, qrels):
    whole, *others = reranked(run, -9.0)
    cut = replace(whole, hits=[*whole.hits[:3], *whole.hits[4:]])
    with pytest.raises(QPeftError, match="query q0: the first stage's hit 4 is not in the reranked list"):
        calibrate([cut, *others], qrels)
    # If the hits that are left are the first ones of the first stage, only their number of the others says so.
    first = replace(whole, hits=whole.hits[:3], dropped=len(whole.hits) - 3)
    with pytest.raises(QPeftError, match=r"query q0: \d+ hits are not in the reranked list, because their probability"):
        calibrate([first, *others], qrels)


def test_a_calibration_needs_dev_queries_and_their_priors(run, qrels):
    with pytest.raises(QPeftError, match=r"query q0: .*\(prior\): rerank the dev queries again"):
        calibrate(reranked(run, None), qrels)
    with pytest.raises(QPeftError, match="no query of the run is in the dev qrels"):
        calibrate(reranked(run, -9.0), {"other": {"a": 1}})


@pytest.mark.parametrize("wrong", [{"weights": ()}, {"weights": (1.5,)}, {"depths": (0,)}, {"depths": ()}])
def test_an_empty_or_impossible_grid_is_refused(wrong):
    with pytest.raises(QPeftError):
        TuneConfig(**wrong)


def test_a_configuration_comes_back_as_it_was_written(tmp_path: Path):
    config = RerankConfig(depth=50, below_depth="drop", fusion=FusionConfig("minmax", 0.4))
    write_rerank_config(tmp_path / "c.json", config, {"measure": "nDCG@10"})
    assert read_rerank_config(tmp_path / "c.json") == config
    write_rerank_config(tmp_path / "c.json", RerankConfig())
    assert read_rerank_config(tmp_path / "c.json") == RerankConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "c.json:1: broken JSON"),
        ("[]", "c.json: expected a JSON object"),
        ('{"depht": 3}', "unknown setting 'depht'"),
        ('{"depth": "3"}', "depth must be a whole number"),
        ('{"depth": -3}', "depth must not be negative"),
        ('{"fusion": 0.3}', "fusion must be an object"),
        ('{"fusion": {"weight": 2}}', "fusion weight must be between 0 and 1"),
        ('{"fusion": {"weight": "x"}}', "weight must be a number"),
        ('{"fusion": {"method": {"weight": 1}}}', "fusion: method must be a word"),
        ('{"fusion": {"rrf_k": ' + "9" * 400 + "}}", "a number in this JSON has too many digits"),
        ('{"fusion": {"alpha": 0.3}}', "unknown setting 'alpha'"),
    ],
)
def test_a_wrong_configuration_is_refused_and_its_file_named(tmp_path: Path, text: str, message: str):
    assert message in refusal(read_rerank_config, tmp_path / "c.json", text)


def test_the_verb_writes_a_configuration_and_plots(run, qrels, tmp_path: Path, capsys):
    for name, score in (("bm25", "first_stage_score"), ("likelihood", "likelihood")):
        lines = []
        for qid, hits in run.items():
            ranked = sorted(hits, key=lambda hit: -getattr(hit, score))
            lines += [f"{qid} Q0 {hit.docid} {i} {getattr(hit, score)} t" for i, hit in enumerate(ranked, 1)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "dev.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"{q}\t{d}\t{g}\n" for q, ds in qrels.items() for d, g in ds.items())
    )
    command = f"tune --run {tmp_path}/likelihood.txt --first-stage {tmp_path}/bm25.txt --qrels {tmp_path}/dev.tsv"
    assert main([*command.split(), "--output", f"{tmp_path}/tuned.json", "--plots", f"{tmp_path}/plots"]) == 0
    assert "on 40 dev queries" in capsys.readouterr().out
    assert read_rerank_config(tmp_path / "tuned.json") == tune(run, qrels).config
    assert json.loads((tmp_path / "tuned.json").read_text())["tuned"]["queries"] == 40
    assert sorted(plot.name for plot in (tmp_path / "plots").iterdir()) == ["depth.png", "fusion-weight.png"]

    (tmp_path / "qrels").mkdir()
    (tmp_path / "dev.tsv").rename(tmp_path / "qrels" / "dev.tsv")
    in_folder = command.removesuffix("/dev.tsv").split()
    assert main([*in_folder, "--output", f"{tmp_path}/again.json"]) == 0
    assert read_rerank_config(tmp_path / "again.json") == tune(run, qrels).config

    assert main([*in_folder, "--calibration", f"{tmp_path}/calibration.json"]) == 2
    assert "--calibration needs --run as JSONL" in capsys.readouterr().err
    lines = run_formats()["jsonl"].lines
    (tmp_path / "dev.jsonl").write_text("".join(lines(one, "t") for one in reranked(run, -9.0)))
    with_priors = f"tune --run {tmp_path}/dev.jsonl --qrels {tmp_path}".split()
    assert main([*with_priors, "--calibration", f"{tmp_path}/calibration.json"]) == 0
    assert "on 40 dev queries with" in capsys.readouterr().out
    assert read_calibration(tmp_path / "calibration.json") == calibrate(reranked(run, -9.0), qrels)
    assert main(in_folder) == 2
    assert "nothing to write: name a file with --output, --calibration or --stopping" in capsys.readouterr().err

    assert main([*in_folder, "--output", f"{tmp_path}/wrong.json", "--depths", "50", "--weights", "2"]) == 2
    assert "qpeft: error: weights must lie between 0 and 1" in capsys.readouterr().err
    without = [word for word in in_folder if word not in ("--first-stage", f"{tmp_path}/bm25.txt")]
    assert main([*without, "--output", f"{tmp_path}/wrong.json"]) == 2
    assert "likelihood.txt does not hold the first stage's scores: name its run with --first-stage" in (
        capsys.readouterr().err
    )
