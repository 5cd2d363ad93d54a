"""Limits of the process that reads a file, which POSIX systems enforce."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import Final

_STDERR_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """What reading one file may take.

    `memory_bytes` is the heap of the process; only Linux enforces it. `silence_s` is the time
    without any progress; the parent enforces it by its clock, and POSIX systems, should the parent
    be gone, as seconds of CPU time.
    """

    memory_bytes: int = 768 << 20
    silence_s: float = 180.0


READER_LIMITS: Final = ReaderLimits()
PICTURE_LIMITS: Final = ReaderLimits(memory_bytes=640 << 20, silence_s=30.0)


def ignore_signals() -> None:
    """Ignore the signals of Ctrl-C and `systemctl stop`, since the parent ends the child itself."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


def limit_memory(limits: ReaderLimits) -> None:
    """Limit the heap of this process, and forbid large files and core dumps.

    RLIMIT_DATA and not RLIMIT_AS: a Parquet file is mapped into memory, and threads reserve address
    space that they never use.
    """
    if sys.platform == "win32":
        return
    import resource

    _set_soft_limit(resource.RLIMIT_DATA, limits.memory_bytes)
    _set_soft_limit(resource.RLIMIT_FSIZE, _STDERR_BYTES)
    _set_soft_limit(resource.RLIMIT_CORE, 0)


def limit_cpu(limits: ReaderLimits) -> None:
    """Allow this process the CPU time of one more step: what may pass without any progress."""
    if sys.platform == "win32":
        return
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_s = usage.ru_utime + usage.ru_stime
    # Several threads use several seconds of CPU in one.
    _set_soft_limit(resource.RLIMIT_CPU, int(used_s + 4 * limits.silence_s) + 1)


def _set_soft_limit(kind: int, value: int) -> None:
    """Set a soft limit, at most the hard one; does nothing where the system refuses it."""
    import resource

    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(kind, (value, hard))
    except (OSError, ValueError):
        return  # macOS knows some of them by name only
