"""`python -m benchmarks.padding`: speed on a CPU with rows that are padded to multiples of different numbers of tokens.

All multiples score the same requests in one process, in turn, each request twice: the first time, native libraries
compile code for shapes that they have not seen; the second time they have it.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.clock import seconds_now, use_processor_time
from benchmarks.generated import generate
from pyserini_qpeft.cli.options import add_options, read_options
from pyserini_qpeft.models.config import ModelConfig


@dataclass(frozen=True)
class PaddingOptions:
    """What is measured."""

    model: str = field(default="tiny", metadata={"help": "the model"})
    dtype: str | None = field(default=None, metadata={"help": "its dtype (default: chosen for the device)"})
    multiples: tuple[int, ...] = field(default=(1, 8, 16, 32), metadata={"help": "multiples to which rows are padded"})
    requests: int = field(default=8, metadata={"help": "requests, each with other passages"})
    passages: int = field(default=20, metadata={"help": "passages of a request"})
    queries: int = field(default=1, metadata={"help": "queries of a request, which share its passages"})
    cached: bool = field(default=False, metadata={"help": "score behind cached passages"})
    processor_time: bool = field(default=True, metadata={"help": "measure processor time"})


@dataclass(slots=True)
class Padded:
    """What was measured with one multiple.

    Attributes:
        first: Seconds of each request the first time.
        again: Seconds of each request the second time.
        shapes: Different shapes of batches.
        tokens: Tokens of all batches, padding included.
        scores: Likelihoods, request after request.
    """

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    shapes: set[tuple[int, ...]] = field(default_factory=set)
    tokens: int = 0
    scores: list[Any] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.padding", description=__doc__)
    add_options(parser, PaddingOptions)
    options = read_options(PaddingOptions, parser.parse_args(arguments))
    if options.processor_time:
        use_processor_time()
    print(tabulate(_rows(options.multiples, _measured(options)), headers="keys", tablefmt="github"))
    return 0


def _measured(options: PaddingOptions) -> dict[int, Padded]:
    from pyserini_qpeft.models.loading import load_model
    from pyserini_qpeft.scoring.config import ScoringConfig
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer

    config = ScoringConfig(passage_cache_bytes=1 << 30 if options.cached else None)
    scorer = LikelihoodScorer(*load_model(ModelConfig(options.model, dtype=options.dtype, device="cpu")), config)
    row_scorer = scorer.row_scorer
    forward = row_scorer.model.likelihood
    found = {multiple: Padded() for multiple in options.multiples}
    texts = list(generate(scorer.encoder.tokenizer, 1, options.requests * options.passages)[0][1])
    scorer.score(scorer.sequences([("a question", "a passage")]))
    for number in range(options.requests):
        passages = texts[number * options.passages : (number + 1) * options.passages]
        queries = [" ".join(passages[place].split()[:8]) for place in range(options.queries)]
        sequences = scorer.sequences([(query, passage) for passage in passages for query in queries])
        if scorer.cache is not None:
            scorer.cache.fill([sequence.shared_ids for sequence in sequences])
        # Each multiple is the first one in turn.
        turn = number % len(options.multiples)
        for multiple in (*options.multiples[turn:], *options.multiples[:turn]):
            one = found[multiple]
            row_scorer.multiple = multiple
            row_scorer.model.likelihood = _noting(forward, one)  # type: ignore[method-assign]
            one.scores.append(_timed(scorer, sequences, one.first))
            row_scorer.model.likelihood = forward  # type: ignore[method-assign]
            _timed(scorer, sequences, one.again)
    return found


def _noting(forward: Callable[..., Any], one: Padded) -> Callable[..., Any]:
    def noted(batch: dict[str, Any], *cached: Any) -> Any:
        one.shapes.add(tuple(batch["input_ids"].shape))
        one.tokens += batch["input_ids"].numel()
        return forward(batch, *cached)

    return noted


def _timed(scorer: Any, sequences: Sequence[Any], seconds: list[float]) -> Any:
    """The scores, the time of which is added to a list."""
    began = seconds_now()
    scores = scorer.score(sequences)
    seconds.append(seconds_now() - began)
    return scores


def _rows(multiples: Sequence[int], found: dict[int, Padded]) -> list[dict[str, Any]]:
    base = found[multiples[0]]
    plain = np.concatenate(base.scores)
    return [
        {
            "multiple": multiple,
            "shapes": len(one.shapes),
            "more tokens": f"{one.tokens / base.tokens - 1:.1%}",
            "first time, s": f"{sum(one.first):.2f}",
            "times as fast": f"{sum(base.first) / sum(one.first):.2f}",
            "again, s": f"{sum(one.again):.2f}",
            "again, times as fast": f"{sum(base.again) / sum(one.again):.2f}",
            "largest difference of a score": f"{np.abs(np.concatenate(one.scores) - plain).max():.0e}",
        }
        for multiple, one in found.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
