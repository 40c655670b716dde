"""`qpeft explain`: the hints of a passage, and the score of each token of the query, under each model of a cascade."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyserini_qpeft.reranking.explanation import Explanation, TokenScore

HELP = "show the hints of a passage, and the score of each query token with hints and without"

_SHOWN_CHARACTERS = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.reranking import add_cascade_option, add_model_options
    from pyserini_qpeft.cli.texts import add_text_options
    from pyserini_qpeft.cli.windows import add_window_options

    parser.add_argument("--query", required=True, metavar="TEXT", help="the query")
    passage = parser.add_mutually_exclusive_group(required=True)
    passage.add_argument("--text", metavar="TEXT", help="the passage")
    passage.add_argument("--docid", help="the passage's id in --corpus or --index")
    add_text_options(parser)
    add_window_options(parser.add_argument_group("long documents"))
    model = parser.add_argument_group("model")
    add_cascade_option(model)
    add_model_options(model)


def run(args: argparse.Namespace) -> None:
    """Explain one score, or that of each stage of a cascade."""
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.cli.reranking import Reranking, read_model_config, read_stages
    from pyserini_qpeft.cli.windows import read_windows
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.scoring.config import ScoringConfig

    text = _passage(args)
    config = RerankConfig(scoring=read_options(ScoringConfig, args), windows=read_windows(args))
    cascade = None if args.cascade is None else read_stages(args, config)
    explanation = Reranking(read_model_config(args), config, cascade).load(quiet=True).explain(args.query, text)
    if cascade is None:
        print(_table(explanation, text))
        return
    for place, (stage, explained) in enumerate(zip(cascade.stages, explanation.stages, strict=True), start=1):
        heading = f"stage {place}  {stage}"
        print(*([] if place == 1 else [""]), heading, "-" * len(heading), _table(explained, text), sep="\n")


def _passage(args: argparse.Namespace) -> str:
    from pyserini_qpeft.cli.texts import open_texts
    from pyserini_qpeft.errors import QPeftError

    if args.text is not None:
        if args.corpus is not None or args.index is not None:
            raise QPeftError("--text is the passage itself: leave out --corpus and --index, or name a --docid of them.")
        return str(args.text)
    texts = open_texts(args.corpus, args.index, lambda: [args.docid])
    if texts is None:
        raise QPeftError("--docid needs --corpus or --index, where the text of the document is.")
    return str(texts(args.docid))


def _table(explanation: "Explanation", text: str) -> str:
    count = len(explanation.tokens)
    best = explanation.best_window
    if best is None:
        lines = [f"score  {explanation.score:.4f}  (mean over {count} query tokens)"]
    else:
        lines = [f"score  {explanation.score:.4f}  (from {len(explanation.windows)} windows)", ""]
        lines += [f"  {'characters':>17}  {'log p':>8}  text"]
        for window in explanation.windows:
            start = " ".join(text[window.start : window.stop].split())[:_SHOWN_CHARACTERS]
            places = f"{window.start} to {window.stop}"
            lines.append(f"{'*' if window is best else ' '} {places:>17}  {window.likelihood:8.3f}  {start}")
        lines += ["", f"best window  (mean over {count} query tokens)"]
    if explanation.hints:
        lines.append("hints  " + "  ".join(f"{hint.token} {hint.similarity:.2f}" for hint in explanation.hints))
    if explanation.tokens_cut:
        lines.append(f"cut    {explanation.tokens_cut} tokens of the passage")
    return "\n".join([*lines, "", *_token_lines(explanation.tokens)])


def _token_lines(tokens: "Sequence[TokenScore]") -> "Iterator[str]":
    """A line for each token; with the figures without hints, if the model has hints."""
    width = max(5, *(len(repr(token.token)) for token in tokens))
    hinted = any(token.logprob != token.logprob_without_hints for token in tokens)
    yield f"{'token':{width}}  {'log p':>8}" + (f"  {'no hints':>8}  {'gain':>8}" if hinted else "")
    for token in tokens:
        without = token.logprob_without_hints
        more = f"  {without:8.3f}  {token.logprob - without:+8.3f}" if hinted else ""
        yield f"{token.token!r:{width}}  {token.logprob:8.3f}{more}"
