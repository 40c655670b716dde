"""The processes of the service together: they start side by side, and end together."""

import asyncio
import logging

from pyserini_qpeft.service.process import WorkerProcess

logger = logging.getLogger(__name__)


class Processes:
    """The scoring process, and the search process if there are indexes.

    Args:
        scoring: Scores pairs.
        searching: Searches indexes; None if there are none.
    """

    def __init__(self, scoring: WorkerProcess, searching: WorkerProcess | None) -> None:
        self._scoring = scoring
        self._searching = searching
        self._opening: asyncio.Task[None] | None = None

    @property
    def by_name(self) -> dict[str, WorkerProcess]:
        """The processes by name."""
        return {one.name: one for one in (self._scoring, self._searching) if one is not None}

    @property
    def search_failed(self) -> bool:
        """Whether the search process could not open the indexes."""
        opening = self._opening
        return opening is not None and opening.done() and not opening.cancelled() and opening.exception() is not None

    async def start(self) -> None:
        """Start both, and wait for the scoring process. The search process may take longer.

        Raises:
            QPeftError: The scoring process cannot load its models.
        """
        if self._searching is not None:
            self._opening = asyncio.create_task(self._searching.start())
            self._opening.add_done_callback(_report)
        await self._scoring.start()

    async def stop(self) -> None:
        """End both."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await asyncio.gather(*(one.stop() for one in self.by_name.values()))


def _report(opening: "asyncio.Task[None]") -> None:
    if not opening.cancelled() and (error := opening.exception()) is not None:
        logger.error("the indexes could not be opened", extra={"fields": {"reason": str(error)}})
