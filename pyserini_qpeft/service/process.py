"""The service's end of a worker process: calls, and a new process when the old one dies."""

import asyncio
import contextlib
import logging
import sys
from itertools import count
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.environment import worker_environment
from pyserini_qpeft.service.errors import WorkerDiedError, WorkerFailedError
from pyserini_qpeft.service.frames import LENGTH_BYTES, Call, Reply, body_length, frame, message

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0
_STOP_SECONDS = 5.0


class WorkerProcess:
    """A process that answers calls one after the other. If it dies, another one is started.

    A process of its own leaves the loop of the server free while the model works, and the server alive if the system
    kills what has taken too much memory.

    Args:
        name: Its name in messages.
        place: The class that it makes, as `module:name`; see `worker`.
        settings: The argument of the class.

    Attributes:
        info: What the class says of itself, once it has loaded.
        restarts: How many times a new process was started because the old one died.
    """

    def __init__(self, name: str, place: str, settings: object) -> None:
        self.name = name
        self.info: Any = None
        self.restarts = 0
        self._place = place
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._numbers = count(1)
        self._watching: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether the process has loaded and takes calls."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Start the process and wait until it has loaded.

        Raises:
            QPeftError: It cannot load what it should.
        """
        await self._launch()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End the process."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        self._ready.clear()
        await self._end()

    async def call(self, method: str, *arguments: Any) -> Any:
        """The result of a method of the worker's object.

        Args:
            method: The name of the method.
            *arguments: Its arguments.

        Raises:
            QPeftError: The method raised one, with the same sentence.
            WorkerDiedError: The process ended before it answered.
            WorkerFailedError: The method raised any other error.
        """
        await self._ready.wait()
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        reply = self._pending[number] = asyncio.get_running_loop().create_future()
        try:
            self._process.stdin.write(frame(Call(number, method, arguments)))
            # A pipe that broke is noticed by the reader.
            with contextlib.suppress(ConnectionError):
                await self._process.stdin.drain()
            return self._value(await reply)
        finally:
            self._pending.pop(number, None)

    def _value(self, reply: Reply) -> Any:
        if reply.kind == "mistake":
            raise QPeftError(reply.value)
        if reply.kind == "failed":
            raise WorkerFailedError(self.name, reply.value)
        return reply.value

    async def _launch(self) -> None:
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "pyserini_qpeft.service.worker", self._place),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=worker_environment(),
        )
        assert process.stdin is not None
        process.stdin.write(frame(self._settings))
        try:
            self.info = self._value(await self._read())
        except BaseException as error:
            await self._end()
            if isinstance(error, WorkerDiedError):
                raise QPeftError(f"the {self.name} process ended while it loaded: is there enough memory?") from None
            raise
        self._ready.set()

    async def _read(self) -> Reply:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            head = await self._process.stdout.readexactly(LENGTH_BYTES)
            return Reply(*message(await self._process.stdout.readexactly(body_length(head))))
        except Exception as error:
            if not isinstance(error, asyncio.IncompleteReadError):
                logger.exception("an answer cannot be read")
            raise WorkerDiedError(self.name) from None

    async def _watch(self) -> None:
        """Hands out the answers; starts the process again when it dies."""
        while True:
            try:
                while True:
                    reply = await self._read()
                    waiting = self._pending.get(reply.number)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(reply)
            except WorkerDiedError as error:
                self._ready.clear()
                await self._end()
                code = None if self._process is None else self._process.returncode
                logger.error("worker died", extra={"fields": {"worker": self.name, "code": code}})
                for waiting in self._pending.values():
                    if not waiting.done():
                        waiting.set_exception(error)
            await self._launch_again()

    async def _launch_again(self) -> None:
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            try:
                self.restarts += 1
                await self._launch()
            except QPeftError as error:
                logger.error("worker does not start", extra={"fields": {"worker": self.name, "reason": str(error)}})
                pause = min(_LONGEST_PAUSE, 2 * pause + 1)
            else:
                logger.warning("worker started again", extra={"fields": {"worker": self.name}})
                return

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
