"""Whatever files and texts hold, there is a result or one sentence.

QPEFT_FUZZ_CASES sets the number of cases: nine of ten are files for the readers, drawn from a number that a failure
names; the others are texts, drawn by hypothesis, and damaged models and adapters.
"""

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import hypothesis
import numpy as np
import pytest
from damage import content, damaged_bytes, damaged_structure
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from pyserini_qpeft.adaptive.rule_file import read_rule
from pyserini_qpeft.calibration.calibration_file import read_calibration
from pyserini_qpeft.cascade.config import read_cascade
from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data import stored_run
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.dpr import read_examples
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.ranked_lists import holds_ranked_lists, read_ranked_lists
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.text_index import TextIndex, build_text_index
from pyserini_qpeft.data.topics import read_answers, read_topics
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.experiment.reading import read_experiment
from pyserini_qpeft.lucene.record import language_of
from pyserini_qpeft.models.registry import RESOURCES
from pyserini_qpeft.reranking.config_file import read_rerank_config
from pyserini_qpeft.reranking.resume import ResumableWriter

CASES = int(os.environ.get("QPEFT_FUZZ_CASES", "2000"))


def read_as_large(read: Callable[[Path], object]) -> Callable[[Path], object]:
    """Reads a run as if its file were large."""

    def read_all(path: Path) -> object:
        kept, stored_run.KEPT_IN_MEMORY_BYTES = stored_run.KEPT_IN_MEMORY_BYTES, 0
        try:
            found = read(path)
            return list(found.values() if isinstance(found, stored_run.StoredQueries) else found)
        finally:
            stored_run.KEPT_IN_MEMORY_BYTES = kept

    return read_all


def build_and_read(path: Path) -> object:
    """Builds a database of passages and reads it."""
    index = path.with_name("fuzzed.sqlite")
    index.unlink(missing_ok=True)
    build_text_index(path, index)
    return dict(TextIndex(index))


def go_on(path: Path) -> object:
    """Goes on with an unfinished run, in which no query of others is."""
    output = path.with_name("resumed")
    output.with_name("resumed.partial").write_bytes(path.read_bytes())
    with ResumableWriter(output, ["1", "2"], {"depth": 10}) as writer:
        assert all(isinstance(qid, str) for qid in writer.finished)
    return output.read_text()


def read_with_files(path: Path) -> object:
    """Reads an experiment, beside which its files are."""
    for folder in ("beir", "model"):
        path.with_name(folder).mkdir(exist_ok=True)
    for file in ("run.txt", "examples.json"):
        path.with_name(file).touch()
    return read_experiment(path)


def read_language(path: Path) -> object:
    """Reads the record of an index."""
    (folder := path.with_name("index")).mkdir(exist_ok=True)
    shutil.copy(path, folder / "qpeft.json")
    return language_of(folder)


