"""A folder of its own for the files of every test run."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

_RUNS: Final = Path(tempfile.gettempdir()) / "wb"
"""Short: the path to a socket in there has 107 characters at most."""


def choose_run_folder(config: pytest.Config) -> None:
    """Tell pytest, unless somebody else has; what it is told goes on to the other processes of this run.

    pytest's own choice is in a folder that all runs share, and a run that begins closes it to other users. When root
    tests, PostgreSQL works as a user of its own: those of runs that are under way would be locked out of their files.
    """
    if config.option.basetemp is None:
        _RUNS.mkdir(exist_ok=True)
        config.option.basetemp = tempfile.mkdtemp(dir=_RUNS)
        atexit.register(_remove, config)


def _remove(config: pytest.Config) -> None:
    """After everything in there has ended; what a failure left is kept, to be looked at."""
    if not _has_failed(config):
        shutil.rmtree(config.option.basetemp, ignore_errors=True)


def _has_failed(config: pytest.Config) -> bool:
    session = config.pluginmanager.get_plugin("session")
    return session is None or bool(session.testsfailed)
