"""The first columns of the tables that compare kinds of hints."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HintsRow:
    """A row about one kind of hints.

    Attributes:
        size: The name of the model.
        dtype: The dtype of the base model.
        variant: How the adapter makes hints.
    """

    size: str
    dtype: str
    variant: str
