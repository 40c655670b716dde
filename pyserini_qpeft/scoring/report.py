"""Counts and times of scoring."""

from dataclasses import dataclass, field

COUNTS = ("passages", "windows", "tokens", "passages_cut", "tokens_cut", "seconds")
"""The numbers of a report."""


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
        stages: Of a cascade: the same for each stage. The counts above are those of all stages together.
    """

    passages: int = 0
    windows: int = 0
    tokens: int = 0
    passages_cut: int = 0
    tokens_cut: int = 0
    seconds: float = 0.0
    stages: list["ScoringReport"] = field(default_factory=list)

    @property
    def passages_per_second(self) -> float:
        """Pairs scored per second of wall clock; 0 if none was scored."""
        return self.passages / self.seconds if self.seconds else 0.0

    def add(self, other: "ScoringReport") -> None:
        """Add the counts and the time of another report, stage by stage too."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.stages += [ScoringReport() for _ in other.stages[len(self.stages) :]]
        for own, stage in zip(self.stages, other.stages, strict=False):
            own.add(stage)
