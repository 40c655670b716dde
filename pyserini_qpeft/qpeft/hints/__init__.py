"""Hint rules: how hints are made from a query and a passage. One file each, and one line in `HINT_RULES`."""

from importlib import import_module

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.hints.rule import HintRule
from pyserini_qpeft.qpeft.hints.settings import HintSettings

HINT_RULES = {
    "retrieval": "RetrievedHints",
    "attention": "AttendedHints",
    "none": "NoHints",
}
"""The name of each rule, which is a variant of `QPeftConfig` and the name of the rule's file, and its class."""

NO_HINTS = "none"


def hint_rule(settings: HintSettings | None) -> HintRule:
    """The hint rule of an adapter.

    Args:
        settings: The adapter's `QPeftConfig`; None, for a model without a Q-PEFT adapter, has no hints.

    Raises:
        QPeftError: If there is no rule of that name.
    """
    name = NO_HINTS if settings is None else settings.variant
    if name not in HINT_RULES:
        raise QPeftError(f"variant must be one of {', '.join(HINT_RULES)}, not {name!r}.")
    made: HintRule = getattr(import_module(f"{__name__}.{name}"), HINT_RULES[name])(settings)
    return made
