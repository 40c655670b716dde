"""A client that hangs up: its request is cancelled, so that its documents leave the queue."""

import asyncio
from collections.abc import Coroutine

from fastapi import Request


class HungUpError(Exception):
    """The client has closed the connection: nobody reads the answer."""


async def unless_hung_up[Answer](request: Request, work: Coroutine[object, object, Answer]) -> Answer:
    """The result of `work`, which is cancelled if the client closes the connection first.

    Args:
        request: The request, whose body is read already.
        work: What answers it.

    Raises:
        HungUpError: The client closed the connection.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise HungUpError
    finally:
        for task in (working, watching):
            if not task.done():
                task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
