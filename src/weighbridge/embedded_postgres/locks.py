"""Advisory locks on files.

They end with the process that holds them, however it ends: nothing is left behind.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from weighbridge.embedded_postgres.files import open_private
from weighbridge.embedded_postgres.waiting import comes_true
from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from weighbridge.embedded_postgres.account import OsAccount

_TAKEN: Final = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})


class FileLock:
    """One lock on one file: shared by many or held by one.

    A new object competes with every other one.
    """

    def __init__(self, path: Path, owner: OsAccount | None) -> None:
        self.path = path
        self.descriptor = open_private(path, owner)

    def try_to_share(self) -> bool:
        """Hold it together with others; False: somebody has it alone."""
        return self._try(exclusively=False)

    def try_to_hold(self) -> bool:
        """Hold it alone; False: somebody else holds or shares it.

        What was shared before may be lost then.
        """
        return self._try(exclusively=True)

    def release(self) -> None:
        """Let go, also for child processes that were forked meanwhile."""
        _unlock(self.descriptor)
        os.close(self.descriptor)

    def leave_to_children(self) -> None:
        """Let go, unless a child process has inherited the descriptor: then the lock is its own."""
        os.close(self.descriptor)

    def _try(self, *, exclusively: bool) -> bool:
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
    """Alone, in this process and on this host.

    Raises:
        DatabaseUnavailable: somebody else has held it all the time.
    """
    lock = FileLock(path, owner)
    try:
        if not comes_true(lock.try_to_hold, limit_s):
            raise DatabaseUnavailable(
                "Another Weighbridge has been starting or stopping the PostgreSQL in "
                f"{path.parent} for {limit_s:.0f} s. Look whether it is stopped (Ctrl-Z) or hangs, "
                "end it, and try again."
            )
        yield
    finally:
        lock.release()


if sys.platform == "win32":
    import msvcrt
    import random

    _BYTES: Final = 1 << 30
    """Windows locks ranges of bytes, each for one: who shares locks one byte of many, who holds
    locks all.
    """

    def _lock(descriptor: int, exclusively: bool) -> None:
        os.lseek(descriptor, 0 if exclusively else random.randrange(_BYTES), os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, _BYTES if exclusively else 1)

    def _unlock(_descriptor: int) -> None:
        """Closing it does."""

else:
    import fcntl

    def _lock(descriptor: int, exclusively: bool) -> None:
        kind = fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
