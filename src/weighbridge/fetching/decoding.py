"""Turns fetched bytes into the picture that a model is shown, in processes of its own.

Each process decodes one picture after another. A process that takes too long is killed, and the
next picture gets a new one, so that a bad picture harms no other.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from weighbridge.errors import PictureRefused
from weighbridge.fetching import picture_process
from weighbridge.fetching.picture_process import REPLY, REQUEST

if TYPE_CHECKING:
    from weighbridge.planning.image_tokens import PictureBounds

PROCESSES: Final = 2
"""How many pictures are decoded at a time."""
TIMEOUT_S: Final = 10.0
"""How long decoding one picture may take; a large one takes about one second."""
_PROGRAM: Final = str(Path(picture_process.__file__))


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A JPEG, `data`, as the model is shown it."""

    width_px: int
    height_px: int
    data: bytes


class PictureDecoder:
    """Decodes pictures in child processes.

    Any number of tasks may use it; `processes` pictures are decoded at a time.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S, processes: int = PROCESSES) -> None:
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="pictures")
        self._idle: SimpleQueue[_Child] = SimpleQueue()
        self._is_closed = False

    async def decode(self, data: bytes, bounds: PictureBounds) -> DecodedPicture:
        """The picture in these bytes, no larger than `bounds`.

        Raises PictureRefused with what is wrong with it.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._decode, data, bounds)

    def close(self) -> None:
        """End the processes; one that is decoding ends after its picture."""
        self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        with suppress(Empty):
            while True:
                self._idle.get_nowait().end()

    def _decode(self, data: bytes, bounds: PictureBounds) -> DecodedPicture:
        """`decode` in a thread, by an idle process or a new one."""
        try:
            child = self._idle.get_nowait()
        except Empty:
            child = _Child()
        try:
            picture = child.ask(data, bounds, self._timeout_s)
        except _ChildEnded:
            raise PictureRefused(
                f"the picture takes more than {self._timeout_s:g} s or too much memory to decode; "
                "use a smaller one"
            ) from None
        if self._is_closed:
            child.end()
        else:
            self._idle.put(child)
        if isinstance(picture, str):
            raise PictureRefused(picture)
        return picture


class _ChildEnded(Exception):
    """The process was killed because it took too long, or the picture made it crash."""


class _Child:
    """A process that decodes pictures, one after another (`picture_process.py`)."""

    def __init__(self) -> None:
        # It has no use for keys and passwords, which the environment may hold.
        self._process = subprocess.Popen(  # noqa: S603 - a file of our own
            [sys.executable, "-P", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=None if sys.platform == "win32" else {},
            start_new_session=True,  # Ctrl-C drains, and is not meant for it
        )

    def ask(self, data: bytes, bounds: PictureBounds, timeout_s: float) -> DecodedPicture | str:
        """The decoded picture, or why these bytes are none.

        Raises _ChildEnded if the process took longer than `timeout_s` or died; it is ended then.
        """
        killer = threading.Timer(timeout_s, self._process.kill)
        killer.start()
        try:
            return self._exchange(data, bounds)
        except (OSError, EOFError):
            self.end()
            raise _ChildEnded from None
        finally:
            killer.cancel()

    def _exchange(self, data: bytes, bounds: PictureBounds) -> DecodedPicture | str:
        """Send the request and read the reply; raises EOFError or OSError if the process ended."""
        request, replies = self._process.stdin, self._process.stdout
        if request is None or replies is None:
            raise EOFError
        head = REQUEST.pack(len(data), bounds.most_pixels, bounds.long_px, bounds.short_px)
        request.write(head + data)
        request.flush()
        reply = replies.read(REPLY.size)
        if len(reply) < REPLY.size:
            raise EOFError
        is_picture, width_px, height_px, length = REPLY.unpack(reply)
        body = replies.read(length)
        if len(body) < length:
            raise EOFError
        return DecodedPicture(width_px, height_px, body) if is_picture else body.decode()

    def end(self) -> None:
        """Kill the process, wait for its end, and close the pipes to it."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()
