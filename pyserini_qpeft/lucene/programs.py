"""Pyserini's three search programs: their command lines, checked and completed before they run.

`lucene` is `python -m pyserini.search.lucene`, and so on. What an index was built with is filled in: the language of a
Lucene index, the encoder of a Faiss index.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.encoder_config import EncoderConfig
from pyserini_qpeft.lucene.faiss_index import query_encoder_of
from pyserini_qpeft.lucene.kinds import DOCIDS, faiss_index_folder, index_folder, is_faiss_index
from pyserini_qpeft.lucene.loading import load_pyserini
from pyserini_qpeft.lucene.record import ENGLISH, read_record

Program = Literal["lucene", "faiss", "hybrid"]
PROGRAMS: tuple[Program, ...] = get_args(Program)
SECTIONS = ("dense", "sparse", "fusion", "run")
"""Words of the hybrid program, each followed by options: its two halves, their fusion, and what is searched."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that is ready to run.

    Attributes:
        module: The program.
        arguments: Its options, without topics and output. More options for the run may follow them.
        encoder: The encoder of queries, if it is not one that the program chooses itself.
        device: Device of that encoder.
        dense_index: Folder of the Faiss index, if there is one.
    """

    module: str
    arguments: list[str]
    encoder: EncoderConfig | None = None
    device: str = "cpu"
    dense_index: Path | None = None


def program_for(index: str) -> Program:
    """The program that searches an index: faiss for a folder with a Faiss index, else lucene."""
    return "faiss" if is_faiss_index(Path(index)) else "lucene"


def command(program: Program, arguments: Sequence[str]) -> Command:
    """Checks and completes the command line of a search program.

    Args:
        program: One of Pyserini's search programs.
        arguments: Its options, without topics and output.

    Raises:
        QPeftError: An option is wrong, an index does not exist, or an option does not agree with the index.
    """
    if program == "lucene":
        return Command(module(program), _lucene(arguments))
    if program == "faiss":
        return _faiss(arguments)
    sections = in_sections(arguments)
    dense = _faiss(sections["dense"])
    completed = {**sections, "dense": dense.arguments, "sparse": _lucene(sections["sparse"])}
    words = [word for name in SECTIONS for word in (name, *completed[name])]
    return replace(dense, module=module(program), arguments=words)


def index_of_texts(program: Program, arguments: Sequence[str]) -> str:
    """The Lucene index that stores the texts of the hits: the index itself, or the one that goes with a Faiss index.

    Raises:
        QPeftError: Only the Faiss index is known, and it stores no text.
    """
    if program == "hybrid":
        arguments = in_sections(arguments)["sparse"]
    parser = OptionParser(prog=module(program), add_help=False, allow_abbrev=False)
    parser.add_argument("--index", required=True)
    index = str(parser.parse_known_args(list(arguments))[0].index)
    if program != "faiss":
        return index
    if Path(index).exists():
        raise QPeftError(
            f"the Faiss index {index} stores no text: give the texts with --corpus (BEIR folder or file) or "
            "--sparse-index (Lucene index)."
        )
    try:
        return str(load_pyserini("pyserini.util").get_sparse_index(index))
    except ValueError as error:
        raise QPeftError(f"{index} is neither a folder nor a prebuilt Faiss index that Pyserini knows.") from error


def module(program: Program) -> str:
    """The name of the module that is the program."""
    return f"pyserini.search.{program}"


def in_sections(arguments: Sequence[str]) -> dict[str, list[str]]:
    """The options of each section of the hybrid program, split as the program splits them; `run` comes last.

    Raises:
        QPeftError: An option stands before the first section, or the section dense or sparse is missing.
    """
    sections: dict[str, list[str]] = {name: [] for name in SECTIONS}
    current: list[str] | None = None
    for word in arguments:
        if word in SECTIONS:
            current = sections[word]
        elif current is None:
            raise QPeftError(f"hybrid search: {word!r} must stand in a section ({', '.join(SECTIONS)}).")
        else:
            current.append(word)
    for name in ("dense", "sparse"):
        if not sections[name]:
            raise QPeftError(
                f"hybrid search needs the sections dense and sparse, each with an --index: {name} is missing."
            )
    return sections


class OptionParser(argparse.ArgumentParser):
    """Raises an error in place of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raises the message as a `QPeftError`."""
        raise QPeftError(f"Pyserini's search options: {message} (see python -m {self.prog} --help).")


def _lucene(arguments: Sequence[str]) -> list[str]:
    define = load_pyserini("pyserini.search.lucene.__main__").define_search_args
    args, _ = _parsed(module("lucene"), define, [*arguments, "--topics", ""], language=None)
    recorded = read_record(index_folder(args.index)).get("language")  # Pyserini itself ends with a traceback
    if args.language is not None and recorded is not None and args.language != recorded:
        raise QPeftError(
            f"the index {args.index} was analysed for the language {recorded!r}, and cannot be searched with "
            f"--language {args.language}: leave the option out."
        )
    if args.language is None and recorded not in (None, ENGLISH):
        return [*arguments, "--language", str(recorded)]
    return list(arguments)


def _faiss(arguments: Sequence[str]) -> Command:
    define = load_pyserini("pyserini.search.faiss.__main__").define_dsearch_args
    unset = dict.fromkeys(("encoder", "pooling", "l2_norm", "query_prefix"))
    args, _ = _parsed(module("faiss"), define, arguments, others=True, **unset)
    folder = faiss_index_folder(args.index)
    if args.searcher.lower() != "bpr" and not (folder / DOCIDS).is_file():
        raise QPeftError(f"the Faiss index {args.index} has no file {DOCIDS}, with the docid of each vector on a line.")
    found = Command(module("faiss"), list(arguments), dense_index=folder)
    if args.encoder_class is not None or args.encoded_queries is not None:
        return found
    encoder = query_encoder_of(folder, **{name: getattr(args, name) for name in unset})
    if encoder is None:
        return found
    own = ["--encoder", encoder.encoder, "--encoder-class", "auto"]
    return replace(found, arguments=[*arguments, *own], encoder=encoder, device=args.device)


def _parsed(
    prog: str,
    define: Callable[[argparse.ArgumentParser], None],
    arguments: Sequence[str],
    *,
    others: bool = False,
    **unset: Any,
) -> tuple[Any, list[str]]:
    """The options of a program, and words that it does not define if `others` may be among them.

    `unset` has the values of options that are not given, in place of their defaults.
    """
    parser = OptionParser(prog=prog, add_help=False)
    define(parser)
    args, unknown = parser.parse_known_args(list(arguments), namespace=argparse.Namespace(**unset))
    if unknown and not others:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return args, unknown
