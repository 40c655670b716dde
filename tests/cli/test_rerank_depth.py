"""`qpeft rerank`: which hits are rescored, and which are kept."""

import json

import pytest


def test_depth_rescores_the_head_and_keeps_or_drops_the_tail(qpeft, arguments, written, lists, run_file):
    first = lists(run_file)["q1"]
    assert len(first) == 3
    assert qpeft(*arguments(depth="2")).code == 0
    kept = lists(written)["q1"]
    assert {docid for docid, _ in kept[:2]} == {docid for docid, _ in first[:2]}
    assert kept[2][0] == first[2][0]
    assert kept[2][1] < kept[1][1]
    assert qpeft(*arguments(depth="2", below_depth="drop")).code == 0
    assert dict(lists(written)["q1"]) == pytest.approx(dict(kept[:2]), abs=1e-5)


def test_a_cascade_reranks_by_its_stages_and_counts_each(qpeft, arguments, written, model, lists):
    whole = {name: None for name in ("model", "fusion")}
    stages = f"{model[1]}@3:none,{model[1]}+none@2:none"
    done = qpeft(*arguments(**whole, cascade=stages, output_format="jsonl"))
    assert done.code == 0, done.err
    first, *counts = done.err.strip().splitlines()[-3:]
    assert "passages" in first
    assert [line.split(":")[0] for line in counts] == ["  stage 1", "  stage 2"]
    for record in map(json.loads, written.read_text().splitlines()):
        for hit in record["hits"]:
            before, after = hit["stages"]
            assert (before["likelihood"] is not None) == (hit["first_stage_rank"] <= 3)
            assert (after["likelihood"] is not None) == (before["rank"] <= 2)
            assert (after["rank"], after["score"]) == (hit["rank"], hit["score"])
    alone = written.with_name("alone")
    assert qpeft(*arguments(depth=3, output=alone)).code == 0
    assert qpeft(*arguments(**whole, cascade=f"{model[1]}@3:none", output=written.with_name("chain"))).code == 0
    assert lists(written.with_name("chain")) == lists(alone)


def test_a_cascade_that_cannot_be_is_refused(error_of, arguments, model, tmp_path):
    assert "depth is given with a cascade" in error_of(*arguments(model=None, cascade="tiny@3", depth=2))
    assert "model is given with a cascade" in error_of(*arguments(cascade="tiny@3"))
    assert "stage 2 of the cascade rescores 5 hits" in error_of(*arguments(model=None, cascade="tiny@3,tiny@5"))
    assert "adaptive cannot be used with a cascade" in error_of(*arguments(model=None, cascade="tiny@3"), "--adaptive")
    for name, other in (("depth", "margin"), ("margin", "depth")):
        (config := tmp_path / f"{name}.json").write_text(f'{{"{name}": 2, "{other}": null}}')
        refused = error_of(*arguments(model=None, cascade="tiny@3", config=config))
        assert f"{config} sets the {name}, and each stage of a cascade has its own, MODEL" in refused
    threshold = ("--minimum-probability", "0.5")
    assert "minimum-probability cannot be used" in error_of(*arguments(model=None, cascade="tiny@3"), *threshold)


def test_a_time_limit_keeps_every_hit(qpeft, arguments, written, lists, run_file):
    assert qpeft(*arguments(milliseconds=1)).code == 0
    found, given = lists(written), lists(run_file)
    assert {qid: sorted(docid for docid, _ in hits) for qid, hits in found.items()} == {
        qid: sorted(docid for docid, _ in hits) for qid, hits in given.items()
    }


def test_probable_hits_alone_are_kept_and_the_calibration_may_be_named(qpeft, error_of, arguments, written, tmp_path):
    (tmp_path / "curve.json").write_text('{"slope": 2.0, "intercept": 0.5}')
    named = arguments(output_format="jsonl", calibration=tmp_path / "curve.json")
    assert qpeft(*named).code == 0
    hits = {
        (record["qid"], hit["docid"]): hit["probability"]
        for record in map(json.loads, written.read_text().splitlines())
        for hit in record["hits"]
    }
    assert all(0 < probability < 1 for probability in hits.values())
    minimum = sorted(hits.values())[len(hits) // 2]
    assert qpeft(*named, "--minimum-probability", minimum).code == 0
    records = list(map(json.loads, written.read_text().splitlines()))
    kept = {(record["qid"], hit["docid"]) for record in records for hit in record["hits"]}
    assert kept == {key for key, probability in hits.items() if probability >= minimum - 1e-9}
    assert all([hit["rank"] for hit in one["hits"]] == list(range(1, len(one["hits"]) + 1)) for one in records)
    assert "needs a calibration" in error_of(*arguments(minimum_probability=0.5, output=written.with_name("none")))


def test_adaptive_depth_reads_less_and_keeps_every_hit(qpeft, error_of, arguments, written, lists, run_file, tmp_path):
    (tmp_path / "rule.json").write_text(
        '{"intercept": 0, "required": -1, "read": 0, "agreement": 0, "threshold": 9, "k": 1, "block": 1}'
    )
    done = qpeft(*arguments(adaptive=tmp_path / "rule.json"))
    assert done.code == 0, done.err
    queries = len(lists(run_file))
    assert f"{queries} queries, {queries} passages" in done.err
    found, given = lists(written), lists(run_file)
    assert {qid: sorted(docid for docid, _ in hits) for qid, hits in found.items()} == {
        qid: sorted(docid for docid, _ in hits) for qid, hits in given.items()
    }
    assert "none comes with this model: learn one" in error_of(
        *arguments(output=written.with_name("none")), "--adaptive"
    )
    assert "cannot be used with rrf" in error_of(*arguments(fusion="rrf"), "--adaptive")