RUNS = [
    b"1 Q0 a 1 2.5 x\n1 Q0 b 2 1.5 x\n2 Q0 a 1 1 x\n",
    b"1\ta\t1\n1\tb\t2\n",
    b"qid,docno,score,rank\n1,a,2.5,1\n1,b,1.5,2\n2,a,1,1\n",
]
LISTS = [
    b'{"qid": "1", "query": "q", "hits": [{"docid": "a", "score": 1, "rank": 1, "first_stage_score": 2, '
    b'"first_stage_rank": 1, "text": "t", "likelihood": -1, "probability": 0.5, "stages": [{"rank": 1, "score": 1, '
    b'"likelihood": null}], "windows": [{"start": 0, "stop": 3, "likelihood": -1}]}]}\n',
    b'[{"question": "q", "answers": ["a"], "ctxs": [{"id": "1", "title": "t", "text": "x", "score": "1.5"}]}]',
    b'{"1": {"question": "q", "contexts": [{"docid": "a", "score": 1}]}, "2": {"question": "q", "contexts": []}}',
    b'{"query": {"qid": "1", "text": "q"}, "candidates": [{"docid": "a", "score": 1, "doc": {"contents": "t"}}]}',
]
TOPICS = [
    b"1\tquery\n2\tother\n",
    b"<top>\n<num> Number: 1\n<title> a &amp; <b>b</b>\n<desc> x\n</top>\n",
    b'<topic number="1"><query>a</query></topic>',
    b"12:5:query\n13:6:other\n",
    b"who\t['he', 'she']\n",
    b"enwiki:A%20b/C\n",
    b'{"_id": "1", "text": "q", "metadata": {"answers": ["a"]}}\n{"_id": "2", "text": "r", "answers": ["a"]}\n',
]
CORPUS = [
    b'{"_id": "1", "title": "t", "text": "x"}\n{"_id": "a", "text": "y"}\n',
    b'[{"pid": "1", "passage": "x"}, {"docid": "a", "title": "t", "segment": "y"}]',
    b'{"id": "1", "contents": "title\\ntext"}\n{"_id": "a", "title": "t",\n "text": "y", "metadata": {}}\n',
]
CONFIG = (
    b'{"depth": 10, "below_depth": "keep", "fusion": {"method": "minmax", "weight": 0.5, "rrf_k": 60}, "windows": '
    b'{"combine": "max", "size": 100, "stride": 50}, "tuned": {}}'
)
EXPERIMENT = b"""\
name: e
measures: [RR@10]
depths: [4]
fusion: [none, dev]
seeds: [1]
collections:
  small: {folder: beir, first-stages: {stored: run.txt}, dev: {split: dev}}
models:
  tiny: {options: {model: model}, adapters: {bare: none, trained: {train: {train: examples.json, epochs: 2}}}}
"""
PARTIAL = (
    b'{"settings": {"depth": 10, "format": "trec", "tag": "qpeft"}}\n'
    b'{"qid": "1", "fingerprint": "f", "lines": "1 Q0 a 1 1.0 qpeft\\n"}\n'
    b'{"qid": "2", "fingerprint": null, "lines": ""}\n'
)

