"""Limits of the process that reads a file. The operating system enforces them on POSIX."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import Final

_STDERR_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """What reading one file may take.

    `memory_bytes`: heap of the process; kept by Linux. `silence_s`: time without any progress; kept
    by the parent's clock everywhere, and in CPU seconds on POSIX should the parent be gone.
    """

    memory_bytes: int = 768 << 20
    silence_s: float = 180.0


READER_LIMITS: Final = ReaderLimits()
PICTURE_LIMITS: Final = ReaderLimits(memory_bytes=640 << 20, silence_s=30.0)


def ignore_signals() -> None:
    """Only the parent decides when the child ends: Ctrl-C and `systemctl stop` reach it too."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


def limit_memory(limits: ReaderLimits) -> None:
    """Bound the heap, and forbid files and core dumps.

    RLIMIT_DATA and not RLIMIT_AS: a Parquet file is mapped into memory, and threads reserve address
    space that they never use.
    """
    if sys.platform == "win32":
        return
    import resource

    _lower(resource.RLIMIT_DATA, limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, _STDERR_BYTES)
    _lower(resource.RLIMIT_CORE, 0)


def limit_cpu(limits: ReaderLimits) -> None:
    """Allow the CPU time of one more step."""
    if sys.platform == "win32":
        return
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_s = usage.ru_utime + usage.ru_stime
    # Several threads use several seconds of CPU in one.
    _lower(resource.RLIMIT_CPU, int(used_s + 4 * limits.silence_s) + 1)


def _lower(kind: int, value: int) -> None:
    """Set a soft limit, at most the hard one; without effect where the system refuses it."""
    import resource

    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(kind, (value, hard))
    except (OSError, ValueError):
        return  # macOS knows some of them by name only
