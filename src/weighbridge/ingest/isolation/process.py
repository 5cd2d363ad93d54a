"""Starts a child process that reads files, exchanges messages with it, and says why it ended."""

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

if TYPE_CHECKING:
    from weighbridge.ingest.isolation.limits import ReaderLimits
    from weighbridge.ingest.isolation.messages import Reply, Request

_COMMAND: Final = (sys.executable, "-P", "-m", "weighbridge.ingest.isolation.child")
_TAIL_BYTES: Final = 4_000
_END_S: Final = 10.0
_REMEDY: Final = "It is damaged, or made to do harm. Save the table again as CSV."
_TOO_SLOW: Final = (
    "It is damaged, or made to do harm, or this computer was too busy. Try again when it is not, "
    "or save the table again as CSV."
)


class ReaderProcess:
    """A child process that reads files. Only one thread may use it at a time."""

    def __init__(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )
        self._timed_out = False
        self._row = 0
        self.requests = 0

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the child is running and can take another request."""
        return self._process.poll() is None

    def ask(self, request: Request) -> None:
        """Send a request. Errors are reported by `reply`."""
        self.requests += 1
        self._row = 0
        with contextlib.suppress(OSError):
            send(cast("BinaryIO", self._process.stdin), request)

    def reply(self, limits: ReaderLimits) -> Reply:
        """The next reply; messages about progress are passed over.

        Raises:
            InputError: the child refused the file, or died while it read it (UnreadableFile).
            InternalError: there is a fault in our program.
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
                    raise UnreadableFile(self._why_it_ended(limits))
                case _:
                    return cast("Reply", message)

    def saw_row(self, row: int) -> None:
        """Remember the last row that came, for the message if the child dies."""
        self._row = max(self._row, row)

    def _next(self, limits: ReaderLimits) -> object | None:
        """The next message; kills the child if none comes for `limits.silence_s`, and gives
        None.
        """
        watchdog = threading.Timer(limits.silence_s, self._kill_silent_child)
        watchdog.daemon = True
        watchdog.start()
        try:
            return receive(cast("BinaryIO", self._process.stdout))
        finally:
            watchdog.cancel()

    def _kill_silent_child(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _why_it_ended(self, limits: ReaderLimits) -> str:
        """Why the child ended without a reply, and what to do."""
        code = self._process.wait()
        if self._timed_out or code == -getattr(signal, "SIGXCPU", 0):
            return (
                f"Reading it got no further for {limits.silence_s:g} s{self._place()}. {_TOO_SLOW}"
            )
        self._stderr.seek(0)
        said = self._stderr.read()[-_TAIL_BYTES:]
        if b"memory allocation" in said or b"MemoryError" in said or b"out of memory" in said:
            return self._too_much_memory(limits)
        return f"Reading it crashed the reader ({_exit_name(code)}){self._place()}. {_REMEDY}"

    def _too_much_memory(self, limits: ReaderLimits) -> str:
        megabytes = limits.memory_bytes >> 20
        return f"Reading it takes more than {megabytes:,} MB of memory{self._place()}. {_REMEDY}"

    def _place(self) -> str:
        return f" after row {self._row:,}" if self._row else ""

    def close(self) -> None:
        """Kill the child."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it is killed, but the host is busy
            self._process.wait(_END_S)
        self._stderr.close()


def _exit_name(code: int) -> str:
    """The signal that ended a process, or its exit code."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"