READERS: dict[str, tuple[Callable[[Path], object], list[bytes]]] = {
    "run": (read_run, [*RUNS, *LISTS]),
    "large run": (read_as_large(read_run), [*RUNS, *LISTS]),
    "ranked lists": (lambda path: (holds_ranked_lists(path), read_ranked_lists(path)), LISTS),
    "large ranked lists": (read_as_large(read_ranked_lists), LISTS),
    "qrels": (read_qrels, [b"1 0 a 1\n1 0 b 0\n", b"query-id\tcorpus-id\tscore\n1\ta\t1\n"]),
    "topics": (read_topics, TOPICS),
    "answers": (read_answers, TOPICS),
    "corpus": (Corpus.open, CORPUS),
    "wanted passages": (lambda path: Corpus.open(path, ["1", "a"]), CORPUS),
    "database of passages": (build_and_read, CORPUS),
    "examples": (
        lambda path: read_examples([path]),
        [b'[{"question": "q", "positive_ctxs": [{"text": "a"}], "hard_negative_ctxs": [{"text": "b"}]}]'],
    ),
    "configuration": (read_rerank_config, [CONFIG]),
    "cascade": (
        lambda path: read_cascade(str(path)),
        [b'[{"model": "tiny", "depth": 100, "adapter": null, "fusion": null}, {"model": "b", "depth": 10}]'],
    ),
    "stopping rule": (read_rule, [(RESOURCES / "stopping" / "smollm2-135m-q4.json").read_bytes()]),
    "calibration": (read_calibration, [b'{"slope": 2.5, "intercept": 1.5}']),
    "experiment": (read_with_files, [EXPERIMENT]),
    "unfinished run": (go_on, [PARTIAL]),
    "record of an index": (read_language, [b'{"language": "zh", "settings": {"k1": 0.9}}']),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_returns_or_raises_one_sentence(name: str, tmp_path: Path) -> None:
    read, samples = READERS[name]
    path = tmp_path / "fuzzed.json"
    for number in range(max(1, CASES * 9 // 10 // len(READERS))):
        made = samples[number] if number < len(samples) else content(samples, Random(f"{name} {number}"))
        path.write_bytes(made)
        try:
            read(path)
        except QPeftError as error:
            message = str(error).replace(str(path), "")
            assert message, (number, made)
            assert "\n" not in message, (number, made)
        except BaseException as error:
            error.add_note(f"case {number}: {made!r}")
            raise


CONTROL = st.sampled_from(
    ["<s>", "</s>", "<pad>", "<|endoftext|>", "\ud83d", "\x00", "\u202e", "a\u0301", "\n", "   ", "🙂"]
)
TEXTS = st.lists(CONTROL | st.text(max_size=12), max_size=6).map("".join)


@pytest.fixture(scope="module")
def reranker(tiny_model_dir: Path):
    from pyserini_qpeft import FusionConfig, QPeftReranker, RerankConfig

    config = RerankConfig(fusion=FusionConfig("minmax", 0.5))
    return QPeftReranker.from_pretrained(tiny_model_dir, config=config, dtype="float32", device="cpu")


@hypothesis.settings(max_examples=max(1, CASES * 8 // 100), suppress_health_check=list(HealthCheck))
@given(query=TEXTS.filter(str.strip), passages=st.lists(TEXTS, min_size=1, max_size=4), place=st.integers(0, 3))
def test_any_text_has_a_finite_score_that_is_the_same_alone_and_in_a_batch(query, passages, place, reranker) -> None:
    scores = reranker.score(query, passages)
    assert np.isfinite(scores).all()
    assert (scores <= 0).all()
    place %= len(passages)
    assert scores[place] == pytest.approx(float(reranker.score(query, [passages[place]])[0]), abs=2e-5)
    hits = reranker.rerank(query, [(f"d{n}", text, float(-n)) for n, text in enumerate(passages)])
    assert sorted(hit.docid for hit in hits) == sorted(f"d{n}" for n in range(len(passages)))
    assert all(math.isfinite(hit.score) for hit in hits)


@hypothesis.settings(max_examples=max(1, CASES // 100), suppress_health_check=list(HealthCheck))
@given(query=TEXTS.filter(str.strip), passages=st.lists(TEXTS, min_size=1, max_size=3))
def test_the_command_line_loses_no_hit_of_any_text(query, passages, tiny_model_dir, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "topics.jsonl").write_text(json.dumps({"_id": "1", "text": query}))
    documents = [{"_id": str(n), "text": text} for n, text in enumerate(passages)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (folder / "run.txt").write_text("".join(f"1 Q0 {n} 1 {-n} x\n" for n in range(len(passages))))
    files = {
        name: folder / f"{name}.{kind}" for name, kind in (("run", "txt"), ("topics", "jsonl"), ("corpus", "jsonl"))
    }
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    model = ["--model", str(tiny_model_dir), "--dtype", "float32", "--device", "cpu", "--quiet"]
    assert main(["rerank", *options, *model, "--output", str(folder / "out")]) == 0
    written = [line.split() for line in (folder / "out").read_text().splitlines()]
    assert sorted(line[2] for line in written) == [str(n) for n in range(len(passages))]
    assert all(math.isfinite(float(line[4])) for line in written)
    shutil.rmtree(folder)


def test_a_damaged_model_or_adapter_is_refused_or_scores(tiny_model_dir: Path, tmp_path: Path) -> None:
    from tiny import adapted, tiny_tokenizer

    from pyserini_qpeft import QPeftReranker

    model, adapter = tmp_path / "model", tmp_path / "adapter"
    shutil.copytree(tiny_model_dir, model)
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(adapter)
    files = sorted(
        file for folder in (model, adapter) for file in folder.iterdir() if file.suffix in (".json", ".safetensors")
    )
    for number in range(max(1, CASES // 100)):
        rng = Random(number)
        file = rng.choice(files)
        whole = file.read_bytes()
        if file.suffix == ".json" and rng.randrange(2):
            made = damaged_structure(whole, rng)
        else:
            made = damaged_bytes(whole, rng, 3000)  # the head of a safetensors file is where its structure is
        file.write_bytes(made)
        try:
            reranker = QPeftReranker.from_pretrained(model, adapter=adapter, dtype="float32", device="cpu")
            assert len(reranker.score("which river", ["the Nile"])) == 1
        except QPeftError as error:
            message = str(error)
            assert message, (number, file.name)
        except BaseException as error:
            error.add_note(f"case {number}: {file.name}")
            raise
        finally:
            file.write_bytes(whole)
