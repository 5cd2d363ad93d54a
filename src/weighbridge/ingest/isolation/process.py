"""The parent's end of a child that reads files: starts it, talks to it, and says how it died."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from weighbridge.errors import InternalError, UnreadableFile
from weighbridge.ingest.isolation.messages import (
    Bug,
    FileRefused,
    OutOfMemory,
    StillReading,
    receive,
    send,
)
from weighbridge.settings import environment_for_programs

if TYPE_CHECKING:
    from weighbridge.ingest.isolation.limits import ReaderLimits
    from weighbridge.ingest.isolation.messages import Reply, Request

_COMMAND: Final = (sys.executable, "-P", "-m", "weighbridge.ingest.isolation.child")
_FRUGAL: Final = {"POLARS_MAX_THREADS": "2"}
"""Environment variables that keep polars from starting a thread for each core: with sixteen threads
it took 50 MB more.
"""
_TAIL_BYTES: Final = 4_000
_END_S: Final = 10.0
_REMEDY: Final = "The file is damaged or malicious. Save the table again as CSV."
_KILLED: Final = (
    "The operating system kills processes when memory runs out. Free some memory and try again; "
    "the file may be in order."
)
_TOO_SLOW: Final = (
    "The file is damaged or malicious, or this computer was too busy. Try again when the "
    "computer is less busy, or save the table again as CSV."
)


class ReaderProcess:
    """One child. Not for several threads at once."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment_for_programs() | _FRUGAL,
        )
        self._timed_out = False
        self._row = 0
        self.requests = 0

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can serve another request."""
        return self._process.poll() is None

    def ask(self, request: Request) -> None:
        """Send a request. What goes wrong shows in the reply."""
        self.requests += 1
        self._row = 0
        with contextlib.suppress(OSError):
            send(cast("BinaryIO", self._process.stdin), request)

    def reply(self, limits: ReaderLimits) -> Reply:
        """The next reply that is more than a sign of progress.

        Raises:
            InputError: as the child did, or UnreadableFile because the child died of the file.
            InternalError: a bug.
        """
        while True:
            message = self._next(limits)
            match message:
                case StillReading():
                    self._row = message.row
                case FileRefused():
                    raise message.error
                case OutOfMemory():
                    self.close()
                    raise UnreadableFile(self._too_much_memory(limits))
                case Bug():
                    self.close()
                    raise InternalError(f"Reading the file failed:\n{message.traceback}")
                case None:
                    raise UnreadableFile(self._ending(limits))
                case _:
                    return cast("Reply", message)

    def saw_row(self, row: int) -> None:
        """Remember the last row that the child has read, for messages."""
        self._row = max(self._row, row)

    def _next(self, limits: ReaderLimits) -> object | None:
        watchdog = threading.Timer(limits.silence_s, self._run_out)
        watchdog.daemon = True
        watchdog.start()
        try:
            return receive(cast("BinaryIO", self._process.stdout))
        finally:
            watchdog.cancel()

    def _run_out(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _ending(self, limits: ReaderLimits) -> str:
        """Why the child has ended without a reply, and what to do; the end of a message about the
        file.
        """
        code = self._process.wait()
        if self._timed_out or code == -getattr(signal, "SIGXCPU", 0):
            return f"Reading the file got no further for {limits.silence_s:g} s{self._progress()}. {_TOO_SLOW}"
        if code == -getattr(signal, "SIGKILL", 0):
            return f"The process that read the file was killed{self._progress()}. {_KILLED}"
        self._said.seek(0)
        said = self._said.read()[-_TAIL_BYTES:]
        if b"memory allocation" in said or b"MemoryError" in said or b"out of memory" in said:
            return self._too_much_memory(limits)
        return f"Reading the file crashed the reader ({_name(code)}){self._progress()}. {_REMEDY}"

    def _too_much_memory(self, limits: ReaderLimits) -> str:
        megabytes = limits.memory_bytes >> 20
        return f"Reading the file takes more than {megabytes:,} MB of memory{self._progress()}. {_REMEDY}"

    def _progress(self) -> str:
        return f" after row {self._row:,}" if self._row else ""

    def close(self) -> None:
        """Kill the child and close the pipes to it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it is killed, but the host is busy
            self._process.wait(_END_S)
        self._said.close()


def _name(code: int) -> str:
    """The signal that ended a process, or its exit code."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"
