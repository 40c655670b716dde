import gzip
import json
import subprocess
import sys
from pathlib import Path

from recipes.base_model.config import PairsConfig
from recipes.base_model.forbidden import Forbidden, demo_questions, normalized
from recipes.base_model.pairs import read_pairs, write_pairs
from recipes.check_leaks import leaks

ROOT = Path(__file__).parents[2]
PAIRS = PairsConfig(passages={"squad-v1.1-dev": 40})


def test_queries_are_compared_by_their_words_alone():
    assert normalized(" What IS  the Ⅳ-th “Café”?!") == normalized("what is the iv th café")


def test_dev_and_test_queries_and_test_titles_are_forbidden_and_train_ones_are_not(tiny_shared):
    forbidden = Forbidden.read(tiny_shared / "data")
    assert forbidden.holds("what does part 0 tell of the GLACIER")
    assert forbidden.holds("What does part 3 tell of the violin?")
    assert forbidden.holds("the violin papers")
    assert not forbidden.holds("What does part 0 tell of the kiln?")
    assert not forbidden.holds("")


def test_made_pairs_are_free_of_leaks_and_of_held_out_articles(tiny_shared, tmp_path):
    forbidden = Forbidden.read(tiny_shared / "data")
    write_pairs(tiny_shared, PAIRS, 1, tmp_path / "pairs.jsonl.gz", forbidden)
    pairs = [pair for group in read_pairs(tmp_path / "pairs.jsonl.gz") for pair in group]
    assert len(pairs) == 40
    assert all(2 <= len(pair.queries) <= 8 for pair in pairs)
    assert not leaks((q for pair in pairs for q in pair.queries), forbidden)
    assert not any("violin" in pair.passage or "glacier" in pair.passage for pair in pairs)


def test_a_planted_leak_is_found_and_ends_with_one(tiny_shared, tmp_path):
    path = tmp_path / "pairs.jsonl.gz"
    for query, code in (("what does part 1 tell of the violin", 1), ("what does part 1 tell of the kiln", 0)):
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write(json.dumps([["a passage", [query], ["question"]]]) + "\n")
        command = [sys.executable, "-m", "recipes.check_leaks", "--shared", str(tiny_shared), "--pairs", str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert f"{code} leaks" in done.stdout


def test_the_demo_questions_are_read(tmp_path):
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "how do I split a path"}\n', encoding="utf-8")
    assert demo_questions(tmp_path) == ["how do I split a path"]
