"""A folder of its own for the files of every test run."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def choose_run_folder(config: pytest.Config) -> None:
    """Tell pytest, unless somebody else has; what it is told goes on to the other processes of this
    run.

    pytest's own choice lies in a folder that a later run closes to other users. When root tests,
    PostgreSQL works as a user of its own, and runs under way would be locked out of their files.
    The name is short because the path of a socket in there has 107 characters at most.
    """
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="wb-")
        atexit.register(_remove, config)


def _remove(config: pytest.Config) -> None:
    """After everything in there has ended; what a failure left is kept, to be looked at."""
    if not _has_failed(config):
        shutil.rmtree(config.option.basetemp, ignore_errors=True)


def _has_failed(config: pytest.Config) -> bool:
    session = config.pluginmanager.get_plugin("session")
    return session is None or bool(session.testsfailed)
