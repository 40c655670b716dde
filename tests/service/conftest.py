"""A service with stand-ins for its worker processes, as an application in this process and as a server on loopback."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from starlette.testclient import TestClient

from pyserini_qpeft.service import engine
from pyserini_qpeft.service.app import create_app
from pyserini_qpeft.service.config import LimitsConfig, ServiceConfig

CONFIG = ServiceConfig(adapters=("other=attention",), index=("docs=/nowhere",))


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SCORING", "stand_ins:StandInScoring")
    monkeypatch.setattr(engine, "SEARCHING", "stand_ins:StandInSearching")


@pytest.fixture
def client_of() -> Callable[..., Any]:
    """Runs an application with other settings: `with client_of(limits={...}, access=...) as client`."""

    @contextmanager
    def running(limits: dict[str, Any] | None = None, access: Any = None, **settings: Any) -> Iterator[TestClient]:
        config = replace(CONFIG, limits=LimitsConfig(**(limits or {})), **settings)
        service = engine.Service(config)
        with TestClient(create_app(service, access), raise_server_exceptions=False) as client:
            client.service = service
            yield client

    return running


@pytest.fixture
def client(client_of: Callable[..., Any]) -> Iterator[TestClient]:
    with client_of() as client:
        yield client
