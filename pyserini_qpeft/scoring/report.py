"""What scoring did, in numbers."""

from dataclasses import dataclass


@dataclass(slots=True)
class ScoringReport:
    """What the last call did: counts, and seconds of wall clock."""

    passages: int = 0
    tokens: int = 0
    passages_cut: int = 0
    tokens_cut: int = 0
    seconds: float = 0.0

    @property
    def passages_per_second(self) -> float:
        """Passages scored in a second of wall clock; 0 before anything was scored."""
        return self.passages / self.seconds if self.seconds else 0.0
