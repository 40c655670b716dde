"""The tools of the MCP server, called by fastmcp's own client over stdio and HTTP."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastmcp", reason="MCP needs fastmcp")

from fastmcp import Client
from fastmcp.client.auth import BearerAuth
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from fastmcp.exceptions import ToolError
from servers import ROOT, running
from stand_ins import CALIBRATED, probability_of, score_of

from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.service import engine
from pyserini_qpeft.service.answers import shown_score
from pyserini_qpeft.service.config import LimitsConfig, ServiceConfig
from pyserini_qpeft.service.tools import create_mcp
from pyserini_qpeft.windows.config import WindowConfig

STAND_IN = Path(__file__).with_name("stand_in_server.py")
OPTIONS = ("--index", "docs=/nowhere", "--adapters", "other=attention")
TEXTS = ["a", "b", "c"]


async def check(client: Client[Any]) -> None:
    tools = {tool.name: tool for tool in await client.list_tools()}
    assert set(tools) == {"rerank", "search_and_rerank"}
    assert all(tool.description for tool in tools.values())
    for model in (None, "other"):
        answer = await client.call_tool("rerank", {"query": "q", "documents": TEXTS, "model": model, "top_n": 2})
        scores = {text: shown_score(score_of(model or "tiny", "q", text)) for text in TEXTS}
        best = sorted(TEXTS, key=lambda text: -scores[text])[:2]
        ranked = answer.structured_content["result"]
        assert [(one["text"], one["score"], TEXTS[one["index"]]) for one in ranked] == [
            (text, scores[text], text) for text in best
        ]
    answer = await client.call_tool("search_and_rerank", {"query": "q", "k": 2})
    found = answer.structured_content["result"]
    assert [one["rank"] for one in found] == [1, 2]
    fields = {"docid", "rank", "score", "probability", "title", "text", "best_passage", "stage"}
    assert all(set(one) == fields for one in found)
    with pytest.raises(ToolError, match="the query is empty"):
        await client.call_tool("rerank", {"query": " ", "documents": TEXTS})
    with pytest.raises(ToolError, match="use one of tiny, other"):
        await client.call_tool("rerank", {"query": "q", "documents": TEXTS, "model": "none"})


def test_tools_in_this_process() -> None:
    async def checked() -> None:
        config = ServiceConfig(
            adapters=("other=attention",), index=("docs=/nowhere",), limits=LimitsConfig(documents=3)
        )
        async with engine.Service(config) as service, Client(create_mcp(service)) as client:
            with pytest.raises(ToolError, match="at most 3 hits"):
                await client.call_tool("search_and_rerank", {"query": "q"})
            with pytest.raises(ToolError, match="more than the 3"):
                await client.call_tool("rerank", {"query": "q", "documents": ["a"] * 4})
        async with engine.Service() as service, Client(create_mcp(service)) as client:
            assert [tool.name for tool in await client.list_tools()] == ["rerank"]

    asyncio.run(checked())


def test_tools_show_the_probability_the_best_passage_and_the_stage() -> None:
    async def checked() -> None:
        config = ServiceConfig(
            adapters=(f"{CALIBRATED}=attention",),
            index=("docs=/nowhere",),
            rerank=RerankConfig(windows=WindowConfig()),
        )
        async with engine.Service(config) as service, Client(create_mcp(service)) as client:
            asked = {"query": "q", "documents": ["a text", "another"], "model": CALIBRATED}
            for one in (await client.call_tool("rerank", asked)).structured_content["result"]:
                likelihood = score_of(CALIBRATED, "q", one["text"])
                assert one["score"] == one["probability"] == pytest.approx(probability_of(likelihood))
                assert one["best_passage"] == one["text"][len(one["text"]) // 2 :]
                assert one["stage"] is None
            asked = {"query": "q", "model": f"tiny@3,{CALIBRATED}@1", "k": 3}
            found = (await client.call_tool("search_and_rerank", asked)).structured_content["result"]
            assert [one["stage"] for one in found] == [CALIBRATED, "tiny", "tiny"]
            likelihood = score_of(CALIBRATED, "q", found[0]["text"])
            assert found[0]["probability"] == pytest.approx(probability_of(likelihood))
            assert [one["probability"] for one in found[1:]] == [None, None]
            asked = {"query": "q", "documents": ["a text", "another"], "model": "tiny", "milliseconds": 60_000}
            assert len((await client.call_tool("rerank", asked)).structured_content["result"]) == 2

    asyncio.run(checked())


def test_tools_over_stdio() -> None:
    async def checked() -> None:
        transport = StdioTransport(
            sys.executable, [str(STAND_IN), "mcp", *OPTIONS], env={"PYTHONPATH": str(ROOT)}, keep_alive=False
        )
        async with Client(transport) as client:
            await check(client)

    asyncio.run(checked())


def test_tools_over_http_with_a_token() -> None:
    async def checked(url: str) -> None:
        transport = StreamableHttpTransport(f"{url}/mcp", auth=BearerAuth("right"))
        async with Client(transport) as client:
            await check(client)
        with pytest.raises(Exception, match="error response"):
            async with Client(f"{url}/mcp") as client:
                await client.list_tools()

    command = (sys.executable, str(STAND_IN), "mcp", "--transport", "http", "--port", "0")
    with running(*OPTIONS, command=command, QPEFT_TOKEN="right") as server:
        asyncio.run(checked(server.url))
        assert server.post({}, "/mcp").status_code == 401
        headers = {"Authorization": "Bearer right", "Accept": "application/json, text/event-stream"}
        # An agent of the protocol with sessions: none stays in memory.
        client = {"name": "agent", "version": "1"}
        begin = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": client}
        answer = server.post(
            {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin}, "/mcp", headers=headers
        )
        assert answer.status_code == 200
        assert "mcp-session-id" not in answer.headers
        wrong = {"name": "rerank", "arguments": {"query": "confidential", "documents": ["confidential", *range(99)]}}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": wrong}
        answer = server.post(call, "/mcp", headers=headers)
        assert "documents.1" in answer.text
        assert "documents.2" not in answer.text
        lines = [json.loads(line) for line in server.logged().splitlines()]
        assert all({"time", "level", "event"} <= set(line) for line in lines)
        assert "confidential" not in server.logged()
        assert server.stop() == 0
