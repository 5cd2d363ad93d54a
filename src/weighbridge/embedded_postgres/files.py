"""Makes and reads files in the data directory that only their owner may read; links are never
followed.

Root may work in a folder of another user. What it makes there is given to that user by descriptor,
and only if root has just made it: a link that was put in its place is not followed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.embedded_postgres.account import OsAccount

_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def open_private(path: Path, owner: OsAccount | None) -> int:
    """Open a file for reading and writing, and return its descriptor. A file that is made here
    belongs to `owner` (None: the current user), and nobody else may read it.

    Raises:
        OSError: there is something else than a file, or a file of another user.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY, 0o600)
    except FileExistsError:
        return _open_existing(path, owner)
    _give(descriptor, owner)
    return descriptor


def _open_existing(path: Path, owner: OsAccount | None) -> int:
    """Open a regular file of ours or of `owner`, and return its descriptor; else raise OSError."""
    descriptor = os.open(path, os.O_RDWR | _NO_LINK | _BINARY)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        said = f"{path} is no regular file; delete it"
    elif sys.platform != "win32" and status.st_uid not in _may_own(owner):
        said = f"{path} belongs to another user (uid {status.st_uid}); delete it"
    else:
        return descriptor
    os.close(descriptor)
    raise OSError(said)


def write_private(path: Path, text: str, owner: OsAccount | None) -> None:
    """Replace the file by one with this text; after a power cut the file has either the whole text
    or its earlier content.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = open_private(draft, owner)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_text(path: Path) -> str:
    """The first 10,000 bytes of a file as text; empty if there is no such file."""
    try:
        with _opened(path) as file:
            return file.read(10_000).decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def read_end(path: Path) -> str:
    """The last 4,000 bytes of a file as text; empty if it cannot be read."""
    with contextlib.suppress(OSError), _opened(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4_000))
        return file.read(4_000).decode("utf-8", errors="replace")
    return ""


def _opened(path: Path) -> BinaryIO:
    """Open a regular file for reading. Anything else raises OSError: reading a pipe might never
    end.
    """
    descriptor = os.open(path, os.O_RDONLY | _NO_LINK | _BINARY)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(f"{path} is no regular file; delete it")


def make_folder(path: Path, owner: OsAccount | None) -> None:
    """Make a folder that only `owner` may enter (None: the current user), unless there is one."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    if owner is not None:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK | os.O_DIRECTORY)
        try:
            _give(descriptor, owner)
        finally:
            os.close(descriptor)


if sys.platform != "win32":

    def _may_own(owner: OsAccount | None) -> set[int]:
        """The numbers of the users whose files may be used: ours and that of `owner`."""
        return {os.geteuid()} if owner is None else {os.geteuid(), owner.uid}


def _give(descriptor: int, owner: OsAccount | None) -> None:
    """Give the open file to `owner`, if it is ours."""
    if owner is not None and os.fstat(descriptor).st_uid == os.geteuid():
        os.fchown(descriptor, owner.uid, owner.gid)
