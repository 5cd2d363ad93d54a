"""Makes folders for files that are being received or exported; each is removed when its request
ends.

They are in the data directory, because the system's temporary folder may be in memory. Only when
root uses another user's data directory, they are in the system's temporary folder, because that
user could redirect by a link what root writes into the data directory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio.to_thread import run_sync

from weighbridge.embedded_postgres.account import owner_of
from weighbridge.embedded_postgres.files import make_folder
from weighbridge.embedded_postgres.server_user import absolute_data_dir, make_data_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

PREFIX: Final = "weighbridge-"
"""Only folders with such a name are ever removed."""
LEFT_BEHIND_AFTER_S: Final = 86_400
"""A folder that is older than this many seconds is taken to be left by a crash."""


def uploads_of(data_dir: Path) -> Path:
    """The folder in the data directory in which the scratch folders are made."""
    return absolute_data_dir(data_dir) / "uploads"


@asynccontextmanager
async def scratch_folder(data_dir: Path) -> AsyncIterator[Path]:
    """Context manager for a new folder, which is removed at the end.

    Raises:
        OSError: it cannot be made in the data directory.
    """
    folder = await run_sync(_make_folder, data_dir)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # not in a thread: a cancelled task cannot wait


def clear_left_behind(data_dir: Path, now: datetime) -> None:
    """Remove the folders that crashes left behind, but not those that another server may be
    using.
    """
    data_dir = absolute_data_dir(data_dir)
    parent = uploads_of(data_dir)
    if not parent.is_dir() or owner_of(data_dir) is not None or not _is_ours(parent):
        return
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if now.timestamp() - folder.lstat().st_mtime > LEFT_BEHIND_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)  # does not follow links


def _make_folder(data_dir: Path) -> Path:
    """A new folder under the data directory, or a temporary one if that is another user's.

    Raises:
        OSError: it cannot be made, or the folder for uploads belongs to somebody else.
    """
    data_dir = absolute_data_dir(data_dir)
    make_data_folder(data_dir)
    if owner_of(data_dir) is not None:
        return Path(tempfile.mkdtemp(prefix=PREFIX))
    parent = uploads_of(data_dir)
    make_folder(parent, None)
    if not _is_ours(parent):
        raise PermissionError(errno.EACCES, "The folder belongs to another user", str(parent))
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))


if sys.platform == "win32":

    def _is_ours(_folder: Path) -> bool:
        return True

else:

    def _is_ours(folder: Path) -> bool:
        """Whether the folder belongs to the user of this process."""
        return folder.stat().st_uid == os.geteuid()
