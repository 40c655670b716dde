"""`qpeft serve --demo`: the collection and the model of `qpeft demo` as a service."""

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.service.config import ServiceConfig

_INDEX = "python-docs"


def with_demo(config: "ServiceConfig", folder: Path) -> "ServiceConfig":
    """The service with the demo's index, model and questions. The index is built if there is none.

    Args:
        config: What the command line asks for. A model or a cascade that it names is kept.
        folder: The output folder of `qpeft demo`.
    """
    from pyserini_qpeft.cli.demo import PASSAGE_TOKENS, SHOWN, choose_model
    from pyserini_qpeft.demo.collection import write_collection
    from pyserini_qpeft.demo.stages import index_collection, is_stale

    collection = write_collection(folder / "collection", first=SHOWN)
    index = folder / "index"
    if is_stale(collection, index):
        print(f"indexing the documentation of this Python: {collection.documents:,} names …", file=sys.stderr)
        # In a process of its own, because Java would take the signals that stop the server.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(index_collection, collection, index).result()
    model = config.model
    if config.cascade is None:
        model, why = choose_model(model)
        print(f"model: {why}", file=sys.stderr)
    scoring = config.rerank.scoring
    if scoring.passage_tokens is None:
        scoring = replace(scoring, passage_tokens=PASSAGE_TOKENS)
    return replace(
        config,
        model=model,
        rerank=replace(config.rerank, scoring=scoring),
        index=(f"{_INDEX}={index}", *config.index),
        examples=config.examples or tuple(collection.topics.values()),
    )
