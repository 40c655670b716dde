"""`qpeft search`: search with Pyserini and rerank the hits."""

import argparse
from pathlib import Path

from pyserini_qpeft.errors import QPeftError

HELP = "search a Lucene index with Pyserini's own options, and rerank the hits"
PASSES_ON = "python -m pyserini.search.lucene"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options; Pyserini parses those of its own search program."""
    from pyserini_qpeft.cli.output import add_output_options
    from pyserini_qpeft.cli.reranking import add_model_options, add_ranking_options
    from pyserini_qpeft.cli.texts import add_text_options

    parser.epilog = (
        f"Every option of {PASSES_ON} is accepted too (--bm25, --k1, --rm3, --impact, --dense, --threads ...)."
    )
    parser.add_argument("--index", required=True, metavar="NAME", help="Lucene index: a folder or a prebuilt name")
    parser.add_argument(
        "--topics",
        required=True,
        metavar="NAME",
        help="queries: a file, or a name that Pyserini or ir_datasets knows",
    )
    parser.add_argument(
        "--topics-format", default="default", metavar="FORMAT", help="format of the topics file, as in Pyserini"
    )
    parser.add_argument(
        "--hits", type=int, default=1000, metavar="INT", help="hits to find for each query (default: 1000)"
    )
    parser.add_argument("--first-stage-only", action="store_true", help="write the first stage's run, not reranked")
    add_text_options(parser, index=False)
    add_output_options(parser)
    add_ranking_options(parser.add_argument_group("ranking"), "--qpeft.")
    add_model_options(parser.add_argument_group("model"), "--qpeft.", short=("device", "dtype", "batch_tokens"))


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the verb writes, by option."""
    return {"output": [args.output]}


def run(args: argparse.Namespace) -> None:
    """Search, and rerank what is found."""
    from pyserini_qpeft.cli.output import read_run_config, write_first_stage, write_reranked
    from pyserini_qpeft.cli.reranking import load_reranker, read_model_config, read_rerank_config
    from pyserini_qpeft.cli.texts import open_texts, open_topics
    from pyserini_qpeft.lucene.first_stage import search

    output, config = read_run_config(args), read_rerank_config(args)
    topics = open_topics(args.topics, args.topics_format)
    needs_texts = not args.first_stage_only or output.format == "jsonl"
    texts = open_texts(args.corpus, args.index) if needs_texts else None
    # Before the search, so that a model that cannot be loaded is reported at once.
    reranker = None if args.first_stage_only else load_reranker(read_model_config(args), config, quiet=args.quiet)
    options = ["--index", args.index, "--hits", str(args.hits), *args.passed_on]
    hits = search(options, topics, progress=not args.quiet)
    if not any(hits.values()):
        raise QPeftError(
            f"none of the {len(topics)} queries found a document in {args.index}: were index and queries analysed for "
            "the same language (--language of Pyserini's indexer and search)?"
        )
    if reranker is None:
        write_first_stage(hits, topics, texts, output)
    else:
        write_reranked(hits, topics, texts, output, reranker)
