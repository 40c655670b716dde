"""Who may ask: tokens, addresses, hosts."""

from pathlib import Path
from typing import Any

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.access import Access, access_for, is_loopback
from pyserini_qpeft.service.config import ServerConfig

BODY = {"query": "a", "documents": ["b"]}


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QPEFT_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_only_this_machine_can_reach_a_loopback_address(host: str, local: bool) -> None:
    assert is_loopback(host) is local


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "myhost"])
def test_another_address_needs_a_token_unless_forced(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QPeftError, match="there is no token"):
        access_for(ServerConfig(host=host))
    assert not access_for(ServerConfig(host=host, insecure=True)).needs_token
    monkeypatch.setenv("QPEFT_TOKEN", "secret")
    assert access_for(ServerConfig(host=host)).needs_token


def test_tokens_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPEFT_TOKEN", "from-environment")
    assert access_for(ServerConfig()).token_number("Bearer from-environment") == 0
    file = tmp_path / "tokens"
    file.write_text("first\n\nsecond  \n")
    access = access_for(ServerConfig(token_file=file))
    assert [access.token_number(f"Bearer {token}") for token in ("first", "second", "from-environment", "")] == [
        *(0, 1),
        *(None, None),
    ]


@pytest.mark.parametrize("content", ["", "\n \n", "two words", "naïve"])
def test_a_file_without_a_usable_token_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(content)
    with pytest.raises(QPeftError, match="token"):
        access_for(ServerConfig(token_file=file))
    with pytest.raises(QPeftError, match="cannot read the tokens"):
        access_for(ServerConfig(token_file=tmp_path / "nothing"))


def test_an_empty_variable_is_a_mistake_and_not_an_open_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPEFT_TOKEN", "")
    with pytest.raises(QPeftError, match="holds no token"):
        access_for(ServerConfig())


def test_every_path_but_health_and_the_page_needs_the_token(client_of: Any) -> None:
    with client_of(access=Access(["right"])) as client:
        for path in [*client.get("/openapi.json", headers={"authorization": "Bearer right"}).json()["paths"]]:
            method = "POST" if "rerank" in path or "score" in path or "search" in path else "GET"
            answer = client.request(method, path, **({"json": BODY} if method == "POST" else {}))
            open_path = path in ("/healthz", "/health", "/readyz")
            assert (answer.status_code == 401) is not open_path, (path, answer.status_code)
        for path in ("/openapi.json", "/metrics", "/page/search"):
            assert client.get(path).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer wrong", "Bearer right2", "Basic right", "right", "Bearer rig\xffht"]
)
def test_a_wrong_token_is_refused_and_the_right_one_is_not(client_of: Any, header: str) -> None:
    with client_of(access=Access(["right"])) as client:
        answer = client.post("/v1/rerank", json=BODY, headers={"authorization": header.encode("latin-1")})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["type"] == "authentication_error"
        assert client.post("/v1/rerank", json=BODY, headers={"authorization": "bearer right"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:8000", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("", 421),
        ("[::1", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_without_a_token_only_this_machine_may_be_named(client_of: Any, host: str, status: int) -> None:
    with client_of(access=access_for(ServerConfig())) as client:
        assert client.post("/v1/rerank", json=BODY, headers={"host": host}).status_code == status
