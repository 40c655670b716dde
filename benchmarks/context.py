"""What the functions of all tables need."""

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
        options: The options of the command line.
        texts: The texts that are scored.
        work: A temporary folder for models.
        log: Prints a message about progress.
    """

    options: Options
    texts: TextSet
    work: Path
    log: Callable[[str], None]

    def small_model(self) -> ModelFolders:
        """Returns the small model, in the last of the dtypes."""
        options = self.options
        return ModelFolders(SIZES[options.small_model], options.dtypes[-1], options.device, self.work)

    def models(self) -> Iterator[tuple[ModelFolders, Pairs]]:
        """Yields each model in each dtype, if the device can hold it, with the pairs that it scores."""
        for name in self.options.sizes:
            size = SIZES[name]
            for dtype in self.options.dtypes:
                try:
                    place = ModelFolders(size, dtype, self.options.device, self.work)
                except Skipped:
                    continue
                yield place, self.texts.pairs(self.options.pairs or size.pairs)
