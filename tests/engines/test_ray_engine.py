"""On two nodes of a Ray cluster, the output is that of this process, also if a worker dies."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
from tiny import WORDS

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.data.number_files import write_numbers
from pyserini_qpeft.engines import ray_engine
from pyserini_qpeft.engines.ray_engine import RayEngine
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.report import ScoringReport

os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a machine may be busy
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")  # it ends workers if other programs take the memory
ray = pytest.importorskip("ray", reason="needs Ray: pip install 'pyserini-qpeft[ray]'")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one processor each, in processes of this machine."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(wait=False, num_cpus=1)
    nodes.wait_for_nodes(timeout=300)
    ray.init(address=nodes.address, log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture
def arguments(tmp_path: Path, tiny_model_dir: Path):
    """The command without its output."""
    rng = random.Random(1)
    passages = {f"d{n}": " ".join(rng.choices(WORDS, k=12)) for n in range(40)}
    queries = {f"q{n}": " ".join(rng.choices(WORDS, k=4)) for n in range(12)}
    corpus = [json.dumps({"_id": docid, "text": text}) for docid, text in passages.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(corpus))
    (tmp_path / "topics.tsv").write_text("".join(f"{qid}\t{query}\n" for qid, query in queries.items()))
    lines = [
        f"{qid} Q0 {docid} 1 {9 - n} x\n" for qid in queries for n, docid in enumerate(rng.sample(sorted(passages), 8))
    ]
    (tmp_path / "run.txt").write_text("".join(lines))
    files = {name: tmp_path / f"{name}.{end}" for name, end in (("run", "txt"), ("topics", "tsv"), ("corpus", "jsonl"))}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    model = ["--model", str(tiny_model_dir), "--dtype", "float32", "--device", "cpu", "--quiet"]
    return ["rerank", *options, *model, "--query-batch-pairs", "10", "--depth", "6", "--output-format", "jsonl"]


def _workers(cluster) -> list[int]:
    """The processes of our workers on both nodes."""
    nodes = {one.process.pid for node in cluster.list_all_nodes() for one in node.all_processes["raylet"]}
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in nodes and (place / "cmdline").read_bytes().startswith(b"ray::_Worker"):
                found.append(int(place.name))
    return found


def test_the_output_is_that_of_this_process_even_if_a_worker_is_killed(cluster, arguments, tmp_path, monkeypatch):
    from pyserini_qpeft.cli.__main__ import main
    from pyserini_qpeft.reranking.resume import ResumableWriter

    assert main([*arguments, "--output", str(tmp_path / "local")]) == 0
    assert main([*arguments, "--output", str(tmp_path / "spread"), "--engine", "ray", "--workers", "2"]) == 0
    assert (tmp_path / "spread").read_bytes() == (tmp_path / "local").read_bytes()

    killed: list[int] = []
    write = ResumableWriter.write

    def kill_a_worker(self, *given):
        if not killed:
            killed.append(_workers(cluster)[0])
            os.kill(killed[0], signal.SIGKILL)
        write(self, *given)

    monkeypatch.setattr(ResumableWriter, "write", kill_a_worker)
    assert main([*arguments, "--output", str(tmp_path / "killed"), "--engine", "ray", "--workers", "2"]) == 0
    assert killed
    assert (tmp_path / "killed").read_bytes() == (tmp_path / "local").read_bytes()


@pytest.fixture
def combined(tmp_path: Path, tiny_model_dir: Path):
    """Options that choose what a model alone does not do."""
    rule = StoppingRule(1.0, -2.0, -0.3, 0.0, 0.6, k=2, block=1)
    write_numbers(tmp_path / "rule.json", rule)
    write_numbers(tmp_path / "curve.json", Calibration(2.0, 0.1))
    windows = ["--windows", "mean", "--window-size", "8", "--calibration", str(tmp_path / "curve.json")]
    return {
        "cascade": ["--cascade", f"{tiny_model_dir}@6:none,{tiny_model_dir}@3:0.5"],
        "adaptive": [*windows, "--adaptive", str(tmp_path / "rule.json"), "--minimum-probability", "0.001"],
    }


@pytest.mark.parametrize("kind", ["cascade", "adaptive"])
def test_cascades_windows_adaptive_depth_and_probabilities_are_those_of_this_process(
    cluster, arguments, combined, kind, tmp_path, capsys
):
    from pyserini_qpeft.cli.__main__ import main

    here = list(arguments)
    if kind == "cascade":
        for option in ("--model", "--depth"):
            place = here.index(option)
            del here[place : place + 2]
    here += combined[kind]
    assert main([*here, "--output", str(tmp_path / "local")]) == 0
    local = capsys.readouterr().err
    assert main([*here, "--output", str(tmp_path / "spread"), "--engine", "ray", "--workers", "2"]) == 0
    spread = capsys.readouterr().err
    assert (tmp_path / "spread").read_bytes() == (tmp_path / "local").read_bytes()
    counts = [re.findall(r"(?:stage \d+: |queries, )(\d+ passages[^,]*)", one) for one in (local, spread)]
    assert counts[0] == counts[1] != []
    lists = [json.loads(line)["hits"] for line in (tmp_path / "local").read_text().splitlines()]
    if kind == "cascade":
        assert counts[0] == ["108 passages", "72 passages", "36 passages"]
        assert all(len(hit["stages"]) == 2 for hits in lists for hit in hits)
    else:
        assert int(counts[0][0].split()[0]) < 12 * 6
        assert all(hit["probability"] >= 0.001 and len(hit["windows"]) > 1 for hits in lists for hit in hits)


def test_an_error_in_a_worker_is_the_same_sentence(cluster, arguments, tiny_model_dir, tmp_path, capsys):
    from safetensors.torch import load_file, save_file

    from pyserini_qpeft.cli.__main__ import main

    shutil.copytree(tiny_model_dir, tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    weights["model.norm.weight"].fill_(float("nan"))
    save_file(weights, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    here = [str(tmp_path / "model") if word == str(tiny_model_dir) else word for word in arguments]
    local = main([*here, "--output", str(tmp_path / "local")]), capsys.readouterr().err.splitlines()[-1]
    spread = main([*here, "--output", str(tmp_path / "spread"), "--engine", "ray", "--workers", "1"])
    assert (spread, capsys.readouterr().err.splitlines()[-1]) == local
    assert local[0] == 2
    assert "query q0" in local[1]


class _Fragile:
    """A worker that ends its process at some queries."""

    def __init__(self, load) -> None:
        load()

    def ready(self) -> None:
        pass

    def rerank(self, batch, hints):
        (query, hits), *_ = batch
        if query == "deadly" or (query == "deadly once" and not hits[0].exists()):
            for hit in hits:
                hit.touch()
            os._exit(1)
        return [query], ScoringReport()


@pytest.fixture
def fragile(cluster, monkeypatch):
    """Runs query batches of one query each with workers that end their processes."""
    monkeypatch.setattr(ray_engine, "_Worker", _Fragile)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests

    def run(*queries, hits=(), load=str):
        engine = RayEngine(load, workers=2)
        return sorted(lists[0] for _, lists, _ in engine.rerank([[(query, hits)] for query in queries], hints=False))

    yield run
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_query_batches_of_a_dead_worker_are_scored_again(fragile, tmp_path):
    assert fragile("a", "deadly once", "b", "c", "d", hits=[tmp_path / "x"]) == ["a", "b", "c", "d", "deadly once"]


def test_a_query_batch_that_ends_every_worker_is_named(fragile):
    with pytest.raises(QPeftError, match=r"4 workers died while they scored .* the query 'deadly': do they need more"):
        fragile("a", "b", "deadly", "c")


def test_a_worker_that_cannot_load_the_model_says_why(fragile):
    def broken():
        raise QPeftError("there is no such model")

    with pytest.raises(QPeftError, match=r"a worker could not load the model: .*there is no such model"):
        fragile("a", load=broken)


def test_no_query_batch_needs_no_cluster(monkeypatch):
    monkeypatch.setattr(RayEngine, "_start", None)
    assert list(RayEngine(str).rerank([], hints=False)) == []


def test_a_cluster_that_cannot_be_reached_is_one_sentence(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuse(**_):
        raise ConnectionError("ray client connection timeout\nmore")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(
        QPeftError, match=r"cannot start or reach Ray at 10\.0\.0\.1:6379: ray client connection timeout$"
    ):
        list(RayEngine(str, address="10.0.0.1:6379").rerank([[("q", [])]], hints=False))


def test_the_number_of_workers_is_positive():
    with pytest.raises(QPeftError, match="must be positive, not 0"):
        RayEngine(str, workers=0)
