"""kill -9 of a real run, with a simulator that runs as a server of its own and keeps the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.killed_run import CONCURRENCY, KilledRun, SimulatorServer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def test_killed_run_resumes_and_pays_twice_only_for_calls_in_flight(tmp_path: Path) -> None:
    with SimulatorServer("--latency", "0.3") as simulator:
        run = KilledRun(simulator, tmp_path, products=250)
        run.kill_after(run.start(), calls=30)  # seconds before its end: nobody kills in time
        report = run.finish()
        assert report["database"] == {"pending": 0, "processing": 0, "completed": 250, "failed": 0}
        books = simulator.books()
        # With what was answered and not yet stored: as many again, when PostgreSQL is held up.
        in_flight = 2 * CONCURRENCY
        assert 3 * 50 <= books["completed"] <= 3 * 50 + in_flight
        assert books["products_answered_twice"] <= 5 * in_flight
        assert run.doctor()["sound"]
        run.clean_up()


@pytest.mark.parametrize("workers", [1, 4])
def test_with_replies_stored_at_the_provider_nothing_is_paid_twice(
    tmp_path: Path, workers: int
) -> None:
    with SimulatorServer("--latency", "0.5") as simulator:
        run = KilledRun(simulator, tmp_path, products=300, stores=True)
        if workers == 1:
            for calls in (20, 30, 40):
                run.kill_after(run.start(), calls)
            report = run.finish()
        else:
            report = run.finish_with_killed_helpers(workers - 1, calls_before_kills=(20, 30, 40))
        books = simulator.books()
        assert report["database"] == {"pending": 0, "processing": 0, "completed": 300, "failed": 0}
        assert books["completed"] == 3 * 60
        assert books["products_answered_twice"] == 0
        assert books["fetched"] > 0
        assert run.doctor()["sound"]
        run.clean_up()
