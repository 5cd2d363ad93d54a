"""kill -9 of everything, PostgreSQL included, with moves and copies of the data directory in
between.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.support.killed_host import KilledHost
from tests.support.killed_run import CONCURRENCY, KilledRun, SimulatorServer
from tests.support.seeds import choose_first_seed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.e2e
def test_killed_with_its_postgresql_moved_and_copied_it_loses_nothing_and_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    with SimulatorServer("--latency", "0.2") as simulator:
        host = KilledHost(KilledRun(simulator, tmp_path, 300), random.Random(choose_first_seed()))
        try:
            for _ in range(6):
                host.kill_all_after(longest_s=6.0)
            report = host.finish()
            assert report["database"] == {
                "pending": 0,
                "processing": 0,
                "completed": 300,
                "failed": 0,
            }
            assert host.still_running() == []
            assert simulator.books()["completed"] <= 3 * 60 + 2 * CONCURRENCY * host.run.kills
        finally:
            host.clean_up()
