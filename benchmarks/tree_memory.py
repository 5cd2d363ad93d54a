"""The most memory that a process and its children have had at one time.

    python -m benchmarks.tree_memory COMMAND [ARGUMENT ...]

Runs the command, and prints the peak of the sum with what each process had then, and for comparison
the peaks of all processes added, whenever they came. Looks 20 times a second, from a process of its
own. Sums resident memory: what two processes share (20 MB of libraries, in an import) counts twice,
so the machine needs less than this. PostgreSQL is not counted.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

EVERY_S = 0.05
CHILDREN_EVERY = 10
"""After so many looks, new children are looked for, which takes longer."""
NOT_COUNTED = frozenset({"postgres", "pg_ctl", "initdb"})
_MB = 1 << 20


@dataclass
class Peak:
    """Megabytes: `together` at one time, by process (`parts`), and the peaks of each, added."""

    together: float = 0.0
    parts: tuple[float, ...] = ()
    of_each: dict[int, float] = field(default_factory=dict)

    @property
    def added(self) -> float:
        """What the processes would have had, had their peaks come together."""
        return sum(self.of_each.values())

    def see(self, resident: dict[int, float]) -> None:
        """Take in one look."""
        for pid, size in resident.items():
            self.of_each[pid] = max(size, self.of_each.get(pid, 0.0))
        if sum(resident.values()) > self.together:
            self.together = sum(resident.values())
            self.parts = tuple(sorted(resident.values(), reverse=True))


class TreeMemory:
    """Watches a process, this one if no other is named; a context manager."""

    def __init__(self, pid: int | None = None) -> None:
        """Children that are there already are left out."""
        root = psutil.Process(pid)
        known = [child.pid for child in root.children(recursive=True)]
        spawn = get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._watcher = spawn.Process(target=_watch, args=(root.pid, known, theirs), daemon=True)
        self._watcher.start()
        theirs.close()

    def take(self) -> Peak:
        """The peak since the beginning, or since this was last asked."""
        self._pipe.send(True)
        peak: Peak = self._pipe.recv()
        return peak

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._watcher.join()


def _watch(pid: int, left_out: list[int], pipe: Connection) -> None:
    """Look again and again; hand over what was seen when asked."""
    root = psutil.Process(pid)
    # This process, and the one that multiprocessing keeps beside it.
    unwanted = {*left_out, psutil.Process().pid}
    peak, looks, watched = Peak(), 0, [root]
    while True:
        if looks % CHILDREN_EVERY == 0:
            watched = [root, *_children(root, unwanted)]
        looks += 1
        peak.see(_resident(watched))
        try:
            if pipe.poll(EVERY_S):
                pipe.recv()
                pipe.send(peak)
                peak = Peak()
        except EOFError:
            return


def _children(root: psutil.Process, unwanted: set[int]) -> list[psutil.Process]:
    try:
        found = root.children(recursive=True)
        return [one for one in found if one.pid not in unwanted and _counts(one)]
    except psutil.NoSuchProcess:
        return []


def _counts(process: psutil.Process) -> bool:
    return process.name() not in NOT_COUNTED and "resource_tracker" not in str(process.cmdline())


def _resident(processes: list[psutil.Process]) -> dict[int, float]:
    """Megabytes by process id; those that have ended are left out."""
    found = {}
    for process in processes:
        try:
            found[process.pid] = process.memory_info().rss / _MB
        except psutil.NoSuchProcess:
            continue
    return found


def main() -> int:
    """Run a command and say what it took; returns its exit code."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    child = subprocess.Popen(sys.argv[1:])
    with TreeMemory(child.pid) as memory:
        code = child.wait()
        peak = memory.take()
    parts = " + ".join(f"{part:.0f}" for part in peak.parts)
    print(
        f"at one time: {peak.together:.0f} MB ({parts}); peaks added: {peak.added:.0f} MB",
        file=sys.stderr,
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
