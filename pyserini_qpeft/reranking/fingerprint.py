"""What the result of a run depends on, as named values: a resumed run is compared with the run that it continues."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.data.records import Run, ScoredDoc, Topics

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer

Settings = dict[str, Any]
"""Values by name, such as `fusion.weight`; a hash where the value itself is large."""

_OF_NO_EFFECT = {"architectures", "base_model_name_or_path", "dtype", "inference_mode", "name_or_path", "revision",
                 "torch_dtype", "transformers_version", "peft_version"}  # fmt: skip
"""Settings of models and adapters that do not change scores: names, versions, and the dtype, which the weights have."""


def config_settings(config: Any) -> Settings:
    """The fields of a configuration that change the result of a run, those of its inner configurations too.

    Args:
        config: A dataclass. A field is left out if its metadata has `changes_result=False`.
    """
    kept = {one.name: getattr(config, one.name) for one in fields(config) if one.metadata.get("changes_result", True)}
    found: Settings = {}
    for name, value in kept.items():
        inner = is_dataclass(value) and not isinstance(value, type)
        found |= _named(name, config_settings(value)) if inner else {name: value}
    return found


def model_settings(scorer: "LikelihoodScorer") -> Settings:
    """Everything that scores depend on in the model, its adapters, the tokenizer and the prompt's wording.

    It is taken from what was loaded, and so does not depend on names and paths: a file that changed in its place is
    noticed, and a folder that was moved makes no difference.
    """
    from pyserini_qpeft.models.weights import weights_hash

    encoder = scorer.encoder
    model: Any = scorer.model
    found = _named("model", _without_names(model.config.to_dict()))
    found["weights"] = weights_hash(model)
    for adapters in (getattr(module, "peft_config", None) for module in model.modules()):
        for adapter in adapters.values() if isinstance(adapters, Mapping) else ():
            kind = getattr(adapter.peft_type, "value", adapter.peft_type)
            found |= _named(f"adapter.{kind}", _without_names(adapter.to_dict()))
    found["tokenizer"] = _tokenizer(encoder.tokenizer)
    return found | _named("template", config_settings(encoder.template))


def run_settings(run: Run, topics: Topics) -> Settings:
    """The first stage's hits and the queries of a run, each as a hash."""
    hits = ((qid, list(map(_hit, listed))) for qid, listed in run.items())
    return {"run": _hash(map(repr, hits)), "topics": _hash(repr((qid, topics[qid])) for qid in run)}


def texts_fingerprint(texts: Iterable[tuple[str, str]]) -> str:
    """A hash of the texts that are scored for one query: docid and text of each, in the first stage's order."""
    return _hash(map(repr, texts))


def _hit(hit: ScoredDoc) -> tuple[Any, ...]:
    parts = ([_hit(passage) for passage in hit.passages],) if hit.passages else ()
    return hit.docid, hit.score, hit.text, *parts


def _named(prefix: str, settings: Settings) -> Settings:
    return {f"{prefix}.{name}": value for name, value in settings.items()}


def _without_names(settings: Mapping[str, Any]) -> Settings:
    return {name: value for name, value in settings.items() if name not in _OF_NO_EFFECT and not name.startswith("_")}


def _tokenizer(tokenizer: Any) -> str:
    known = json.loads(tokenizer.backend_tokenizer.to_str())
    # These two change while the tokenizer is used.
    known.pop("truncation", None)
    known.pop("padding", None)
    return _hash([json.dumps(known, sort_keys=True), repr(tokenizer.special_tokens_map)])


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()
