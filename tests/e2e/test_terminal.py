"""The terminal is not the engine: it may stand still, vanish or be narrow, and every product is
weighed.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.terminal import PATIENCE_S, Terminal

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals."),
]

EXAMPLE = Path(__file__).parents[2] / "examples" / "catalogue.csv"
RUN = [
    sys.executable,
    "-m",
    "weighbridge",
    "run",
    str(EXAMPLE),
    "--simulate",
    "--limit",
    "20",
    "--yes",
]


def environment_of(folder: Path, **variables: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251
        "HOME": str(folder),
        "WEIGHBRIDGE_DATA_DIR": str(folder / "data"),
        **variables,
    }


def until_exported(folder: Path) -> list[dict[str, str]]:
    ends = time.perf_counter() + PATIENCE_S
    path = folder / "out" / "results.csv"
    while not path.exists():
        assert time.perf_counter() < ends, "nothing was exported"
        time.sleep(0.1)
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_run_ends_and_exports_while_the_terminal_stands_still(tmp_path: Path) -> None:
    with Terminal(RUN, tmp_path, environment_of(tmp_path)) as terminal:
        terminal.stop()
        assert len(until_exported(tmp_path)) == 20
        assert terminal.ended() == 0
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


def test_run_ends_and_exports_while_nobody_reads(tmp_path: Path) -> None:
    with Terminal(RUN, tmp_path, environment_of(tmp_path)) as terminal:
        assert len(until_exported(tmp_path)) == 20
        assert terminal.ended() == 0


def test_results_are_shown_when_the_terminal_goes_on(tmp_path: Path) -> None:
    with Terminal(RUN, tmp_path, environment_of(tmp_path)) as terminal:
        terminal.stop()
        until_exported(tmp_path)
        terminal.go_on()
        assert "20 completed, 0 failed, 0 left" in terminal.read_until("SIMULATED: the")
        assert terminal.ended() == 0


def test_closed_terminal_drains_the_run_and_stops_postgresql(tmp_path: Path) -> None:
    with Terminal(RUN, tmp_path, environment_of(tmp_path)) as terminal:
        terminal.read_until("of 20")
        terminal.close()
        assert terminal.ended() in (0, 130)  # 0: the run was over before the terminal was closed
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()
    status = subprocess.run(
        [sys.executable, "-m", "weighbridge", "status", "--json"],
        cwd=tmp_path,
        env=environment_of(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    products = json.loads(status.stdout)["database"]
    assert (products["processing"], products["failed"]) == (0, 0)
    assert products["completed"] + products["pending"] == 20


def test_run_asks_once_and_stores_nothing_on_no(tmp_path: Path) -> None:
    command = [part for part in RUN if part != "--yes"]
    with Terminal(command, tmp_path, environment_of(tmp_path)) as terminal:
        report = terminal.read_until("Store 20 products?")
        assert "taken as" in report
        terminal.type("n\n")
        terminal.read_until("Nothing was stored or sent.")
        assert terminal.ended() == 2
