"""Which Q-PEFT adapter a model carries."""

from typing import Any

from pyserini_qpeft.qpeft.config import QPeftConfig


def active_adapter(model: Any) -> QPeftConfig | None:
    """The settings of the Q-PEFT adapter that is active on a model, or None."""
    configs = getattr(model, "peft_config", None) or {}
    active = configs.get(getattr(model, "active_adapter", "default"))
    return active if isinstance(active, QPeftConfig) else None
