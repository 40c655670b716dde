"""Which passage cache a scorer uses: that of another scorer, a new one, or none."""

from collections.abc import Iterable
from pathlib import Path

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.registry import loaded_name, shown_name
from pyserini_qpeft.scoring.budget import TokenBudget
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.model_fingerprint import model_fingerprint
from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.scoring.passage_cache import PassageCache, why_not_cached
from pyserini_qpeft.scoring.passage_folder import PassageFolder
from pyserini_qpeft.scoring.passage_reader import PassageReader
from pyserini_qpeft.scoring.sequences import SequenceBuilder
from pyserini_qpeft.scoring.stored_passages import StoredPassages


def shared_cache(model: PairModel, caches: Iterable[PassageCache]) -> PassageCache | None:
    """The first cache whose passages were read as this model reads them, on the same device; None if there is none.

    Args:
        model: The model.
        caches: The caches of scorers with the same settings.
    """
    found = list(caches)
    if not found or why_not_cached(model.model, model.adapter) is not None:
        return None
    fingerprint = model_fingerprint(model.model)
    alike = (one for one in found if one.reader.fingerprint == fingerprint and one.budget.device == model.device)
    return next(alike, None)


def new_cache(
    model: PairModel, builder: SequenceBuilder, config: ScoringConfig, budget: TokenBudget, *, alone: bool
) -> PassageCache | None:
    """The empty cache that a configuration asks for, or None if it asks for none.

    Args:
        model: The model.
        builder: The builder of the sequences.
        config: The settings of scoring.
        budget: How many tokens may go through the model at once.
        alone: Read each passage in a batch of its own, see `PassageCache`.

    Raises:
        QPeftError: The model cannot read passages without the query, or the folder cannot be used.
    """
    if not config.cache_bytes:
        return None
    reason = why_not_cached(model.model, model.adapter)
    if reason is not None:
        raise QPeftError(
            f"this model cannot have a passage cache: {reason}; leave out passage_cache_bytes and passage_cache_folder."
        )
    with budget.lock:
        reader = PassageReader.of(model, builder, config.passage_cache_dtype)
    stored = None
    if config.passage_cache_folder is not None:
        folder = PassageFolder(Path(config.passage_cache_folder), config.passage_cache_limit)
        name = shown_name(loaded_name(model.model))
        stored = StoredPassages(folder, reader.fingerprint, reader.layout, budget.device, name)
    return PassageCache(reader, budget, config.cache_bytes, stored, alone=alone)
