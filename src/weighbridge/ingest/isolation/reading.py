"""Reads a catalogue or checks a picture in a child process.

Starting a child takes about 0.8 s of CPU, so one that has finished without an error is kept for the
next file, unless the last one was large.
"""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING, Final, Self

from weighbridge.errors import InputError, UnreadableFile
from weighbridge.ingest.base import ROW
from weighbridge.ingest.decisions import USUAL
from weighbridge.ingest.isolation.limits import PICTURE_LIMITS, READER_LIMITS
from weighbridge.ingest.isolation.messages import (
    CheckedPicture,
    CheckPicture,
    Decide,
    Finished,
    Opened,
    OpenFile,
    Rows,
    SendRows,
)
from weighbridge.ingest.isolation.process import ReaderProcess
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from weighbridge.domain.products import Picture
    from weighbridge.ingest.checking.chunks import CheckedChunk
    from weighbridge.ingest.decisions import Given, ReadOptions
    from weighbridge.ingest.isolation.limits import ReaderLimits
    from weighbridge.ingest.isolation.messages import Reply, Request
    from weighbridge.ingest.report import Head

MOST_REQUESTS: Final = 100
"""How many requests one child process answers: then it ends, and frees what libraries have leaked.
"""
IDLE_S: Final = 30.0
"""How long a child process without work is kept."""
KEPT_ROWS: Final = 20_000
"""A child process that has read a file of more rows than this ends, because its libraries keep most
of the memory: 140 MB after so many rows, 200 MB after a million.
"""
_MOST_PICTURES: Final = threading.BoundedSemaphore(2)


class _IdleReaders:
    """Keeps children without work: at most two, each for IDLE_S."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[ReaderProcess, threading.Timer]] = []

    def take(self) -> ReaderProcess:
        """A child that was kept, or a new one."""
        with self._lock:
            while self._idle:
                process, timer = self._idle.pop()
                timer.cancel()
                if process.is_alive:
                    return process
                process.close()
        return ReaderProcess()

    def give_back(self, process: ReaderProcess) -> None:
        """Keep a child for the next file, or end it if there are enough or it has done enough."""
        with self._lock:
            if len(self._idle) < 2 and process.requests < MOST_REQUESTS and process.is_alive:
                timer = threading.Timer(IDLE_S, self._retire, (process,))
                timer.daemon = True
                timer.start()
                self._idle.append((process, timer))
                return
        process.close()

    def _retire(self, process: ReaderProcess) -> None:
        """End a child that was kept long enough, unless it is in use again."""
        with self._lock:
            entry = next((one for one in self._idle if one[0] is process), None)
            if entry is None:
                return
            self._idle.remove(entry)
        process.close()

    def close(self) -> None:
        """End all children without work."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process, timer in idle:
            timer.cancel()
            process.close()


_IDLE: Final = _IdleReaders()
atexit.register(_IDLE.close)


class OpenCatalogue:
    """A catalogue that a child process has opened and looked through; a context manager.

    `head` says what was found out about it.
    """

    def __init__(
        self, path: Path, options: ReadOptions = USUAL, limits: ReaderLimits = READER_LIMITS
    ) -> None:
        """Raises InputError when the file cannot be used."""
        self._name = options.name or path.name
        self._limits = limits
        self._process: ReaderProcess | None = _IDLE.take()
        self.head = self._opened(OpenFile(path.absolute(), options, limits))

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._running.pid

    def decide(self, given: Given) -> None:
        """Decide again how to read the columns, by what the user said; sets `head`."""
        self.head = self._opened(Decide(given))

    def _opened(self, request: Request) -> Head:
        """Send a request that is answered with `Opened`; returns the head in the answer."""
        reply = self._ask(request)
        if not isinstance(reply, Opened):
            raise TypeError(f"unexpected reply {type(reply).__name__}")
        return reply.head

    def chunks(self) -> Iterator[CheckedChunk]:
        """Every row, checked, in file order. May be called only once."""
        rows = 0
        reply = self._ask(SendRows())
        while isinstance(reply, Rows):
            chunk = reply.chunk
            rows += chunk.products.height + len(chunk.rejected)
            if chunk.products.height:
                self._running.saw_row(int(chunk.products[ROW][-1]))
            yield chunk
            reply = self._ask(None)
        if rows > KEPT_ROWS:
            self.close()
        elif isinstance(reply, Finished) and self._process is not None:
            process, self._process = self._process, None
            _IDLE.give_back(process)

    @property
    def _running(self) -> ReaderProcess:
        """The child; raises UnreadableFile if the file was read already."""
        if self._process is None:
            raise UnreadableFile(
                f"{quote(self._name)} can be read only once after it is opened, and was read "
                "twice. This is a fault in Weighbridge; please report it."
            )
        return self._process

    def _ask(self, request: Request | None) -> Reply:
        """Send the request, if any, and wait for the next reply.

        Raises InputError, which names the file, if it cannot be used.
        """
        process = self._running
        try:
            if request is not None:
                process.ask(request)
            return process.reply(self._limits)
        except InputError as error:
            self._process = None
            _IDLE.give_back(process)  # closed there if it has died, otherwise used again
            message = str(error)
            if message.startswith(quote(self._name)):
                raise
            raise type(error)(f"{quote(self._name)}: {message}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child if it is still reading the file."""
        process, self._process = self._process, None
        if process is not None:
            process.close()


def check_uploaded_picture(data: bytes, limits: ReaderLimits = PICTURE_LIMITS) -> Picture:
    """The hash, kind and size of a picture. Raises UnreadableFile unless it can be used."""
    with _MOST_PICTURES:
        process = _IDLE.take()
        try:
            process.ask(CheckPicture(data, limits))
            reply = process.reply(limits)
        except InputError:
            _IDLE.give_back(process)
            raise
        except BaseException:
            process.close()
            raise
        _IDLE.give_back(process)
    if not isinstance(reply, CheckedPicture):
        raise TypeError(f"unexpected reply {type(reply).__name__}")
    return reply.picture
