"""MCP over standard input and output."""

import asyncio
import logging.config
from importlib import import_module

from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.logs import log_config


async def serve_stdio(service: Service, log_level: str) -> None:
    """Serve the agent that started this program, over standard input and output, until it closes the input.

    Args:
        service: Is started and stopped.
        log_level: The least severe messages that are logged.
    """
    logging.config.dictConfig(log_config(log_level))
    # fastmcp takes two seconds to import. Meanwhile the model is loaded in its own process.
    importing = asyncio.create_task(asyncio.to_thread(import_module, "pyserini_qpeft.service.tools"))
    async with service:
        tools = await importing
        logging.config.dictConfig(log_config(log_level))  # again: fastmcp adds a handler when it is imported
        await tools.create_mcp(service).run_stdio_async(show_banner=False)
