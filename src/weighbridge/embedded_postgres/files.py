"""Files that Weighbridge makes in the data directory: private, and never through somebody else's
link.

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
    """A descriptor of the file, which is made if need be: for its owner only.

    Raises:
        OSError: something else is there, or somebody else's file.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY, 0o600)
    except FileExistsError:
        return _open_existing(path, owner)
    _give(descriptor, owner)
    return descriptor


def _open_existing(path: Path, owner: OsAccount | None) -> int:
    descriptor = os.open(path, os.O_RDWR | _NO_LINK | _BINARY)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        said = f"{path} is no regular file; delete it"
    elif sys.platform != "win32" and status.st_uid not in _may_own(owner):
        said = f"{path} belongs to another user (number {status.st_uid}); delete it"
    else:
        return descriptor
    os.close(descriptor)
    raise OSError(said)


def write_private(path: Path, text: str, owner: OsAccount | None) -> None:
    """The file with this text: all of it or, after a power cut, what was there before."""
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
    """What the file says; nothing, if there is no such file."""
    try:
        with _opened(path) as file:
            return file.read(10_000).decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def read_end(path: Path) -> str:
    """The last lines of a file that may be long."""
    with contextlib.suppress(OSError), _opened(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4_000))
        return file.read(4_000).decode("utf-8", errors="replace")
    return ""


def _opened(path: Path) -> BinaryIO:
    """To read; nothing but a regular file, since a pipe might wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | _NO_LINK | _BINARY)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(f"{path} is no regular file; delete it")


def make_folder(path: Path, owner: OsAccount | None) -> None:
    """A folder that only its owner may enter, unless there is one already."""
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
        """Who may have made a file that we use: we, or, if we are root, the owner of the folder."""
        return {os.geteuid()} if owner is None else {os.geteuid(), owner.uid}


def _give(descriptor: int, owner: OsAccount | None) -> None:
    if owner is not None and os.fstat(descriptor).st_uid == os.geteuid():
        os.fchown(descriptor, owner.uid, owner.gid)
