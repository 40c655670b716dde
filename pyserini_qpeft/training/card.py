"""The model card and the training record in the folder of an adapter."""

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pyserini_qpeft import __version__
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.hints import NO_HINTS, hint_rule
from pyserini_qpeft.training.adapter_config import LORA, PROMPT_TUNING, AdapterConfig
from pyserini_qpeft.training.config import TrainConfig

_PACKAGES = ("torch", "transformers", "peft", "accelerate")


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """The result of a training run.

    Attributes:
        config: The settings.
        train_queries: Number of training queries.
        dev_queries: Number of dev queries; 0 without dev examples.
        bare: Dev figures of the base model without an adapter, and `first_stage_ndcg` if the dev examples have
            first-stage scores.
        curve: Dev figures, each with its `step`.
        best_step: Step of the weights that were kept.
        steps: Number of optimizer steps.
        seconds: Seconds of training since the last start or resume.
        trainable: Number of trained weights.
    """

    config: TrainConfig
    train_queries: int
    dev_queries: int
    bare: dict[str, float]
    curve: list[dict[str, float]]
    best_step: int
    steps: int
    seconds: float
    trainable: int

    def as_json(self) -> dict[str, Any]:
        """Returns the record as plain values; files are named without their folders."""
        settings = self.config.settings()
        for name in ("train", "dev"):
            settings[name] = [Path(path).name for path in settings[name]]
        for name in ("teacher", "model"):
            if settings[name] is not None and Path(settings[name]).exists():
                settings[name] = Path(settings[name]).name
        return {
            "settings": settings,
            "train_queries": self.train_queries,
            "dev_queries": self.dev_queries,
            "trainable_weights": self.trainable,
            "bare": self.bare,
            "dev": self.curve,
            "best_step": self.best_step,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "versions": versions(),
        }


def versions() -> dict[str, str]:
    """Returns the versions of this package and of the packages that training uses."""
    found = {"pyserini-qpeft": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def model_card(record: TrainingRecord) -> str:
    """Returns the model card in Markdown, with the header that the Hugging Face hub reads."""
    plain = record.as_json()
    settings = plain["settings"]
    title = _title(record.config.adapter)
    base = settings["model"]
    header = ["---", "library_name: peft", "tags: [reranking, q-peft, pyserini]"]
    header += [f"base_model: {base}"] if base else []
    header += [f"license: {record.config.licence}"] if record.config.licence else []
    model = f'"{base}", ' if base else ""
    lines = [
        *header,
        "---",
        "",
        f"# {title}",
        "",
        f"An adapter for reranking by query likelihood (Q-PEFT, arXiv 2404.04522), trained with pyserini-qpeft "
        f"{__version__} on {base or 'the model that comes with pyserini-qpeft'}.",
        "",
        "```python",
        "from pyserini_qpeft import QPeftReranker",
        "",
        f"reranker = QPeftReranker.from_pretrained({model}adapter=FOLDER)",
        "```",
        "",
        "## Training",
        "",
        f"- {record.train_queries} queries from {', '.join(settings['train'])}",
        f"- {record.dev_queries} dev queries from {', '.join(settings['dev']) or 'no file'}",
        f"- {record.trainable:,} trained weights; {record.steps} steps, {record.seconds:.0f} s; "
        f"weights of step {record.best_step} kept",
        f"- licence: {record.config.licence or 'not stated'}",
        f"- versions: {', '.join(f'{name} {number}' for name, number in plain['versions'].items())}",
        "",
        *_curve(record),
        "## Settings",
        "",
        "```json",
        json.dumps(settings, indent=2, ensure_ascii=False),
        "```",
        "",
    ]
    return "\n".join(lines)


def _title(adapter: AdapterConfig) -> str:
    if adapter.variant == LORA:
        return "LoRA"
    rule = hint_rule(QPeftConfig(variant=NO_HINTS if adapter.variant == PROMPT_TUNING else adapter.variant))
    return rule.title + (" with a LoRA of the base model" if adapter.lora else "")


def _curve(record: TrainingRecord) -> list[str]:
    if not record.curve:
        return []
    lines = [
        "## Dev",
        "",
        "nDCG@10 of reranking by the likelihood alone, and fused with the first stage at the default weight.",
        "",
        "| step | loss | nDCG@10 | fused |",
        "|---|---|---|---|",
    ]
    if "first_stage_ndcg" in record.bare:
        lines.append(f"| first stage | | {record.bare['first_stage_ndcg']:.4f} | |")
    rows = [("base model", record.bare), *((str(int(point["step"])), point) for point in record.curve)]
    for name, point in rows:
        fused = f"{point['fused_ndcg']:.4f}" if "fused_ndcg" in point else ""
        lines.append(f"| {name} | {point['loss']:.4f} | {point['ndcg']:.4f} | {fused} |")
    return [*lines, ""]
