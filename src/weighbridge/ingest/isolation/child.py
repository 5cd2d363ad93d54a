"""The process that reads files: `python -P -m weighbridge.ingest.isolation.child`.

Requests come on standard input, replies go to what was standard output. It ends when its parent
does: standard input is closed then.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from typing import TYPE_CHECKING, BinaryIO, Final

import polars as pl

from weighbridge.errors import InputError, UnreadableFile
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.isolation.limits import ignore_signals, limit_cpu, limit_memory
from weighbridge.ingest.isolation.messages import (
    Bug,
    CheckedPicture,
    CheckPicture,
    Decide,
    FileRefused,
    Finished,
    Opened,
    OpenFile,
    OutOfMemory,
    Rows,
    SendRows,
    StillReading,
    receive,
    send,
)
from weighbridge.ingest.values.pictures import check_picture

if TYPE_CHECKING:
    from weighbridge.ingest.isolation.limits import ReaderLimits
    from weighbridge.ingest.isolation.messages import Reply

_PIECE_BYTES = 32 << 20


_NO_MEMORY: Final = ("not enough memory", "memory allocation of", "cannot allocate memory")
"""Words by which an error of compiled code is recognised as a lack of memory."""


def reply_to(error: BaseException) -> FileRefused | OutOfMemory | Bug:
    """The reply for an error: the file is at fault, or the limit on memory, or our program."""
    native = error.__cause__ if isinstance(error, InputError) else error
    said = str(native).lower()
    if isinstance(native, MemoryError) or any(words in said for words in _NO_MEMORY):
        return OutOfMemory()
    if isinstance(error, InputError):
        return FileRefused(_without_causes(error))
    if type(error).__name__ == "PanicException":
        return FileRefused(UnreadableFile(_GAVE_UP))
    return Bug("".join(traceback.format_exception(error)))


class Child:
    """Answers the parent's requests, one after the other; keeps the open catalogue in between."""

    def __init__(self, replies: BinaryIO) -> None:
        self._replies = replies
        self._catalogue: Catalogue | None = None
        self._limits: ReaderLimits | None = None

    def serve(self, request: object) -> None:
        """Answer one request; an error becomes the reply."""
        try:
            self._answer(request)
        except BrokenPipeError:
            raise
        except BaseException as error:  # noqa: BLE001 - also what Rust code raises when it panics
            reply = reply_to(error)
            if isinstance(reply, OutOfMemory):
                self._catalogue = None
            self._send(reply)

    def _answer(self, request: object) -> None:
        """Answer one request; messages about progress, or rows, may be sent before the last reply.

        Raises:
            ValueError: it is unknown, or no file is open for it.
            InputError: the file or picture cannot be used.
        """
        match request:
            case OpenFile():
                self._set_limits(request.limits)
                self._catalogue = None
                self._catalogue = Catalogue(request.path, request.options, self._progress)
                self._send(Opened(self._catalogue.head))
            case Decide() if self._catalogue is not None:
                self._catalogue.decide(request.given)
                self._send(Opened(self._catalogue.head))
            case SendRows() if self._catalogue is not None:
                for chunk in self._catalogue.chunks():
                    for piece in chunk.pieces(_PIECE_BYTES):
                        self._send(Rows(piece))
                self._catalogue = None
                self._send(Finished())
            case CheckPicture():
                self._set_limits(request.limits)
                self._send(CheckedPicture(check_picture(request.data)))
            case _:
                raise ValueError(f"unexpected request {type(request).__name__}")

    def _set_limits(self, limits: ReaderLimits) -> None:
        """Limit this process for the next request."""
        self._limits = limits
        limit_memory(limits)
        limit_cpu(limits)

    def _progress(self, row: int) -> None:
        self._send(StillReading(row))

    def _send(self, reply: Reply) -> None:
        """Send a reply, and allow the CPU time of one more step."""
        send(self._replies, reply)
        if self._limits is not None:
            limit_cpu(self._limits)


_GAVE_UP = "The file is damaged and cannot be read. Save it again in the program that made it."


def _without_causes(error: InputError) -> InputError:
    """The error without its causes, which may not be picklable."""
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


def _listen(requests: BinaryIO, inbox: queue.SimpleQueue[object]) -> None:
    """Put every request into the inbox; end this process when the parent is gone."""
    while (message := receive(requests)) is not None:
        inbox.put(message)
    os._exit(0)  # the parent is gone


def main() -> None:
    """Answer requests until the parent ends."""
    ignore_signals()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed must not get among the replies
    pl.DataFrame({"warm": ["up"] * 64}).lazy().group_by("warm").len().collect()  # starts threads
    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox), daemon=True)
    listener.start()
    child = Child(replies)
    try:
        while True:
            child.serve(inbox.get())
    except OSError:
        os._exit(0)  # nobody reads


if __name__ == "__main__":
    main()
