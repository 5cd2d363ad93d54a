"""The users of this host by number, and who owns a folder."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class OsAccount:
    """A user of this host and the user's group, by their numbers."""

    uid: int
    gid: int


def is_root() -> bool:
    """Whether this process runs as root."""
    return sys.platform != "win32" and os.geteuid() == 0


def owner_of(path: Path) -> OsAccount | None:
    """The user to whom this process must give the files that it makes in this folder.

    None where nothing has to be given away: this process is not root, or the folder is root's.
    """
    if not is_root():
        return None
    status = path.stat()
    return OsAccount(status.st_uid, status.st_gid) if status.st_uid else None
