"""Real processes: a simulator server with its own books, and `weighbridge run` that is killed in
mid-run.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.support.crash import stop_postgres
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

CONCURRENCY = 10
"""Calls in flight at once; a few more may have been answered and not be stored yet."""
PROGRAM = [sys.executable, "-m", "weighbridge"]


def wait_until(is_true: Callable[[], bool], what: str, timeout_s: float = 120.0) -> None:
    """Look now and then; an AssertionError after `timeout_s`."""
    end_s = time.monotonic() + timeout_s  # noqa: TID251 - real processes live in real time
    while not is_true():
        assert time.monotonic() < end_s, f"never came true: {what}"  # noqa: TID251
        time.sleep(0.02)


class SimulatorServer:
    """`weighbridge simulator` as a process of its own."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [*PROGRAM, "simulator", "--port", str(self.port), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        wait_until(self._answers, "the simulator listens")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def books(self) -> dict[str, Any]:
        """Its own account of what it answered and was paid for."""
        url = f"http://127.0.0.1:{self.port}/simulator/books"
        with urllib.request.urlopen(url, timeout=60) as answer:
            document: dict[str, Any] = json.load(answer)
            return document

    @contextmanager
    def slowed(self, latency_s: float) -> Iterator[None]:
        """Calls that come in meanwhile take longer: what the test does now shall not be overtaken
        by the work.
        """
        before = self._config()["latency_s"]
        self._config(latency_s=latency_s)
        try:
            yield
        finally:
            self._config(latency_s=before)

    def change(self, **changes: float | str) -> None:
        """Tell it something else from now on."""
        self._config(**changes)

    def _config(self, **changes: float | str) -> dict[str, Any]:
        """What it is told, or was."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/simulator/config",
            data=json.dumps(changes).encode() if changes else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            document: dict[str, Any] = json.load(answer)
            return document

    def _answers(self) -> bool:
        try:
            self.books()
        except OSError:
            return False
        return True


@dataclass
class KilledRun:
    """One catalogue, run by processes that are killed until one may finish."""

    simulator: SimulatorServer
    folder: Path
    products: int
    stores: bool = False
    """Whether replies are stored at the provider too."""
    kills: int = 0
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = {
            "PATH": os.environ["PATH"],  # noqa: TID251
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),  # noqa: TID251 - the same sources as here
            "HOME": str(self.folder),
            "WEIGHBRIDGE_DATA_DIR": str(self.folder / "data"),
            "WEIGHBRIDGE_REQUESTS_PER_MINUTE": "100000",
            "WEIGHBRIDGE_TOKENS_PER_MINUTE": "1000000000",
            "WEIGHBRIDGE_MAX_CONCURRENT_REQUESTS": str(CONCURRENCY),
            "WEIGHBRIDGE_STORE_AT_PROVIDER": str(self.stores),
            "WEIGHBRIDGE_LOG_LEVEL": "INFO",  # a worker says in its log that it works
            "OPENAI_BASE_URL": f"http://127.0.0.1:{self.simulator.port}/v1",
            "OPENAI_API_KEY": "sk-simulated",
        }
        with (self.folder / "catalogue.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["code", "name", "description"])
            rows.writerows(
                (f"K-{n:05}", "Steel bottle", f"A stainless steel bottle, edition {n}")
                for n in range(self.products)
            )

    def start(self, *arguments: str, sources: Path | None = None) -> subprocess.Popen[str]:
        """A process that works: `run` on the catalogue, unless something else is given; from other
        `sources`.
        """
        arguments = arguments or (
            *("run", "catalogue.csv", "--yes", "--json", "--pacing", "continuous"),
            *("--format", "jsonl"),
        )
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment | ({"PYTHONPATH": str(sources)} if sources else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @classmethod
    def wait_for_worker(cls, process: subprocess.Popen[str]) -> None:
        """Until a `worker` that was started says that it works: one that is killed before has
        nothing in hand.
        """
        assert cls.says_that_it_works(process), "the worker ended"

    @staticmethod
    def says_that_it_works(process: subprocess.Popen[str]) -> bool:
        """Whether a `worker` that was started says so, and not why it cannot."""
        assert process.stderr is not None
        while said := process.stderr.readline():
            if "Working with" in said:
                threading.Thread(
                    target=process.stderr.read, daemon=True
                ).start()  # nobody else does
                return True
        process.wait()
        return False

    def kill_after(self, process: subprocess.Popen[str], calls: int) -> None:
        """kill -9 once the provider has given so many more answers."""
        goal = self.simulator.books()["completed"] + calls
        wait_until(
            lambda: process.poll() is not None or self.simulator.books()["completed"] >= goal,
            f"{calls} more answers",
        )
        assert process.poll() is None, process.communicate()
        self.kills += 1
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def finish(self) -> dict[str, Any]:
        """The run that nobody kills; returns its report."""
        return self._report(self.start())

    def finish_with_killed_helpers(
        self, helpers: int, calls_before_kills: Sequence[int]
    ) -> dict[str, Any]:
        """The same with further workers, of which one after the other is killed and replaced."""
        others = [self.start("worker") for _ in range(helpers)]
        first = self.start()
        wait_until(lambda: self.simulator.books()["completed"] > 0, "work begins")
        for number, calls in enumerate(calls_before_kills):
            self.wait_for_worker(others[number % helpers])
            self.kill_after(others[number % helpers], calls)
            others[number % helpers] = self.start("worker")
        try:
            return self._report(first)
        finally:
            for other in others:
                other.terminate()
                other.communicate()

    @staticmethod
    def _report(process: subprocess.Popen[str]) -> dict[str, Any]:
        stdout, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
        report: dict[str, Any] = json.loads(stdout)
        return report

    def clean_up(self) -> None:
        """Stop the embedded PostgreSQL, if those who would have done it were killed."""
        stop_postgres(self.folder / "data")

    def doctor(self) -> dict[str, Any]:
        """What `weighbridge doctor` finds."""
        process = self.start("doctor", "--json")
        stdout, stderr = process.communicate(timeout=300)
        assert stdout, stderr
        document: dict[str, Any] = json.loads(stdout)
        return document
