"""`qpeft serve`: the service over HTTP."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pyserini_qpeft.service.config import ServiceConfig

HELP = "serve reranking and search over HTTP, for the clients of Cohere, Jina, vLLM, TEI and others"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.service.config import ServerConfig, ServiceConfig

    add_service_options(parser)
    add_options(parser, ServiceConfig, ("examples",))
    parser.add_argument(
        "--demo",
        nargs="?",
        const=Path("demo-output"),
        type=Path,
        metavar="FOLDER",
        help="serve the documentation of this Python, with the model and the questions of qpeft demo; its index is in "
        "this folder, or is built there (default: demo-output)",
    )
    add_options(parser.add_argument_group("server"), ServerConfig)


def add_service_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is served, and its limits."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.cli.reranking import add_model_options, add_ranking_options
    from pyserini_qpeft.service.config import LimitsConfig, ServiceConfig

    add_options(parser, ServiceConfig, ("adapters", "index", "batch_wait_ms", "turn_seconds"))
    add_model_options(parser.add_argument_group("model"))
    add_ranking_options(parser.add_argument_group("reranking"))
    add_options(parser.add_argument_group("limits"), LimitsConfig, prefix="--max-")


def read_service_config(args: argparse.Namespace) -> "ServiceConfig":
    """The service that the options describe."""
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.cli.reranking import read_reranking
    from pyserini_qpeft.service.config import LimitsConfig, ServiceConfig

    reranking = read_reranking(args)
    return read_options(
        ServiceConfig,
        args,
        model=reranking.model,
        rerank=reranking.config,
        cascade=args.cascade,
        adaptive=reranking.adaptive,
        rule=reranking.rule,
        limits=read_options(LimitsConfig, args),
        adapters=tuple(getattr(args, "adapters", ())),
        index=tuple(getattr(args, "index", ())),
        examples=tuple(getattr(args, "examples", ())),
    )


def run(args: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    import asyncio

    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.service.access import access_for
    from pyserini_qpeft.service.config import ServerConfig
    from pyserini_qpeft.service.engine import Service
    from pyserini_qpeft.service.names import check_indexes
    from pyserini_qpeft.service.server import serve

    server, config = read_options(ServerConfig, args), read_service_config(args)
    access = access_for(server)
    if args.demo is not None:
        from pyserini_qpeft.cli.served_demo import with_demo

        config = with_demo(config, args.demo)
    service = Service(config)
    check_indexes(service.indexes)

    def make_app() -> "FastAPI":
        # FastAPI takes half a second to import. Meanwhile the model is loaded in its own process.
        from pyserini_qpeft.service.app import create_app

        return create_app(service, access)

    def ready(url: str) -> None:
        print(f"serving {', '.join(service.models)} on {url}", flush=True)

    asyncio.run(serve(make_app, service, server, config.limits, ready))
