"""What every table needs to know of the run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.options import Options
from benchmarks.rivals.rival import Pairs
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.skipped import Skipped
from benchmarks.texts import TextSet


@dataclass(frozen=True, slots=True)
class Context:
    """A run of the benchmarks.

    Attributes:
        options: What the command line asked for.
        texts: What is scored.
        work: A folder for models, gone when the run is over.
        tell: Is told how the run gets on.
    """

    options: Options
    texts: TextSet
    work: Path
    tell: Callable[[str], None]

    def small_model(self) -> ModelFolders:
        """The small model in the last of the dtypes."""
        options = self.options
        return ModelFolders(SIZES[options.small_model], options.dtypes[-1], options.device, self.work)

    def models(self) -> Iterator[tuple[ModelFolders, Pairs]]:
        """Every size in every dtype that the device can hold, with the pairs that it scores."""
        for name in self.options.sizes:
            size = SIZES[name]
            for dtype in self.options.dtypes:
                try:
                    place = ModelFolders(size, dtype, self.options.device, self.work)
                except Skipped:
                    continue
                yield place, self.texts.pairs(self.options.pairs or size.pairs)
