"""Hosts are upgraded one after the other while they work: real processes of this version and of one
after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.killed_run import KilledRun, SimulatorServer
from tests.support.two_versions import SOURCES, RollingUpgrade, next_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.database import PostgresForTests

pytestmark = pytest.mark.e2e


@pytest.fixture
def empty_url(postgres: PostgresForTests) -> Iterator[str]:
    url = postgres.create_empty_database()
    yield url
    postgres.drop_database(url)


def test_rolling_upgrade_loses_nothing_and_pays_twice_only_after_a_kill(
    empty_url: str, tmp_path: Path
) -> None:
    with SimulatorServer("--latency", "1") as simulator:
        run = KilledRun(simulator, tmp_path, products=400)
        upgrade = RollingUpgrade(run, empty_url, SOURCES, next_version(tmp_path)).roll()
    assert upgrade.completed == 400
    assert upgrade.step_versions == 2
    assert upgrade.old_worker_restarted
    assert upgrade.sound
    assert 0 <= upgrade.calls_paid - upgrade.calls_needed <= upgrade.in_flight_at_kill
