"""Counts and times of scoring."""

from dataclasses import dataclass


@dataclass(slots=True)
class ScoringReport:
    """What one call has scored. The call makes a report and fills it.

    Attributes:
        passages: Pairs scored. A document that is scored through windows counts once.
        windows: Pairs of query and window, if documents are scored through windows; else 0.
        tokens: Tokens of the prompts of all pairs, or of all windows.
        passages_cut: Pairs of which some passage tokens were not read.
        tokens_cut: Passage tokens that were not read.
        seconds: Time of tokenising and scoring, in seconds of wall clock.
    """

    passages: int = 0
    windows: int = 0
    tokens: int = 0
    passages_cut: int = 0
    tokens_cut: int = 0
    seconds: float = 0.0

    @property
    def passages_per_second(self) -> float:
        """Pairs scored per second of wall clock; 0 if none was scored."""
        return self.passages / self.seconds if self.seconds else 0.0
