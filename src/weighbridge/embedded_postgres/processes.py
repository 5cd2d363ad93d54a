"""Which processes are the PostgreSQL of a directory. Nothing is signalled that has not been proven
to be.

A process number proves nothing: it may be left over, copied, or given to somebody else meanwhile.
What counts is what the kernel says of the process: its user, its program, and that it works in this
very directory (device and inode).
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
"""Most digits of a process id in a file; Python refuses to read thousands of digits."""
FAST = signal.SIGINT
"""Fast shutdown: ends all sessions, writes everything to disk, and stops."""
IMMEDIATE = signal.SIGTERM if sys.platform == "win32" else signal.SIGQUIT
"""Immediate shutdown: stops as in a crash; the next start recovers what is committed."""


def postmaster_of(pgdata: Path) -> psutil.Process | None:
    """The server that works in this directory, or None."""
    named = _named_in(pgdata)
    if named is not None and _works_in(named, pgdata):
        return named
    return next((process for process in processes_of(pgdata) if _is_postmaster(process)), None)


def processes_of(pgdata: Path) -> list[psutil.Process]:
    """The server and its children, also those that have outlived it."""
    return [process for process in psutil.process_iter() if _works_in(process, pgdata)]


def original_of(pgdata: Path) -> psutil.Process | None:
    """The living server of another directory, of which this one is a copy, made while it ran."""
    named = _named_in(pgdata)
    if named is None or _works_in(named, pgdata):
        return None
    with contextlib.suppress(psutil.Error, ValueError):
        # The command line carries a name that each start draws anew.
        if _is_postgres(named) and named.cmdline()[1:] == shlex.split(_options(pgdata))[1:]:
            return named
    return None


def send(process: psutil.Process, kind: signal.Signals) -> None:
    """Signal it; psutil makes sure that the number has not been given to another process
    meanwhile.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(kind)


def kill(process: psutil.Process) -> None:
    """The same, without asking."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs: what nobody has collected yet does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def has_sessions(pgdata: Path) -> bool:
    """Whether somebody is connected to the server of this directory."""
    for process in processes_of(pgdata):
        with contextlib.suppress(psutil.Error):
            if any("[local]" in word for word in process.cmdline()):
                return True
    return False


def _named_in(pgdata: Path) -> psutil.Process | None:
    """What postmaster.pid names, whatever that is."""
    first = read_text(pgdata / "postmaster.pid").partition("\n")[0].strip()
    if not (first.isascii() and first.isdigit() and len(first) <= _LONGEST_NUMBER):
        return None
    with contextlib.suppress(psutil.Error, OverflowError):
        return psutil.Process(int(first))
    return None


def _options(pgdata: Path) -> str:
    return read_text(pgdata / "postmaster.opts")


def _works_in(process: psutil.Process, pgdata: Path) -> bool:
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
    """Whether this is the server itself: PostgreSQL's other processes are its children."""
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
        return Path(f"/proc/{process.pid}/cwd").stat()  # itself, whatever it is called by now

else:

    def _directory_of(process: psutil.Process) -> os.stat_result:
        return Path(process.cwd()).stat()
