"""`qpeft rerank`: rerank a stored first-stage run."""

import argparse
from functools import partial
from pathlib import Path

HELP = "rerank the hits of a stored run (TREC, MS MARCO, or JSON such as Pyserini's and rank_llm's)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.output import add_output_options
    from pyserini_qpeft.cli.passages import add_passage_options
    from pyserini_qpeft.cli.reranking import add_model_options, add_ranking_options
    from pyserini_qpeft.cli.texts import add_text_options

    parser.add_argument("--run", type=Path, metavar="FILE", help="the first stage's hits")
    add_passage_options(parser)
    parser.add_argument(
        "--topics",
        metavar="NAME",
        help="queries: a file, a BEIR folder, or a name that Pyserini or ir_datasets knows; not needed if the run "
        "holds them",
    )
    add_text_options(parser)
    add_output_options(parser)
    add_ranking_options(parser.add_argument_group("ranking"))
    add_model_options(parser.add_argument_group("model"))
    engine = parser.add_argument_group("several machines")
    engine.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="score in this process, or on a Ray cluster (default: local)",
    )
    engine.add_argument(
        "--workers", type=int, metavar="INT", help="ray: number of workers (default: one per GPU, or per processor)"
    )
    engine.add_argument("--ray-address", metavar="ADDRESS", help="ray: address of the cluster (default: this machine)")


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the command writes, by option."""
    return {"output": [args.output]}


def run(args: argparse.Namespace) -> None:
    """Read everything, then rerank; Java starts only if an index or a topic set of Pyserini is named."""
    from pyserini_qpeft.cli.output import FirstStage, read_run_config, write_reranked
    from pyserini_qpeft.cli.passages import read_hits
    from pyserini_qpeft.cli.reranking import read_reranking
    from pyserini_qpeft.cli.texts import texts_of_run, topics_of_run
    from pyserini_qpeft.data.runs import format_of
    from pyserini_qpeft.errors import QPeftError

    output, reranking = read_run_config(args), read_reranking(args)
    if args.engine == "local":
        for name in ("workers", "ray_address"):
            if getattr(args, name) is not None:
                raise QPeftError(f"--{name.replace('_', '-')} has no effect on one machine: add --engine ray.")
    elif args.workers is not None and args.workers < 1:
        raise QPeftError(f"--workers must be 1 or more, and is {args.workers}.")
    source, hits = read_hits(args)
    if args.topics is None and not format_of(source).holds_queries:
        raise QPeftError(f"{source} holds no queries: name them with --topics.")
    topics = topics_of_run(hits, source, args.topics)
    texts = texts_of_run(hits, source, args.corpus, args.index, reranking.needed_texts)
    reranker = reranking.load(quiet=args.quiet)
    engine = None
    if args.engine == "ray":
        from pyserini_qpeft.engines.ray_engine import RayEngine

        engine = RayEngine(partial(reranking.load, quiet=True), args.workers, args.ray_address)
    write_reranked(FirstStage(hits, topics, texts), output, reranker, engine)
