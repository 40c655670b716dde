import json

import pytest

from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_answers, read_topics
from pyserini_qpeft.errors import QPeftError

RUN = {"0": [ScoredDoc("d1", 12.5, "Aaron\nAaron is a prophet."), ScoredDoc("2", 11.0, "plain")], "7": []}
TOPICS = {"0": "who got the first nobel prize", "7": "naïve 🙂"}


@pytest.mark.parametrize("indent", [None, 4])
def test_dpr_json_as_pyserini_writes_it(tmp_path, indent):
    """pyserini.eval.convert_trec_run_to_dpr_retrieval_run: scores are strings, texts have a quoted title."""
    path = tmp_path / "run.json"
    contexts = [
        {"docid": "d1", "score": "12.5", "text": '"Aaron"\nAaron is a prophet.', "has_answer": False},
        {"docid": "2", "score": "11.0", "text": "plain", "has_answer": True},
    ]
    written = {
        "0": {"question": TOPICS["0"], "answers": ["Röntgen", "W. C. Röntgen"], "contexts": contexts},
        "7": {"question": TOPICS["7"], "answers": [], "contexts": []},
    }
    path.write_text(json.dumps(written, indent=indent, ensure_ascii=False), encoding="utf-8")

    assert read_run(path) == RUN
    assert read_topics(path) == TOPICS
    assert read_answers(path) == {"0": ["Röntgen", "W. C. Röntgen"]}


def test_dpr_json_without_texts(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"0": {"question": "q", "answers": [], "contexts": [{"docid": "a", "score": "1.5"}]}}))

    assert read_run(path) == {"0": [ScoredDoc("a", 1.5)]}


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_requests_as_rank_llm_writes_them(tmp_path, form):
    data = pytest.importorskip("rank_llm.data", reason="needs rank_llm")
    path = tmp_path / f"requests.{form}"
    documents = [{"title": "", "contents": '"Aaron"\nAaron is a prophet.'}, {"segment": "plain", "url": "u"}]
    candidates = [
        data.Candidate(docid=docid, score=score, doc=doc)
        for docid, score, doc in zip(["d1", 2], [12.5, 11.0], documents, strict=True)
    ]
    requests = [
        data.Request(query=data.Query(text=TOPICS["0"], qid=0), candidates=candidates),
        data.Request(query=data.Query(text=TOPICS["7"], qid="7"), candidates=[]),
    ]
    writer = data.DataWriter(requests)
    (writer.write_in_json_format if form == "json" else writer.write_in_jsonl_format)(str(path))

    assert read_run(path) == RUN
    assert read_topics(path) == TOPICS


def test_a_title_beside_the_text_is_read_with_it(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"qid": 1, "query": "q", "ctxs": [{"id": 5, "title": "T", "text": "body", "score": "1"}]}')

    assert read_run(path) == {"1": [ScoredDoc("5", 1.0, "T\nbody")]}


def test_retriever_output_of_dpr_and_upr_has_no_ids_and_is_numbered(tmp_path):
    path = tmp_path / "upr.json"
    ctxs = [{"id": "d2", "title": "Bread", "text": "Yeast.", "score": "80.1", "has_answer": False}]
    path.write_text(
        json.dumps([{"question": "a", "answers": ["x"], "ctxs": ctxs}, {"question": "b", "answers": [], "ctxs": []}])
    )

    assert read_run(path) == {"0": [ScoredDoc("d2", 80.1, "Bread\nYeast.")], "1": []}
    assert read_topics(path) == {"0": "a", "1": "b"}
    assert read_answers(path) == {"0": ["x"]}


def test_stored_results_of_rank_llm_have_the_query_id_in_each_hit(tmp_path):
    path = tmp_path / "retrieve_results.json"
    hits = [{"qid": 264014, "docid": n, "rank": n, "score": 3.0 - n, "content": f"text {n}"} for n in (1, 2)]
    path.write_text(json.dumps([{"query": "how long", "hits": hits}], indent=2))

    assert read_run(path) == {"264014": [ScoredDoc("1", 2.0, "text 1"), ScoredDoc("2", 1.0, "text 2")]}
    assert read_topics(path) == {"264014": "how long"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"qid": "1", "query": "q"}', r"run:1: no list of hits \(looked for candidates, contexts"),
        ('{"query": "q", "hits": []}', "run:1: the query id is missing"),
        (
            '{"query": "q", "hits": [{"qid": 1, "docid": "a", "score": 1}, {"qid": 2, "docid": "b", "score": 1}]}',
            "run:1: the hits of one query have different query ids: 1, 2",
        ),
        ('{"query": "q", "hits": [{"docid": "a", "score": 1}]}', "run:1: the query id is missing"),
        ('{"qid": "1", "hits": [{"docid": "\\ud800", "score": 1}]}', "run:1: hit 1: the docid .* surrogate pair"),
        ('{"qid": "1", "hits": [{"docid": "a", "score": ' + "1" * 400 + "}]}", "run:1: hit 1 .*the score is too large"),
        ('{"qid": "1", "hits": [{"docid": "a", "score": "' + "1" * 400 + '"}]}', "run:1: hit 1 .*the score is inf"),
        ('{"qid": "1", "hits": [{"docid": "a", "score": ' + "1" * 5000 + "}]}", "run:1: a number .* too many digits"),
        ('{"qid": "1", "hits": []}\n{"qid": 1, "hits": []}', "run:2: query 1 occurs a second time"),
        ('{"qid": "1", "hits": [{"docid": "a", "score": 1}, {"score": 1}]}', "run:1: hit 2: the docid is missing"),
        ('{"qid": "1", "hits": [{"docid": "  ", "score": 1}]}', "run:1: hit 1: the docid '  ' is not an id"),
        ('{"qid": "1", "hits": [{"docid": "a"}]}', r"run:1: hit 1 \(a\): the score None is not a number"),
        ('{"qid": "1", "hits": [{"docid": "a", "score": NaN}]}', r"run:1: hit 1 \(a\): the score is nan"),
        ('{"qid": "1", "hits": ["a"]}', "run:1: hit 1: expected a JSON object with docid and score, not str"),
        ('[{"qid": "1", "hits": []},\n 5]', "run:2: expected a JSON object for a run, not int"),
        ('{\n "0": {"question": "q",\n  "contexts": [}\n}', "run:3: broken JSON"),
        ('[\n{"qid": "1", "hits": []},\n\n{"qid": "2"', "run:4: broken JSON"),
    ],
)
def test_what_is_no_request_is_refused_in_one_sentence(tmp_path, text, message):
    path = tmp_path / "run"
    path.write_text(text)

    with pytest.raises(QPeftError, match=message):
        read_run(path)
