"""A rolling upgrade with real processes: workers of two versions on one database, replaced one
after the other.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from tests.support.killed_run import CONCURRENCY, wait_until
from weighbridge.store.schema import migrations

if TYPE_CHECKING:
    import subprocess

    from tests.support.killed_run import KilledRun

SOURCES: Final = Path(__file__).parents[2] / "src"
REFUSED: Final = 2
"""Exit code of a program that may not work with the database."""


def next_version(folder: Path) -> Path:
    """Sources of a version after this one: a migration more, other prompts, more in the limiter's
    state.
    """
    sources = folder / "next_version"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__"))
    store, steps, limits = (sources / "weighbridge" / name for name in ("store", "steps", "limits"))
    _edit(steps / "question.py", "How to read the data\n", "How you are to read the data\n")
    _edit(limits / "limiter.py", "self._window.dump(),", "self._window.dump(), b'new',")
    newest = migrations()[-1].number
    (store / "migrations" / f"{newest + 1:04}_next.sql").write_text(
        f"-- Serves programs from schema {newest} on.\n"
        "ALTER TABLE products ADD COLUMN colour text;\n"
        "ALTER TABLE answers ADD COLUMN rating integer NOT NULL DEFAULT 0;\n"
        "ALTER TABLE queue_state ADD COLUMN mood text NOT NULL DEFAULT 'good';\n"
        "CREATE TABLE reviews (product_id bigint PRIMARY KEY REFERENCES products (id) ON DELETE "
        "CASCADE);\n",
        encoding="utf-8",
    )
    return sources


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file.name} has changed: the next version would be the same"
    file.write_text(text.replace(old, new), encoding="utf-8")


@dataclass(frozen=True)
class Upgrade:
    """What came of it. `in_flight_at_kill` is how many calls may have been paid for twice."""

    completed: int
    products: int
    calls_needed: int
    calls_paid: int
    in_flight_at_kill: int
    step_versions: int
    old_worker_restarted: bool
    sound: bool

    def document(self) -> dict[str, Any]:
        """For a line of JSON."""
        return asdict(self)


class RollingUpgrade:
    """Two old workers; a new one joins and migrates; the old ones leave one after the other, one of
    them by kill -9.
    """

    def __init__(self, run: KilledRun, url: str, old: Path, new: Path) -> None:
        self._run = run
        self._url = url
        self._old = old
        self._new = new
        self._calls = 3 * -(-run.products // 5)
        run.environment |= {"WEIGHBRIDGE_DATABASE_URL": url, "WEIGHBRIDGE_PACING": "continuous"}

    def roll(self, *, kills: bool = True) -> Upgrade:
        """Import with the old version, upgrade host by host while it works, wait for the end."""
        run = self._run
        imported = run.start("import", "catalogue.csv", sources=self._old)
        _, said = imported.communicate(timeout=300)
        assert imported.returncode == 0, said
        workers = [self._worker(self._old), self._worker(self._old)]
        self._until_calls(0.2)
        # Before there is nothing left to ask in the new way, however long it takes to begin.
        with run.simulator.slowed(5.0):
            workers.append(self._worker(self._new))
        self._until_calls(0.4)
        workers[0] = self._replaced(workers[0])
        self._until_calls(0.6)
        restarted = False
        if kills:
            workers[1].send_signal(signal.SIGKILL)
            workers[1].communicate()
            again = run.start("worker", sources=self._old)
            restarted = run.says_that_it_works(again)
            workers[1] = again if restarted else self._worker(self._new)
            assert restarted or again.returncode == REFUSED, again.returncode
        self._until_calls(0.8)
        if restarted or not kills:
            workers[1] = self._replaced(workers[1])
        wait_until(
            lambda: self._value(
                "SELECT count(*) = 0 FROM products WHERE status IN ('pending', 'processing')"
            ),
            "the end",
            300,
        )
        for worker in workers:
            self._drain(worker)
        return Upgrade(
            completed=self._value("SELECT count(*) FROM products WHERE status = 'completed'"),
            products=run.products,
            calls_needed=self._calls,
            calls_paid=run.simulator.books()["completed"],
            in_flight_at_kill=CONCURRENCY if kills else 0,
            step_versions=self._value(
                "SELECT count(DISTINCT step_version) FROM answers WHERE step = 'classification'"
            ),
            old_worker_restarted=restarted,
            sound=run.doctor()["sound"],
        )

    def _worker(self, sources: Path) -> subprocess.Popen[str]:
        worker = self._run.start("worker", sources=sources)
        self._run.wait_for_worker(worker)
        return worker

    def _replaced(self, worker: subprocess.Popen[str]) -> subprocess.Popen[str]:
        """As `systemctl restart` does on a host that was upgraded."""
        self._drain(worker)
        return self._worker(self._new)

    @staticmethod
    def _drain(worker: subprocess.Popen[str]) -> None:
        worker.terminate()
        _, said = worker.communicate(timeout=300)
        assert worker.returncode == 0, said

    def _until_calls(self, share: float) -> None:
        books = self._run.simulator.books
        wait_until(
            lambda: books()["completed"] >= share * self._calls, f"{share:.0%} of all calls", 300
        )

    def _value(self, sql: str) -> Any:
        async def ask() -> Any:
            connection = await asyncpg.connect(self._url)
            try:
                return await connection.fetchval(sql)
            finally:
                await connection.close()

        return asyncio.run(ask())
