"""Everything on a data directory is killed, PostgreSQL included, and the directory is moved or
copied in between.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from weighbridge.embedded_postgres import processes
from weighbridge.embedded_postgres.cluster import draft_of
from weighbridge.embedded_postgres.waiting import wait_until

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.support.killed_run import KilledRun

Relocation = Literal["stays", "moved", "copied"]


@dataclass
class KilledHost:
    """One catalogue, in a directory that wanders."""

    run: KilledRun
    dice: random.Random
    place: Path = field(init=False)
    moves: int = 0
    copies: int = 0

    def __post_init__(self) -> None:
        self.place = self.run.folder / "data"

    def kill_all_after(self, longest_s: float) -> None:
        """Let a run work for a random time, then kill it and, mostly, PostgreSQL with all of its
        processes.
        """
        started = self.run.start()
        time.sleep(self.dice.uniform(0, longest_s))
        started.kill()
        started.communicate()
        self.run.kills += 1
        if self.dice.random() < 0.8:
            self._kill_postgres()
            self._wander()

    def finish(self) -> dict[str, Any]:
        """The run that nobody kills, and what the doctor says after it."""
        report = self.run.finish()
        assert self.run.doctor()["sound"] is True
        return report

    def still_running(self) -> list[int]:
        """Every PostgreSQL that works below the folder, wherever the directory has been."""
        return [
            process.pid
            for pgdata in self.run.folder.rglob("postgres")
            for process in processes.processes_of(pgdata)
        ]

    def clean_up(self) -> None:
        """Whatever a failed test has left."""
        self._kill_postgres()

    def _kill_postgres(self) -> None:
        """Again until nothing is there: one that is being made starts further processes."""
        assert wait_until(self._nothing_is_left, 60), "it outlived kill -9"

    def _nothing_is_left(self) -> bool:
        pgdata = self.place / "postgres"
        left = [*processes.processes_of(pgdata), *processes.processes_of(draft_of(pgdata))]
        for process in left:
            processes.kill(process)
        return not left

    def _wander(self) -> None:
        """Under another name, or as a copy in whose place nothing is left."""
        chosen: Relocation = self.dice.choice(["stays", "moved", "copied"])
        if chosen == "stays" or not self.place.exists():
            return
        new = self.run.folder / f"data-{self.run.kills}"
        if chosen == "moved":
            self.place.rename(new)
            self.moves += 1
        else:
            subprocess.run(["/bin/cp", "-a", self.place, new], check=True)
            shutil.rmtree(self.place)
            self.copies += 1
        self.place = new
        self.run.environment["WEIGHBRIDGE_DATA_DIR"] = str(new)
