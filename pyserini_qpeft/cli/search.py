"""`qpeft search`: search with Pyserini and rerank the hits."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.errors import QPeftError, counted

if TYPE_CHECKING:
    from pyserini_qpeft.lucene.programs import Program

HELP = "search a Lucene or Faiss index with Pyserini's own options, and rerank the hits"

_SPLIT = "test"
_USES = """\
Every option of Pyserini's search programs is accepted too:

  qpeft search [options]                as python -m pyserini.search.lucene (--bm25, --k1, --rm3, --impact ...)
  qpeft search faiss [options]          as python -m pyserini.search.faiss (--encoder, --pooling, --l2-norm ...)
  qpeft search hybrid [options] dense [options] sparse [options] fusion [options]
                                        as python -m pyserini.search.hybrid

The word faiss can be left out if --index is a folder with a Faiss index. An index of qpeft index --dense knows its
encoder. hybrid takes the indexes in the sections dense and sparse; the texts come from the sparse one.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command; Pyserini parses those of its own search programs."""
    from pyserini_qpeft.cli.output import add_output_options
    from pyserini_qpeft.cli.reranking import add_model_options, add_ranking_options
    from pyserini_qpeft.cli.texts import add_text_options

    parser.epilog = _USES
    parser.add_argument(
        "--index", metavar="NAME", help="Lucene or Faiss index: folder or prebuilt name; hybrid search has two"
    )
    parser.add_argument(
        "--topics",
        required=True,
        metavar="NAME",
        help="queries: a file, a BEIR folder (see --split), or a name that Pyserini or ir_datasets knows",
    )
    parser.add_argument("--split", help=f"split of the BEIR folder whose queries are searched (default: {_SPLIT})")
    parser.add_argument(
        "--topics-format", default="default", metavar="FORMAT", help="format of the topics file, as in Pyserini"
    )
    parser.add_argument(
        "--hits", type=int, default=1000, metavar="INT", help="hits to find for each query (default: 1000)"
    )
    parser.add_argument("--first-stage-only", action="store_true", help="write the first stage's run, not reranked")
    add_text_options(parser, index=False)
    parser.add_argument("--sparse-index", metavar="NAME", help="Lucene index with the texts of a Faiss index")
    add_output_options(parser)
    add_ranking_options(parser.add_argument_group("ranking"), "--qpeft.")
    add_model_options(parser.add_argument_group("model"), "--qpeft.", short=("device", "dtype", "batch_tokens"))


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parses the own options; the others are for one of Pyserini's programs, so none is left over."""
    program, own, sections = split(arguments)
    args, others = parser.parse_known_args(own)
    if args.index is None and program != "hybrid":
        parser.error("the following arguments are required: --index")
    args.program = program
    args.passed_on = [*sections, "run", *others] if program == "hybrid" else others
    return args, []


def split(arguments: Sequence[str]) -> tuple["Program | None", list[str], list[str]]:
    """Splits a command line.

    Returns:
        The program that its first word names. The words of this command and of the hybrid program's section `run`. The
        other sections of the hybrid program.
    """
    from pyserini_qpeft.lucene.programs import PROGRAMS, SECTIONS

    program = next((name for name in PROGRAMS if arguments[:1] == [name]), None)
    own: list[str] = []
    sections: list[str] = []
    current = own
    for word in arguments[1:] if program else arguments:
        if program == "hybrid" and word in SECTIONS:
            current = own if word == "run" else sections
            if word == "run":
                continue
        current.append(word)
    return program, own, sections


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the command writes, by option."""
    return {"output": [args.output]}


def run(args: argparse.Namespace) -> None:
    """Searches, and reranks what is found."""
    from pyserini_qpeft.cli.output import FirstStage, read_run_config, write_first_stage, write_reranked
    from pyserini_qpeft.cli.qrels import split_in
    from pyserini_qpeft.cli.reranking import read_reranking
    from pyserini_qpeft.cli.texts import open_texts, open_topics
    from pyserini_qpeft.lucene.first_stage import search
    from pyserini_qpeft.lucene.programs import index_of_texts, program_for

    if args.hits < 1:
        raise QPeftError(f"--hits must be 1 or more, and is {args.hits}.")
    output, reranking = read_run_config(args), read_reranking(args)
    program = args.program or program_for(args.index)
    topics = open_topics(args.topics, args.topics_format, split_in(args.topics, args.split, _SPLIT))
    needs_texts = not args.first_stage_only or output.format == "jsonl"
    options = _options(args, program)
    texts = None
    if needs_texts:
        stored = None if args.corpus is not None else args.sparse_index or index_of_texts(program, options)
        texts = open_texts(args.corpus, stored)
    # Before the search, so that a model that cannot be loaded is reported at once.
    reranker = None if args.first_stage_only else reranking.load(quiet=args.quiet)
    hits = search(options, topics, program=program, texts=texts, progress=not args.quiet)
    if not any(hits.values()):
        raise QPeftError(
            f"no document was found for {counted(len(topics), 'query')} in {args.index or 'the indexes'}: "
            "were index and queries analysed for the same language (--language of the indexer and search)?"
        )
    found = FirstStage(hits, topics, texts)
    if reranker is None:
        write_first_stage(found, output)
    else:
        write_reranked(found, output, reranker)


def _options(args: argparse.Namespace, program: "Program") -> list[str]:
    """The command line of Pyserini's program."""
    hits = ["--hits", str(args.hits)]
    if program == "hybrid":
        if args.index is not None or args.sparse_index is not None:
            raise QPeftError("hybrid search has an --index in each of its sections dense and sparse, and no other.")
        return [*args.passed_on, *hits]
    shared = [] if args.sparse_index is None else ["--sparse-index", args.sparse_index]
    if program == "faiss" and "device" in args:
        shared += ["--device", args.device]
    return ["--index", args.index, *hits, *shared, *args.passed_on]
