"""`qpeft index`: a Lucene or Faiss index of a corpus."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.errors import QPeftError, counted

if TYPE_CHECKING:
    from pyserini_qpeft.lucene import IndexReport

HELP = "build a Lucene index, or with --dense a Faiss index, of a BEIR folder or a file of JSON documents"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.cli.texts import CORPUS
    from pyserini_qpeft.lucene.dense_index import EncodingConfig
    from pyserini_qpeft.lucene.encoder_config import EncoderConfig

    parser.add_argument(
        "--corpus",
        required=True,
        type=Path,
        metavar="PATH",
        help=f"{CORPUS}, plain or gzipped",
    )
    parser.add_argument("--index", required=True, type=Path, metavar="FOLDER", help="folder to write the index to")
    parser.add_argument("--overwrite", action="store_true", help="replace the index if the folder holds one already")
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    parser.add_argument(
        "--language",
        metavar="CODE",
        help="language of a Lucene index, such as zh: how texts, and later queries, are analysed (default: en)",
    )
    parser.add_argument("--dense", action="store_true", help="build a Faiss index of vectors; needs --encoder")
    dense = parser.add_argument_group("dense index")
    add_options(dense, EncoderConfig)
    add_options(dense, EncodingConfig)


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the command writes, by option."""
    return {"index": [args.index]}


def run(args: argparse.Namespace) -> None:
    """Builds the index and prints the counts."""
    report = _dense(args) if args.dense else _lucene(args)
    kind = "blank" if args.dense else "without a word that can be searched"
    empty = f", {report.empty} of them {kind}" if report.empty else ""
    print(f"{args.index}: {counted(report.documents, 'document')}{empty}, {report.seconds:.1f} s", file=sys.stderr)


def _lucene(args: argparse.Namespace) -> "IndexReport":
    from pyserini_qpeft.lucene import build_index
    from pyserini_qpeft.lucene.record import ENGLISH

    for option in _dense_options(args):
        raise QPeftError(f"{option} belongs to a dense index: add --dense, or leave it out.")
    language = args.language or ENGLISH
    return build_index(args.corpus, args.index, language=language, overwrite=args.overwrite, progress=not args.quiet)


def _dense(args: argparse.Namespace) -> "IndexReport":
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.lucene import EncoderConfig, EncodingConfig, build_dense_index

    if args.language is not None:
        raise QPeftError("--language belongs to a Lucene index: an encoder reads the languages that it was trained on.")
    if "encoder" not in args:
        raise QPeftError("a dense index needs the encoder of its passages: give its folder with --encoder.")
    if args.quiet:
        from transformers.utils import logging

        logging.disable_progress_bar()
    config, encoding = read_options(EncoderConfig, args), read_options(EncodingConfig, args)
    return build_dense_index(
        args.corpus, args.index, config, encoding, overwrite=args.overwrite, progress=not args.quiet
    )


def _dense_options(args: argparse.Namespace) -> list[str]:
    from pyserini_qpeft.lucene import EncoderConfig, EncodingConfig

    names = [field.name for config in (EncoderConfig, EncodingConfig) for field in fields(config)]
    return [f"--{name.replace('_', '-')}" for name in names if name in args]
