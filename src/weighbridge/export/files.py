"""Writes files whole or not at all: under a temporary name beside the target, and renamed when they
are complete.

Every writer of this folder uses this. A crash, a full disk or an interrupt leaves the target as it
was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Self

from typing_extensions import override

from weighbridge.errors import InputError, StoreError, WeighbridgeError
from weighbridge.export.base import ResultRow, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from weighbridge.steps.shown import ShownField

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_FOLDER: Final = {errno.ENOENT, errno.ENOTDIR, errno.EEXIST}


def explanation(path: Path, error: OSError) -> WeighbridgeError:
    """The error to raise for an OSError in writing `path`: what happened and what to do."""
    if error.errno in _FULL:
        return StoreError(
            f"{path} was not written: the disk is full, or the file is too large for its file system. "
            "Free some space or choose another folder, then export again."
        )
    if error.errno in _FORBIDDEN:
        return InputError(
            f"{path} was not written: no permission. Choose another folder, or close the file if "
            "it is open in another program."
        )
    if error.errno in _NO_FOLDER:
        return InputError(
            f"{path} was not written: {path.parent} is not a folder. Choose an existing folder."
        )
    return InputError(
        f"{path} was not written: {error.strerror or error}. Choose another folder or file name."
    )


@contextlib.contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Context manager that turns an OSError in writing `path` into an error that says what to
    do.
    """
    try:
        yield
    except OSError as error:
        raise explanation(path, error) from error


class PendingFile:
    """A file in a temporary folder beside the target, which `commit` moves to the target.

    The folder is beside the target so that the move never copies from one disk to another. Its name
    is new every time, so two exports to the same target do not write into each other's file; the
    later one to finish replaces the other.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
        self.path = self.folder / target.name
        if target.is_dir():
            raise InputError(f"{target} is a folder. Give the name of a file in it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir()

    def commit(self) -> None:
        """Make sure that the bytes are on the disk, then move the file to the target."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(self.target)
        self.discard()

    def discard(self) -> None:
        """Remove the folder with whatever is left in it; never raises."""
        shutil.rmtree(self.folder, ignore_errors=True)


class FileWriter(Writer, ABC):
    """The part of a writer that all formats share; a format defines how to start, append,
    finish.
    """

    def __init__(self, path: Path, fields: Sequence[ShownField]) -> None:
        """Open a temporary file beside `path`, which is not touched before `close`.

        Raises:
            StoreError: the file cannot be made; says why, and what to do.
        """
        self.path = path
        self._open = False
        self._fields = fields
        with explaining(path):
            self._pending = PendingFile(path)
            try:
                self._start(self._pending.path)
            except BaseException:
                self._pending.discard()
                raise
            self._open = True

    @abstractmethod
    def _start(self, path: Path) -> None:
        """Create the file at `path`, header included."""

    @abstractmethod
    def _append(self, rows: Sequence[ResultRow]) -> None:
        """Write these rows."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete and close the file."""

    @abstractmethod
    def _abandon(self) -> None:
        """Close open handles without completing the file."""

    @override
    def write(self, rows: Sequence[ResultRow]) -> None:
        if not self._open:
            raise ValueError(f"{self.path} is closed")
        with explaining(self.path), self._discarding():
            self._append(rows)

    @override
    def close(self) -> None:
        if not self._open:
            return
        with explaining(self.path), self._discarding():
            self._finish()
            self._pending.commit()
            self._open = False

    @override
    def discard(self) -> None:
        if not self._open:
            return
        self._open = False
        # Flushing may fail again on a full disk, and the bytes are discarded anyway.
        with contextlib.suppress(OSError):
            self._abandon()
        self._pending.discard()

    @override
    def __enter__(self) -> Self:
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the file in place; after an error, discard it and leave the old one."""
        if error is None:
            self.close()
        else:
            self.discard()

    @contextlib.contextmanager
    def _discarding(self) -> Iterator[None]:
        """Context manager that discards the file if anything goes wrong inside."""
        try:
            yield
        except BaseException:
            self.discard()
            raise
