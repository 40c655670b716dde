"""The routes of the page: files, headers, and the JSON that the page asks for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from pyserini_qpeft.reranking.explanation import Explanation, Hint
from pyserini_qpeft.service.page.passage import pieces
from pyserini_qpeft.service.page.routes import STATIC


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline(client: TestClient) -> None:
    """What the page names is served here, and the policy leaves nothing else to load."""
    html = client.get("/").text
    named = re.findall(r"""(?:src|href)="([^"#][^"]*)\"""", html)
    assert sorted(named) == [
        "page/static/icon.svg",
        "page/static/main.js",
        "page/static/page.css",
        "page/static/theme.js",
    ]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert re.findall(r"<script[^>]*>([^<]*)</script>", html) == ["", ""]
    for file in STATIC.iterdir():
        text = file.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), file.name
        assert "innerHTML" not in text
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert (STATIC / imported).is_file()


@pytest.mark.parametrize("path", ["/", *(f"/page/static/{file.name}" for file in sorted(STATIC.iterdir()))])
def test_every_file_has_a_type_that_browsers_take_and_a_strict_policy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    kinds = {
        ".js": "text/javascript",
        ".css": "text/css",
        ".svg": "image/svg+xml",
        ".html": "text/html",
        "": "text/html",
    }
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kinds[re.sub(r".*?(\.\w+)?$", r"\1", path)])
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert "unsafe" not in str(policy)


def test_a_file_that_the_browser_has_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/page/static/main.js").headers["etag"]
    assert client.get("/page/static/main.js", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("name", ["nothing.js", "../routes.py", "..%2froutes.py", "%2fetc%2fpasswd"])
def test_only_files_of_the_page_are_served(client: TestClient, name: str) -> None:
    assert client.get(f"/page/static/{name}").status_code == 404


def test_a_search_and_its_scores(client: TestClient) -> None:
    about = client.get("/page/about").json()
    assert about["indexes"] == ["rivers"]
    assert about["examples"] == ["the longest river"]
    assert about["models"][0] == {
        "name": "with-hints",
        "fusion": {"method": "zscore", "weight": 0.85, "rrf_k": 60},
        "stages": [],
    }
    found = client.post("/page/search", json={"index": "rivers", "query": "the Nile", "k": 3}).json()
    assert [hit["docid"] for hit in found["hits"]] == ["d1", "d2", "d3"]
    texts = [hit["text"] for hit in found["hits"]]
    scored = client.post("/page/score", json={"model": "plain", "query": "the Nile", "texts": texts}).json()
    assert {hit["place"] for hit in scored["hits"]} == {0, 1, 2}
    body = {"model": "plain", "query": "the Nile", "texts": texts, "scores": [1.0]}
    assert client.post("/page/score", json=body).status_code == 422
    assert scored["seconds"] >= 0


@pytest.mark.parametrize("k", [0, "many"])
def test_a_depth_out_of_range_is_refused(client: TestClient, k: object) -> None:
    assert client.post("/page/search", json={"index": "rivers", "query": "x", "k": k}).status_code == 422


def test_an_explanation_comes_with_the_passage_in_pieces(client: TestClient) -> None:
    text = "🗼 The Nile is a river, far away from here."
    body = {"model": "with-hints", "query": "Nile river", "text": text}
    explained = client.post("/page/explain", json=body).json()
    assert [token["token"] for token in explained["tokens"]] == [" Nile", " river"]
    assert explained["hinted"]
    assert "".join(piece["text"] for piece in explained["pieces"]) == text
    assert [piece["text"] for piece in explained["pieces"] if piece["similarity"]] == ["Nile", "river"]
    assert [piece["text"] for piece in explained["pieces"] if not piece["read"]] == [text[-12:]]
    assert not client.post("/page/explain", json=body | {"model": "plain"}).json()["hinted"]


@given(text=st.text(max_size=40), data=st.data())
def test_the_pieces_of_a_passage_are_the_passage(text: str, data: st.DataObject) -> None:
    bounds = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(lambda two: tuple(sorted(two)))
    places = st.lists(bounds, max_size=5).map(tuple)
    hints = data.draw(st.lists(st.builds(Hint, st.just("x"), st.floats(-1, 1), places), max_size=3).map(tuple))
    cut = list(pieces(text, Explanation(-1.0, (), hints, 0, data.draw(st.integers(0, len(text))))))
    assert "".join(piece.text for piece in cut) == text
    assert all(piece.text for piece in cut)
