"""Training of an adapter in two lines: mine examples, then train."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.data.dpr import write_examples
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.notebook.collection import Collection
from pyserini_qpeft.training.mining import Miner, MiningConfig, MiningReport

if TYPE_CHECKING:
    from pyserini_qpeft.training.card import TrainingRecord


def mine(collection: Collection, split: str, output: Path | str, **settings: Any) -> MiningReport:
    """Write training examples: the judged passages of each query, and hits of BM25 as hard negatives.

    Args:
        collection: A collection with a folder.
        split: Split whose queries are used.
        output: File to write, in DPR's JSON.
        **settings: Fields of `MiningConfig`, such as `negatives` and `max_queries`.

    Raises:
        QPeftError: The collection has no folder or no such split.
    """
    if collection.folder is None:
        raise QPeftError(f"{collection.name} has no folder to read passages from.")

    def first_stage(topics: dict[str, str], depth: int) -> Any:
        from pyserini_qpeft.data.records import ScoredDoc

        found = collection.searcher.batch_search(list(topics.values()), list(topics), k=depth)
        return {qid: [ScoredDoc(hit.docid, hit.score) for hit in found.get(qid, [])] for qid in topics}

    miner = Miner(collection.folder, split, MiningConfig(**settings))
    write_examples(output, miner.examples(first_stage))
    return miner.report


def train_adapter(
    train: Path | str,
    dev: Path | str,
    output: Path | str,
    *,
    model: str | None = None,
    variant: str = "retrieval",
    sampling: dict[str, Any] | None = None,
    optimization: dict[str, Any] | None = None,
) -> "TrainingRecord":
    """Train an adapter, as `qpeft train` does.

    Args:
        train: Training examples, written by `mine`.
        dev: Development examples, on which the kept weights are chosen.
        output: Folder of the new adapter.
        model: Name, hub id or folder of the base model; None is the shipped model.
        variant: "retrieval" or "attention" for Q-PEFT, "lora" or "prompt-tuning" to compare with.
        sampling: Fields of `SamplingConfig`, such as `negatives` and `passage_tokens`.
        optimization: Fields of `OptimizationConfig`, such as `epochs` and `learning_rate`.

    Returns:
        The record of the training: its curve, the kept step, the time.

    Raises:
        QPeftError: A setting is unknown or out of range, or a file is missing or broken.
    """
    from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
    from pyserini_qpeft.training.adapter_config import AdapterConfig
    from pyserini_qpeft.training.config import OptimizationConfig, SamplingConfig, TrainConfig
    from pyserini_qpeft.training.run import train as run_training

    record = run_training(
        TrainConfig(
            train=(Path(train),),
            dev=(Path(dev),),
            output=Path(output),
            base=ModelConfig(model=model, adapter=NO_ADAPTER),
            adapter=AdapterConfig(variant=variant),
            sampling=SamplingConfig(**(sampling or {})),
            optimization=OptimizationConfig(**(optimization or {})),
            progress=False,
        )
    )
    if record is None:
        raise QPeftError(f"{output} holds a trained adapter already: choose another folder.")
    return record
