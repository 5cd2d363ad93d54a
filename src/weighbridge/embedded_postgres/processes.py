"""Finds the processes of the PostgreSQL of a data directory. Only processes that have been verified
in this way are ever signalled.

The process number in a file proves nothing: it may be left over, copied, or belong to another
process by now. Verified is what the kernel says of the process: its user, its program, and that its
working directory is this directory (same device and inode).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Final

import psutil

from weighbridge.embedded_postgres.files import read_text

_PROGRAMS: Final = frozenset({"postgres", "initdb", "pg_ctl"})
_LONGEST_NUMBER: Final = 20
"""The most digits of a process number that is read from a file."""
FAST = signal.SIGINT
"""Fast shutdown: ends all sessions, writes everything to disk, and stops."""
IMMEDIATE = signal.SIGTERM if sys.platform == "win32" else signal.SIGQUIT
"""Immediate shutdown: stops as in a crash; the next start recovers what is committed."""


def postmaster_of(pgdata: Path) -> psutil.Process | None:
    """The main process of the server that runs in this directory, or None."""
    named = _process_in_pid_file(pgdata)
    if named is not None and _works_in(named, pgdata):
        return named
    return next((process for process in processes_of(pgdata) if _is_postmaster(process)), None)


def processes_of(pgdata: Path) -> list[psutil.Process]:
    """The server of this directory and its children, also those that still run after it has
    ended.
    """
    return [process for process in psutil.process_iter() if _works_in(process, pgdata)]


def original_of(pgdata: Path) -> psutil.Process | None:
    """The running server of another directory, if `pgdata` is a copy of that directory which was
    made while the server ran; else None.
    """
    named = _process_in_pid_file(pgdata)
    if named is None or _works_in(named, pgdata):
        return None
    with contextlib.suppress(psutil.Error, ValueError):
        # The command line contains a random name that is new at each start.
        if _is_postgres(named) and named.cmdline()[1:] == shlex.split(_options(pgdata))[1:]:
            return named
    return None


def send(process: psutil.Process, kind: signal.Signals) -> None:
    """Send a signal, unless the process has ended; psutil makes sure that its number has not been
    given to another process.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(kind)


def kill(process: psutil.Process) -> None:
    """Kill the process, unless it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still runs; a zombie does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def has_sessions(pgdata: Path) -> bool:
    """Whether any client is connected to the server of this directory."""
    for process in processes_of(pgdata):
        with contextlib.suppress(psutil.Error):
            if any("[local]" in word for word in process.cmdline()):
                return True
    return False


def _process_in_pid_file(pgdata: Path) -> psutil.Process | None:
    """The process with the number in `postmaster.pid`, whatever it is; None if there is none."""
    first = read_text(pgdata / "postmaster.pid").partition("\n")[0].strip()
    if not (first.isascii() and first.isdigit() and len(first) <= _LONGEST_NUMBER):
        return None
    with contextlib.suppress(psutil.Error, OverflowError):
        return psutil.Process(int(first))
    return None


def _options(pgdata: Path) -> str:
    """The command line with which the server of this directory was last started."""
    return read_text(pgdata / "postmaster.opts")


def _works_in(process: psutil.Process, pgdata: Path) -> bool:
    """Whether this is verified to be a process of the PostgreSQL of this directory."""
    try:
        return (
            _is_postgres(process)
            and _has_owner_of(process, pgdata)
            and os.path.samestat(_directory_of(process), pgdata.stat())
        )
    except (psutil.Error, OSError):
        return False


def _is_postgres(process: psutil.Process) -> bool:
    return process.name().removesuffix(".exe") in _PROGRAMS


def _is_postmaster(process: psutil.Process) -> bool:
    """Whether this is the server's main process; its other processes are children of it."""
    try:
        parent = process.parent()
        return process.name().startswith("postgres") and (
            parent is None or not _is_postgres(parent)
        )
    except psutil.Error:
        return False


if sys.platform == "win32":

    def _has_owner_of(_process: psutil.Process, _pgdata: Path) -> bool:
        return True  # the directory of another user's process cannot be read there

else:

    def _has_owner_of(process: psutil.Process, pgdata: Path) -> bool:
        return bool(process.uids().effective == pgdata.stat().st_uid)


if sys.platform == "linux":

    def _directory_of(process: psutil.Process) -> os.stat_result:
        return Path(f"/proc/{process.pid}/cwd").stat()  # right even if it was renamed

else:

    def _directory_of(process: psutil.Process) -> os.stat_result:
        return Path(process.cwd()).stat()
