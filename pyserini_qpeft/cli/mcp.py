"""`qpeft mcp`: the service for agents (Model Context Protocol)."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HELP = "serve reranking and search to agents over MCP, on standard input and output or HTTP"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.cli.serve import add_service_options
    from pyserini_qpeft.service.config import ServerConfig

    parser.add_argument(
        "--transport",
        choices=("stdio", "http"),
        default="stdio",
        help="stdio: the agent starts this program; http: agents connect to http://HOST:PORT/mcp (default: stdio)",
    )
    add_service_options(parser)
    add_options(parser.add_argument_group("server (for http)"), ServerConfig)


def run(args: argparse.Namespace) -> None:
    """Serve until the agent closes the input, or until Ctrl-C or SIGTERM."""
    import asyncio

    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.cli.serve import read_service_config
    from pyserini_qpeft.service.access import access_for
    from pyserini_qpeft.service.config import ServerConfig
    from pyserini_qpeft.service.engine import Service
    from pyserini_qpeft.service.names import check_indexes
    from pyserini_qpeft.service.server import serve

    server, config = read_options(ServerConfig, args), read_service_config(args)
    service = Service(config)
    check_indexes(service.indexes)
    if args.transport == "stdio":
        from pyserini_qpeft.service.stdio import serve_stdio

        asyncio.run(serve_stdio(service, server.log_level))
        return

    access = access_for(server)

    def make_app() -> "ASGIApp":
        from pyserini_qpeft.service.tools import create_mcp, guarded_mcp

        return guarded_mcp(create_mcp(service), service, access)

    def ready(url: str) -> None:
        print(f"serving MCP on {url}/mcp", flush=True)

    asyncio.run(serve(make_app, service, server, config.limits, ready))
