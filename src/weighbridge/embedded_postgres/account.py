"""Users of this host, by number, and to whom a folder belongs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class OsAccount:
    """A user of this host, by number."""

    uid: int
    gid: int


def is_root() -> bool:
    """Whether this process may become anybody."""
    return sys.platform != "win32" and os.geteuid() == 0


def owner_of(path: Path) -> OsAccount | None:
    """To whom what is made here must belong; None: to whoever makes it."""
    if not is_root():
        return None
    status = path.stat()
    return OsAccount(status.st_uid, status.st_gid) if status.st_uid else None
