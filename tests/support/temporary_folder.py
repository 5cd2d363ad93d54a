"""A folder of this checkout's own for the files of its test runs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

VARIABLE: Final = "PYTEST_DEBUG_TEMPROOT"
"""Where pytest puts the folders of its last runs."""


def choose_temporary_folder() -> None:
    """Tell pytest, and the other processes of this run, unless somebody else has.

    A run that begins closes pytest's folder to other users. Tests of another checkout that are under way as root have
    their PostgreSQL in there, which works as a user of its own: it would be locked out of its files.
    """
    checkout = hashlib.sha256(str(Path(__file__).parents[2]).encode()).hexdigest()
    # Short: a path to a socket has 107 characters at most.
    folder = Path(tempfile.gettempdir()) / f"wb{checkout[:4]}"
    folder.mkdir(exist_ok=True)
    os.environ.setdefault(VARIABLE, str(folder))  # noqa: TID251 - tests, not the program
