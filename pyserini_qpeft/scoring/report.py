"""Counts and times of scoring."""

from dataclasses import dataclass


@dataclass(slots=True)
class ScoringReport:
    """What one call has scored. The call makes a report and fills it.

    Attributes:
        passages: Pairs scored.
        tokens: Tokens of their prompts.
        passages_cut: Pairs whose passage was cut.
        tokens_cut: Passage tokens that were cut off.
        seconds: Time of tokenising and scoring, in seconds of wall clock.
    """

    passages: int = 0
    tokens: int = 0
    passages_cut: int = 0
    tokens_cut: int = 0
    seconds: float = 0.0

    @property
    def passages_per_second(self) -> float:
        """Pairs scored per second of wall clock; 0 if none was scored."""
        return self.passages / self.seconds if self.seconds else 0.0
