"""Writes stdout and stderr in threads of their own, so that a terminal that stops reading does not
stop the program.

After Ctrl-S, in a closed window or behind a pipe that nobody reads, a write blocks or fails. Here
printing only appends to a queue, which a thread writes. For stderr and terminals the queue is
bounded: lines that do not fit are dropped, and a later line says how many. Data for a file or
another program is never dropped.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from weighbridge.clock import SystemClock
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

MOST_WAITING: Final = 2_000_000
"""How many characters may wait to be written to a stream that may drop lines: about 20,000 log
lines.
"""
PIECE_BYTES: Final = 4_096
"""How many bytes are written at once. A terminal that takes a piece is still being read."""
STALLED_S: Final = 10.0
"""At the end of the program, a terminal that takes nothing for this long is no longer waited
for.
"""


class BackgroundStream(io.TextIOBase):
    """A text stream that writes to `stream` from a thread; its `write` never blocks or fails.

    With `may_drop`, text is dropped while `most_waiting` characters are queued.
    """

    def __init__(self, stream: TextIO, *, may_drop: bool, most_waiting: int = MOST_WAITING) -> None:
        super().__init__()
        self._stream = stream
        self._descriptor = stream.fileno()
        self._may_drop = may_drop
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._waiting_characters = 0
        self._dropped_lines = 0
        self._pieces_written = 0
        self._is_idle = True
        self._is_broken = False
        threading.Thread(
            target=self._write_queued, name=f"write {stream.name}", daemon=True
        ).start()

    # As a text stream -----------------------------------------------------------------------------

    @property
    @override
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    @override
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    @override
    def fileno(self) -> int:
        return self._descriptor

    @override
    def isatty(self) -> bool:
        return self._stream.isatty()

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, text: str, /) -> int:
        """Queue the text and return its length, without waiting.

        With `may_drop`, text is dropped while too much is queued, and a later line counts the lines
        lost. Once a write has failed, everything is dropped.

        Raises:
            TypeError: bytes were given.
        """
        if not isinstance(text, str):  # click tests in this way whether the stream is binary
            raise TypeError(f"write() takes str, not {type(text).__name__}")
        with self._changed:
            if self._is_broken:
                return len(text)
            waiting = self._waiting_characters
            if self._may_drop and waiting and waiting + len(text) > self._most_waiting:
                self._dropped_lines += text.count("\n")
                return len(text)
            self._queue_dropped_note()
            self._append(text)
        return len(text)

    @override
    def flush(self) -> None:
        """Do nothing, so that printing never waits."""

    # What others may know
    # ---------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether more than a piece of text waits to be read, or the stream is broken; a live
        display then need not be updated.
        """
        with self._changed:
            return self._waiting_characters > PIECE_BYTES or self._is_broken

    def drain(self, stalled_s: float | None) -> bool:
        """Wait until everything is written, and return True; False as soon as the reader has taken
        nothing for `stalled_s` seconds (None: no limit).
        """
        clock = SystemClock()
        written, taken_at_s = -1, clock.monotonic_s()
        with self._changed:
            self._queue_dropped_note()
            while not self._is_idle and not self._is_broken:
                if self._pieces_written != written:
                    written, taken_at_s = self._pieces_written, clock.monotonic_s()
                elif stalled_s is not None and clock.monotonic_s() - taken_at_s > stalled_s:
                    return False
                self._changed.wait(stalled_s)
        return True

    # The thread
    # -------------------------------------------------------------------------------------

    def _append(self, text: str) -> None:
        self._waiting.append(text)
        self._waiting_characters += len(text)
        self._is_idle = False
        self._changed.notify_all()

    def _queue_dropped_note(self) -> None:
        """Queue a line that says how many lines were dropped, if any were."""
        if self._dropped_lines:
            lines, self._dropped_lines = self._dropped_lines, 0
            dropped = counted(lines, "line")
            self._append(f"… {dropped} left out: the terminal was too slow to show everything\n")

    def _write_queued(self) -> None:
        """Write what is queued, in order; after a failed write, empty the queue and end."""
        while True:
            with self._changed:
                while not self._waiting:
                    self._is_idle = True
                    self._changed.notify_all()
                    self._changed.wait()
                text = self._waiting.popleft()
            try:
                self._write(text.encode(self.encoding or "utf-8", "backslashreplace"))
            except Exception:  # noqa: BLE001 - EPIPE or EIO: nobody reads it; `drain` must not wait for ever
                self._give_up()
                return
            with self._changed:
                self._waiting_characters -= len(text)

    def _write(self, data: bytes) -> None:
        """Write all of it, waiting while the descriptor is not ready."""
        for first in range(0, len(data), PIECE_BYTES):
            piece = memoryview(data)[first : first + PIECE_BYTES]
            while piece:
                try:
                    piece = piece[os.write(self._descriptor, piece) :]
                except BlockingIOError:  # another program has made the terminal non-blocking
                    select.select([], [self._descriptor], [])
            with self._changed:
                self._pieces_written += 1
                self._changed.notify_all()

    def _give_up(self) -> None:
        """Empty the queue, and drop everything that is written from now on."""
        with self._changed:
            self._is_broken = True
            self._waiting.clear()
            self._waiting_characters = 0
            self._changed.notify_all()


def is_behind() -> bool:
    """Whether stderr, also behind rich's live display, is not being read at the moment."""
    stream = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    return isinstance(stream, BackgroundStream) and stream.is_behind


@contextlib.contextmanager
def background_streams() -> Iterator[None]:
    """Write stdout and stderr in threads inside the block; at its end wait for what is queued.

    A program that reads stdout is waited for, however slow it is; a terminal that takes nothing for
    `STALLED_S` is not.
    """
    before = sys.stdout, sys.stderr
    if sys.platform == "win32":  # its console takes text, not bytes
        yield
        return
    out = BackgroundStream(sys.stdout, may_drop=sys.stdout.isatty())
    err = BackgroundStream(sys.stderr, may_drop=True)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        took_all = out.drain(STALLED_S if out.isatty() else None)
        took_all &= err.drain(STALLED_S)
        if took_all:
            sys.stdout, sys.stderr = before
