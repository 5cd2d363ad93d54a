"""Advisory locks on files. The operating system releases them when their process ends, however it
ends.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from weighbridge.embedded_postgres.files import open_private
from weighbridge.embedded_postgres.waiting import wait_until
from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from weighbridge.embedded_postgres.account import OsAccount

_TAKEN: Final = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})


class FileLock:
    """A lock on a file, which many objects can share or one can hold alone.

    Two objects exclude each other even within one process.
    """

    def __init__(self, path: Path, owner: OsAccount | None) -> None:
        self.path = path
        self.descriptor = open_private(path, owner)

    def try_to_share(self) -> bool:
        """Share the lock with others; False if another holds it alone."""
        return self._try(exclusively=False)

    def try_to_hold(self) -> bool:
        """Hold the lock alone; False if another holds or shares it.

        If this object shared the lock before, it may have lost that then.
        """
        return self._try(exclusively=True)

    def release(self) -> None:
        """Release the lock and close the file, also for child processes that inherited it."""
        _unlock(self.descriptor)
        os.close(self.descriptor)

    def leave_to_children(self) -> None:
        """Close the file: child processes that inherited the descriptor keep the lock; without any
        it is released.
        """
        os.close(self.descriptor)

    def _try(self, *, exclusively: bool) -> bool:
        """Whether the lock was acquired; raises DatabaseUnavailable if the file system has no
        locks.
        """
        try:
            _lock(self.descriptor, exclusively)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise DatabaseUnavailable(
                f"{self.path} cannot be locked ({error.strerror}): the file system of the data "
                "directory has no locks. Choose a folder on a local disk with "
                "WEIGHBRIDGE_DATA_DIR."
            ) from error
        return True


@contextmanager
def held(path: Path, owner: OsAccount | None, limit_s: float) -> Iterator[None]:
    """Hold the lock on this file alone, in this process and on this host, while the block runs.

    Raises:
        DatabaseUnavailable: another process held it for `limit_s` seconds.
    """
    lock = FileLock(path, owner)
    try:
        if not wait_until(lock.try_to_hold, limit_s):
            raise DatabaseUnavailable(
                "Another Weighbridge has been starting or stopping the PostgreSQL in "
                f"{path.parent} for {limit_s:.0f} s. If that process is suspended (Ctrl-Z) or "
                "hangs, end it; then try again."
            )
        yield
    finally:
        lock.release()


if sys.platform == "win32":
    import msvcrt
    import random

    _BYTES: Final = 1 << 30
    """How many bytes of a lock file can be locked. Windows locks ranges of bytes, each for one
    process: to share the lock is to lock one random byte of these, to hold it alone is to lock all.
    """

    def _lock(descriptor: int, exclusively: bool) -> None:
        os.lseek(descriptor, 0 if exclusively else random.randrange(_BYTES), os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, _BYTES if exclusively else 1)

    def _unlock(_descriptor: int) -> None:
        """Do nothing: Windows releases the lock when the file is closed."""

else:
    import fcntl

    def _lock(descriptor: int, exclusively: bool) -> None:
        kind = fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
