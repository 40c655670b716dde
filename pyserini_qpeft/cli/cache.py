"""`qpeft cache`: read the passages of a corpus in advance, and look after the folder that keeps them."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.passage_folder import PassageFolder
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer
    from pyserini_qpeft.windows.config import WindowConfig

Texts = Callable[[], Iterable[str]]
"""Gives the texts from the first to the last, as often as it is called."""

HELP = "read the passages of a corpus into a passage cache on disk in advance; list or clear such a cache"

_SCORING = ("passage_cache_folder", "passage_cache_limit", "passage_cache_dtype", "passage_tokens", "batch_tokens")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.cli.texts import CORPUS
    from pyserini_qpeft.cli.windows import add_window_options
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.scoring.config import ScoringConfig

    texts = parser.add_mutually_exclusive_group()
    texts.add_argument("--corpus", type=Path, metavar="PATH", help=f"{CORPUS}, whose passages are read")
    texts.add_argument("--index", metavar="NAME", help="Lucene index (folder or prebuilt name) whose passages are read")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--dry-run", action="store_true", help="say how large the passages would be, and read none")
    action.add_argument("--list", action="store_true", help="list the models whose passages the folder holds")
    action.add_argument(
        "--clear", action="store_true", help="remove all passages, or with --model those of one model, from the folder"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    add_options(parser.add_argument_group("cache"), ScoringConfig, _SCORING)
    add_window_options(parser.add_argument_group("long documents"))
    add_options(parser.add_argument_group("model"), ModelConfig)
    parser.epilog = (
        "Give `qpeft rerank`, `search` or `serve` the same model, --passage-cache-folder, --passage-cache-dtype, "
        "--passage-tokens and windows: they then use the passages that were read."
    )


def run(args: argparse.Namespace) -> None:
    """Do what is asked for, and print a line about it."""
    if "passage_cache_folder" not in args:
        raise QPeftError("name the folder of the cache with --passage-cache-folder.")
    if args.passage_cache_folder.is_file():
        raise QPeftError(f"{args.passage_cache_folder} is a file, where the folder of a cache was expected.")
    if args.list or args.clear:
        if args.corpus is not None or args.index is not None:
            raise QPeftError("--list and --clear read no passages: leave out --corpus and --index.")
        _refuse_reading_options(args)
        _list(args) if args.list else _clear(args)
        return
    if args.corpus is None and args.index is None:
        raise QPeftError("name the passages with --corpus or --index.")
    _read(args)


def _refuse_reading_options(args: argparse.Namespace) -> None:
    """Refuse the options that say how passages are read, where none are."""
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.windows.config import WindowConfig

    names = [one.name for config in (ModelConfig, WindowConfig) for one in fields(config)]
    names += [*_SCORING, *(["windows"] if args.windows is not None else [])]
    followed = {"passage_cache_folder", "passage_cache_limit", *(["model"] if args.clear else [])}
    for name in names:
        if name in args and name not in followed:
            action = "list" if args.list else "clear"
            raise QPeftError(f"{name.replace('_', '-')} has no effect on --{action}: leave it out.")


def _read(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from pyserini_qpeft.cli.windows import read_windows
    from pyserini_qpeft.scoring.sizes import size_text

    windows, texts = read_windows(args), _texts(args)
    scorer = _scorer(args)
    # Imported after loading: it imports torch, and a model that is not there should be reported at once.
    from pyserini_qpeft.scoring.pre_reading import PreReader

    reader, folder = PreReader(scorer), args.passage_cache_folder
    passages = texts if windows is None else _in_windows(texts, scorer, windows)
    plan = reader.plan(passages())
    stored = "" if plan.missing == plan.passages else f"; {plan.passages - plan.missing:,} of them are stored already"
    limit = "" if (most := reader.folder.limit) is None else f", limit {size_text(most)}"
    print(
        f"{folder}: {plan.passages:,} {'passages' if windows is None else 'windows'} with {plan.tokens:,} tokens take "
        f"{size_text(plan.bytes)} ({size_text(reader.folder.free)} free{limit}){stored}",
        file=sys.stderr,
    )
    if args.dry_run or not plan.missing:
        return
    start = time.perf_counter()
    with tqdm(desc="read", total=plan.missing, unit=" passages", smoothing=0, disable=args.quiet) as bar:
        count = reader.read(passages(), bar.update)
    seconds = time.perf_counter() - start
    print(
        f"{folder}: {count:,} passages read in {seconds:,.1f} s, {plan.missing_tokens / seconds:,.0f} tokens/s",
        file=sys.stderr,
    )


def _scorer(args: argparse.Namespace) -> "LikelihoodScorer":
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.models.loading import load_model
    from pyserini_qpeft.scoring.config import ScoringConfig

    config, scoring = read_options(ModelConfig, args), read_options(ScoringConfig, args)
    if args.quiet:
        from transformers.utils import logging

        logging.disable_progress_bar()
    model, tokenizer = load_model(config)
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer

    return LikelihoodScorer(model, tokenizer, scoring)


def _in_windows(texts: "Texts", scorer: "LikelihoodScorer", windows: "WindowConfig") -> "Texts":
    """The passages of documents that are scored through windows.

    Raises:
        QPeftError: A window is longer than what is read of a passage.
    """
    from pyserini_qpeft.windows.cutting import WindowCutter, passages_of_windows

    most = scorer.encoder.passage_tokens
    windows.check_size(most)
    cutter = WindowCutter(windows, windows.size or most, scorer.token_spans)
    return lambda: passages_of_windows(texts(), cutter, windows)


def _texts(args: argparse.Namespace) -> "Texts":
    """The texts of the corpus or the index."""
    if args.index is not None:
        from pyserini_qpeft.lucene import StoredTexts

        stored = StoredTexts(args.index)
        return lambda: (text for docid in stored.docids() if (text := stored(docid)) is not None)
    from pyserini_qpeft.data.corpus import corpus_file, corpus_passages
    from pyserini_qpeft.data.irds import is_irds

    file = corpus_file(args.corpus)
    if file.exists() and not file.is_file() and not is_irds(file):  # a pipe can be read once
        once = [text for _, text in corpus_passages(file)]
        return lambda: once
    return lambda: (text for _, text in corpus_passages(file))


def _list(args: argparse.Namespace) -> None:
    from pyserini_qpeft.scoring.sizes import size_text

    folder = _existing(args)
    models, limit = folder.models(), folder.limit
    rows = [("model", "dtype", "kept as", "passages", "size", "last used")]
    for one in models:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used)) if one.passages else "never"
        rows.append((one.model, one.dtype, one.kept_as, f"{one.passages:,}", size_text(one.bytes), used))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows if models else ():
        cells = [
            f"{cell:>{width}}" if 3 <= place <= 4 else f"{cell:{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    total = sum(one.bytes for one in models)
    print(
        f"{folder.folder}: {sum(one.passages for one in models):,} passages, {size_text(total)}, "
        f"{'no limit' if limit is None else f'limit {size_text(limit)}'}",
        file=sys.stderr,
    )


def _clear(args: argparse.Namespace) -> None:
    from pyserini_qpeft.models.registry import shown_name
    from pyserini_qpeft.scoring.sizes import size_text

    folder = _existing(args)
    model = shown_name(args.model) if "model" in args else None
    if model is not None and model not in (known := sorted({one.model for one in folder.models()})):
        others = f"but of: {', '.join(known)}" if known else "and of no other"
        raise QPeftError(f"{folder.folder} holds no passages of the model {model!r} ({others}).")
    count, size = folder.clear(model)
    print(f"{folder.folder}: {count:,} passages removed, {size_text(size)}", file=sys.stderr)


def _existing(args: argparse.Namespace) -> "PassageFolder":
    from pyserini_qpeft.scoring.passage_folder import PassageFolder

    place: Path = args.passage_cache_folder
    if not place.is_dir():
        raise QPeftError(f"there is no folder {place}.")
    return PassageFolder(place, getattr(args, "passage_cache_limit", None))
