"""Runs a function that reads a small file in a process of its own, under the limits of readers.

For files that are no catalogues and come in over HTTP: a review workbook, bills of materials.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

from weighbridge.errors import UnreadableFile
from weighbridge.ingest.isolation.limits import (
    READER_LIMITS,
    ReaderLimits,
    ignore_signals,
    limit_cpu,
    limit_memory,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Read = TypeVar("Read")


def read_alone(
    read: Callable[[Path], Read], path: Path, limits: ReaderLimits = READER_LIMITS
) -> Read:
    """What `read` returns for the file, run in a new process; it and its result must be picklable.

    Raises:
        UnreadableFile: the process died while it read the file.
        Exception: whatever `read` raises.
    """
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_limit_this_process, initargs=(limits,)
    ) as pool:
        try:
            return pool.submit(read, path).result()
        except (BrokenProcessPool, MemoryError) as error:
            raise UnreadableFile(
                "Reading the file took too much memory or time, or crashed. Save it again in the "
                "program that made it, or split it."
            ) from error


def _limit_this_process(limits: ReaderLimits) -> None:
    ignore_signals()
    limit_memory(limits)
    limit_cpu(limits)
