"""A program in a terminal of its own, which can stop reading, go on, and be closed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PATIENCE_S = 300.0


class Terminal:
    """A pseudo-terminal, with a program that has it as its controlling terminal."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        columns: int = 80,
    ) -> None:
        self._screen, self._line = pty.openpty()
        fcntl.ioctl(self._line, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "TERM": "xterm-256color"},
            stdin=self._line,
            stdout=self._line,
            stderr=self._line,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.close()

    def stop(self) -> None:
        """Ctrl-S."""
        termios.tcflow(self._line, termios.TCOOFF)

    def go_on(self) -> None:
        """Ctrl-Q."""
        termios.tcflow(self._line, termios.TCOON)

    def type(self, keys: str) -> None:
        """Somebody types."""
        os.write(self._screen, keys.encode())

    def close(self) -> None:
        """The window is closed."""
        for descriptor in (self._line, self._screen):
            if descriptor >= 0:
                os.close(descriptor)
        self._screen = self._line = -1

    def read_until(self, words: str) -> str:
        """What is shown, up to these words."""
        shown = b""
        ends = time.perf_counter() + PATIENCE_S
        while words.encode() not in shown:
            ready, _, _ = select.select([self._screen], [], [], ends - time.perf_counter())
            assert ready, f"{words!r} was not shown: {shown[-2000:]!r}"
            shown += os.read(self._screen, 65_536)
        return shown.decode(errors="ignore")  # the last read may end within a character

    def ended(self) -> int:
        """Wait for the end of the program, without reading; returns the exit code."""
        return self.process.wait(timeout=PATIENCE_S)
