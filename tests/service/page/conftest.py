"""A server with the page, over a service without a model."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from service.page.stub import StubService
from starlette.testclient import TestClient

from pyserini_qpeft.service.access import Access
from pyserini_qpeft.service.app import PAGE_PATHS
from pyserini_qpeft.service.failures import add_failures
from pyserini_qpeft.service.gate import Gate
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.page.routes import page_router

TOKEN = "sesame"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def app_of(service: Any, *, examples: tuple[str, ...] = (), token: str | None = None) -> Any:
    """The page alone, over a service that need not be a real one, behind the gate of the real server."""
    app = FastAPI()
    app.include_router(page_router(service, examples))
    metrics = Metrics()
    add_failures(app, metrics)
    access = Access([token] if token else [])
    return Gate(app, access, service.limits, metrics, open_paths=PAGE_PATHS)


@contextmanager
def running(app: Any) -> Iterator[str]:
    """A server on a free port of this machine, and its address."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    # A browser that was closed in the middle of a request must not keep the server, and with it the tests, for ever.
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        taken.close()


@pytest.fixture
def client() -> TestClient:
    return TestClient(app_of(StubService(), examples=("the longest river",)))


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of the page over two models and one index."""
    with running(app_of(StubService(), examples=("the longest river", "a capital of Egypt"))) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium: Debian's, or the one that playwright has.

    Playwright's event loop runs as long as this does, and `asyncio.run` in other tests would fail: one module at most.
    """
    sync = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync.sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("needs a Chromium: apt-get install chromium, or playwright install chromium")
        started = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page; at the end, the console of the browser must be without errors."""
    contexts, complaints = [], []

    def open_(
        at: str = address,
        *,
        width: int = 1400,
        expected: tuple[str, ...] = (),
        ready: str = "#model option",
        **settings: Any,
    ) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)

        def listen(message: Any) -> None:
            if message.type in ("error", "warning") and not any(part in message.text for part in expected):
                complaints.append(message.text)

        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(at)
        page.locator(ready).first.wait_for(state="attached")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
