"""stdout and stderr, written by threads of their own: a terminal that stops reading stops nobody
else.

After Ctrl-S, in a closed window or behind a pipe that nobody reads, a write blocks or fails. Here
whoever prints only appends to a queue. What goes to stderr or a terminal is for people to watch:
the queue is bounded, and what no longer fits is counted and said as soon as there is room. Data on
its way to a file or a program is kept whole.
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
"""Characters: some 20,000 log lines, or seconds at full load."""
PIECE_BYTES: Final = 4_096
"""Characters written at once. A terminal that accepts a piece is alive."""
STALLED_S: Final = 10.0
"""At the end, a terminal that accepts nothing for this long is no longer waited for."""


class BackgroundStream(io.TextIOBase):
    """Looks like `stream`, never blocks and never fails.

    `may_drop` bounds the queue, and `close_within` leaves behind what is not taken.
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
        threading.Thread(target=self._work, name=f"write {stream.name}", daemon=True).start()

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
        if not isinstance(text, str):  # click finds out in this way that it is no binary stream
            raise TypeError(f"write() takes str, not {type(text).__name__}")
        with self._changed:
            if self._is_broken:
                return len(text)
            waiting = self._waiting_characters
            if self._may_drop and waiting and waiting + len(text) > self._most_waiting:
                self._dropped_lines += text.count("\n")
                return len(text)
            self._say_dropped()
            self._append(text)
        return len(text)

    @override
    def flush(self) -> None:
        """Nothing: whoever prints does not wait."""

    # What others may know
    # ---------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether the reader has not taken what was written: a live display need not be drawn
        now.
        """
        with self._changed:
            return self._waiting_characters > PIECE_BYTES or self._is_broken

    def drain(self, stalled_s: float | None) -> bool:
        """Wait until everything is written; False if the reader took nothing for `stalled_s` (None:
        no limit).
        """
        clock = SystemClock()
        written, taken_at_s = -1, clock.monotonic_s()
        with self._changed:
            self._say_dropped()
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

    def _say_dropped(self) -> None:
        if self._dropped_lines:
            lines, self._dropped_lines = self._dropped_lines, 0
            said = counted(lines, "line")
            self._append(f"… {said} left out: the terminal was too slow to show everything\n")

    def _work(self) -> None:
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
            except Exception:  # noqa: BLE001 - EPIPE, EIO: nobody will ever read it; a bug of ours may not hang the end
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
                except BlockingIOError:  # another program has set the terminal so
                    select.select([], [self._descriptor], [])
            with self._changed:
                self._pieces_written += 1
                self._changed.notify_all()

    def _give_up(self) -> None:
        with self._changed:
            self._is_broken = True
            self._waiting.clear()
            self._waiting_characters = 0
            self._changed.notify_all()


def is_behind() -> bool:
    """Whether whoever watches stderr has stopped reading. A live display wraps the stream."""
    stream = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    return isinstance(stream, BackgroundStream) and stream.is_behind


@contextlib.contextmanager
def background_streams() -> Iterator[None]:
    """Put both streams behind threads inside the block; at its end, what is queued is written
    first.

    A program that reads our data is waited for, however slow; a terminal that stands still is not.
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
