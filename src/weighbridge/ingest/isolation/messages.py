"""The messages between parent and child, and how they are sent: a length, then a pickle.

Pickles are safe here, because both processes run this program. A chunk of 20,000 rows takes about
45 ms of CPU.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.domain.products import Picture
    from weighbridge.errors import InputError
    from weighbridge.ingest.checking.chunks import CheckedChunk
    from weighbridge.ingest.decisions import Given, ReadOptions
    from weighbridge.ingest.isolation.limits import ReaderLimits
    from weighbridge.ingest.report import Head

_LENGTH: Final = struct.Struct("<Q")
MAX_MESSAGE_BYTES: Final = 512 << 20


# From the parent ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenFile:
    """Look through a catalogue; the answer is `Opened`."""

    path: Path
    options: ReadOptions
    limits: ReaderLimits


@dataclass(frozen=True, slots=True)
class Decide:
    """Decide again how to read the open catalogue, by what the user said; the answer is
    `Opened`.
    """

    given: Given


@dataclass(frozen=True, slots=True)
class SendRows:
    """Send the rows of the open catalogue: `Rows` until `Finished`."""


@dataclass(frozen=True, slots=True)
class CheckPicture:
    """Check an uploaded picture; the answer is `CheckedPicture`."""

    data: bytes
    limits: ReaderLimits


Request = OpenFile | Decide | SendRows | CheckPicture


# From the child -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StillReading:
    """The child is still reading; `row` is the last row that it looked at."""

    row: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The catalogue is open; `head` says what was found out about it."""

    head: Head


@dataclass(frozen=True, slots=True)
class Rows:
    """A checked chunk."""

    chunk: CheckedChunk


@dataclass(frozen=True, slots=True)
class CheckedPicture:
    """The picture is undamaged and can be used."""

    picture: Picture


@dataclass(frozen=True, slots=True)
class FileRefused:
    """The file cannot be used; `error` says why."""

    error: InputError


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """The limit on memory was reached, and the child survived it."""


@dataclass(frozen=True, slots=True)
class Bug:
    """An error was raised that is a fault in this program."""

    traceback: str


@dataclass(frozen=True, slots=True)
class Finished:
    """All rows were sent."""


Reply = StillReading | Opened | Rows | CheckedPicture | FileRefused | OutOfMemory | Bug | Finished


def send(pipe: BinaryIO, message: Request | Reply) -> None:
    """Write a message. Raises OSError if the other process has ended."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def receive(pipe: BinaryIO) -> object | None:
    """The next message; None if the pipe ends before it is complete, or it is too long."""
    start = pipe.read(_LENGTH.size)
    if len(start) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(start)
    if length > MAX_MESSAGE_BYTES:
        return None
    data = pipe.read(length)
    if len(data) < length:
        return None
    message: object = pickle.loads(data)  # noqa: S301 - written by our own child
    return message
