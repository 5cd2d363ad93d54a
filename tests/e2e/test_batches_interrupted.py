"""`run --lane batch` as a user types it: interrupted while its batch is at the provider, and run
again.
"""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.killed_run import KilledRun, SimulatorServer, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

PATIENCE_S = 600
RUN = ("run", "catalogue.csv", "--yes", "--json", "--lane", "batch", "--steps", "together")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_its_batch_at_the_provider_and_the_next_one_collects_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    with SimulatorServer("--batch-delay", "3") as simulator:
        run = KilledRun(simulator, tmp_path, products=20)
        first = run.start(*RUN)
        wait_until(lambda: simulator.books()["batches"] == 1, "a batch is submitted", PATIENCE_S)
        first.send_signal(number)
        first.communicate(timeout=PATIENCE_S)
        assert first.returncode == (-9 if number is signal.SIGKILL else 130)
        second = run.start(*RUN)
        stdout, stderr = second.communicate(timeout=PATIENCE_S)
        assert second.returncode == 0, stderr
        assert json.loads(stdout)["database"]["completed"] == 20
        books = simulator.books()
        assert (books["batches"], books["batch_requests"], books["received"]) == (1, 4, 0)
        run.clean_up()
