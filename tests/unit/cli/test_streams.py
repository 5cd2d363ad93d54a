"""A reader that is slow, stuck or gone: whoever prints notices nothing of it, and what is left out
is said.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
import typer

from weighbridge.cli.terminal.streams import BackgroundStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

PIPE_BYTES = 1_000_000
LINES = 5_000
"""More than a pipe and the queue hold together."""


class Pipe:
    """A pipe whose reading end is ours."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.file: TextIO = os.fdopen(writing, "w", encoding="utf-8")

    def read_until(self, words: str) -> str:
        """What comes, up to these words."""
        read = b""
        while words.encode() not in read:
            read += os.read(self.reading, 65_536)
        return read.decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.file.close()


def test_everything_arrives_in_order(pipe: Pipe) -> None:
    stream = BackgroundStream(pipe.file, may_drop=True)
    for number in range(1_000):
        stream.write(f"line {number}\n")
    lines = pipe.read_until("line 999\n").splitlines()
    assert lines == [f"line {number}" for number in range(1_000)]
    assert stream.drain(None)


def test_lines_that_nobody_takes_are_counted_and_said(pipe: Pipe) -> None:
    stream = BackgroundStream(pipe.file, may_drop=True, most_waiting=200_000)
    for _ in range(LINES):
        stream.write("x" * 99 + "\n")
    assert not stream.drain(0.05)
    shown, kept, left_out = "", 0, 0
    while kept + left_out < LINES:
        shown += os.read(pipe.reading, 65_536).decode("utf-8", "ignore")
        kept = shown.count("x\n")
        left_out = sum(int(n.replace(",", "")) for n in re.findall(r"([\d,]+) lines left", shown))
    assert (kept + left_out, left_out > 0) == (LINES, True)


def test_data_is_never_dropped(pipe: Pipe) -> None:
    stream = BackgroundStream(pipe.file, may_drop=False, most_waiting=10)
    stream.write("x" * PIPE_BYTES)
    stream.write("end")
    assert len(pipe.read_until("end")) == PIPE_BYTES + len("end")


def test_closed_pipe_fails_nobody(pipe: Pipe) -> None:
    stream = BackgroundStream(pipe.file, may_drop=True)
    os.close(pipe.reading)
    stream.write("nobody hears this\n")
    assert stream.drain(None)
    assert stream.write("nor this\n") == len("nor this\n")


def test_terminal_set_not_to_block_gets_everything(pipe: Pipe) -> None:
    os.set_blocking(pipe.file.fileno(), False)
    stream = BackgroundStream(pipe.file, may_drop=False)
    stream.write("x" * PIPE_BYTES + "end")
    assert len(pipe.read_until("end")) == PIPE_BYTES + len("end")


def test_click_writes_to_it_as_to_any_text_stream(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = BackgroundStream(pipe.file, may_drop=False)
    monkeypatch.setattr("sys.stdout", stream)
    typer.echo('{"products": 20}')
    assert pipe.read_until("\n") == '{"products": 20}\n'
    with pytest.raises(TypeError, match="not bytes"):
        stream.write(b"")  # type: ignore[arg-type]
    assert stream.drain(None)
