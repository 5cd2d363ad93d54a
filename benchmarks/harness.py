"""What every benchmark of the whole program needs: processes to start, a catalogue to feed, books
to read.

The simulated provider, PostgreSQL and each worker are processes of their own, joined by real
sockets, as in production; what is measured is read from outside: the simulator's books, /proc (so:
Linux), and the database.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from weighbridge.embedded_postgres.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

CATALOGUE: Final = Path(__file__).parents[1] / "examples" / "catalogue.csv"
STEPS: Final = ("classification", "bill_of_materials", "manufacturing")
NO_LIMIT: Final = {"requests_per_minute": 10_000_000, "tokens_per_minute": 100_000_000_000}
TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
MODEL: Final = "gpt-4.1-mini"
STARTS_WITHIN_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Account:
    """What the simulated provider allows; None is no limit.

    `burst_s`: seconds of quota that may come at once.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst_s: float = 60.0
    latency_s: float = 0.0

    def options(self) -> list[str]:
        """As the command line takes them."""
        given = ["--latency", str(self.latency_s), "--burst", str(self.burst_s)]
        if self.requests_per_minute:
            given += ["--rpm", str(self.requests_per_minute)]
        if self.tokens_per_minute:
            given += ["--tpm", str(self.tokens_per_minute)]
        return given

    def least_s(self, requests: int, tokens: int, *, keeps_minutes: bool = True) -> float:
        """The shortest time in which so much can be admitted.

        Two things bound it: what the provider's bucket holds and refills, and, for who keeps it,
        the rule that no sliding minute may hold more than the limit. (A bucket that holds a full
        minute's quota admits up to two minutes' worth within its first minute.)
        """
        bounds = [0.0]
        for amount, limit in (
            (requests, self.requests_per_minute),
            (tokens, self.tokens_per_minute),
        ):
            if limit:
                bounds.append((amount - limit * self.burst_s / 60) / limit * 60)
                if keeps_minutes:
                    bounds.append((-(-amount // limit) - 1) * 60.0)
        return max(bounds)


class Process:
    """A child process, its CPU time and its memory. It is terminated at the end."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        within: Sequence[str] = (),
    ) -> None:
        """`within`: a command that runs it somewhere else, such as in a network namespace."""
        self._log = log.open("wb")
        self._child = subprocess.Popen(
            [*within, sys.executable, "-m", "weighbridge", *arguments],
            env={**os.environ, **environment},
            stdout=self._log,
            stderr=self._log,
        )
        self.log = log

    @property
    def pid(self) -> int:
        """The process."""
        return self._child.pid

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far, user and system."""
        return cpu_s(self.pid)

    @property
    def peak_mb(self) -> float:
        """The most memory that was resident."""
        return _status_mb(self.pid, "VmHWM")

    @property
    def resident_mb(self) -> float:
        """Memory that is resident now."""
        return _status_mb(self.pid, "VmRSS")

    def wait(self) -> int:
        """Until it ends by itself."""
        return self._child.wait()

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        self._child.kill()
        self._child.wait()
        self._log.close()

    def stop(self) -> None:
        """Ask it to end; after a while, insist."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._log.close()


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, user and system, with the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def _status_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


@contextmanager
def simulator(account: Account, folder: Path, host: str = "127.0.0.1") -> Iterator[SimulatorServer]:
    """The simulated provider as a server of its own."""
    server = SimulatorServer(account, folder, host)
    try:
        server.wait_until_up()
        yield server
    finally:
        server.process.stop()


class SimulatorServer:
    """A running `weighbridge simulator`, and its books."""

    def __init__(self, account: Account, folder: Path, host: str = "127.0.0.1") -> None:
        self.account = account
        self.host = host
        self.port = free_port()
        self.process = Process(
            ["simulator", "--host", host, "--port", str(self.port), *account.options()],
            {},
            folder / f"simulator-{self.port}.log",
        )

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://{self.host}:{self.port}/v1"

    def books(self) -> dict[str, Any]:
        """The provider's own count."""
        with urllib.request.urlopen(
            f"http://{self.host}:{self.port}/simulator/books", timeout=10
        ) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def change(self, **changes: Any) -> None:
        """Change the account's settings in mid-run."""
        request = urllib.request.Request(
            f"http://{self.host}:{self.port}/simulator/config",
            data=json.dumps(changes).encode(),
            headers={"content-type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            answer.read()

    def wait_until_up(self) -> None:
        """Until it answers."""
        deadline_s = time.monotonic() + 30
        while True:
            try:
                self.books()
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)
            else:
                return


@dataclass(slots=True)
class Site:
    """One database and what may be started on it."""

    folder: Path
    url: str
    connection: asyncpg.Connection[Any]
    settings: dict[str, str]

    async def add_products(self, count: int, first: int = 0, group_size: int = 5) -> None:
        """Put a catalogue in through `weighbridge import`. The queue stays stopped."""
        path = self.folder / f"catalogue-{first}.csv"
        write_catalogue(path, count, first)
        importer = Process(["import", str(path)], self.settings, self.folder / "import.log")
        code = await asyncio.to_thread(importer.wait)
        importer.stop()
        assert code == 0, importer.log.read_text()
        if group_size == 1:
            await self.connection.execute(
                "UPDATE products SET alone = true WHERE status = 'pending'"
            )
        await self.connection.execute("ANALYZE")

    def worker(self, name: str = "worker", **settings: str) -> Process:
        """Start one `weighbridge worker`."""
        return Process(["worker"], {**self.settings, **settings}, self.folder / f"{name}.log")

    async def start_queue(self) -> None:
        """Let processing begin."""
        await self.connection.execute("UPDATE queue_state SET running = true")
        await self.connection.execute("NOTIFY weighbridge")

    async def stop_queue(self) -> None:
        """Let nothing begin."""
        await self.connection.execute("UPDATE queue_state SET running = false")
        await self.connection.execute("NOTIFY weighbridge")

    async def counts(self) -> dict[str, int]:
        """Products by state, from the counters that triggers keep."""
        row = await self.connection.fetchrow(
            "SELECT sum(pending)::bigint AS pending, sum(processing)::bigint AS processing,"
            " sum(completed)::bigint AS completed, sum(failed)::bigint AS failed FROM "
            "product_count_changes"
        )
        assert row is not None
        return {name: value or 0 for name, value in dict(row).items()}

    async def until_done(self, every_s: float = 0.05) -> dict[str, int]:
        """Until no product waits or is being processed."""
        while True:
            counts = await self.counts()
            if not counts["pending"] and not counts["processing"]:
                return counts
            await asyncio.sleep(every_s)

    def database_cpu_s(self) -> float:
        """CPU seconds of all PostgreSQL processes, those that have ended included."""
        postmaster = int((self.folder / "data/postgres/postmaster.pid").read_text().split()[0])
        fields = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
        total = sum(map(int, fields[11:15])) / TICKS_A_SECOND  # ended children are in the last two
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parts = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(parts[1]) == postmaster:
                    total += (int(parts[11]) + int(parts[12])) / TICKS_A_SECOND
        return total


@asynccontextmanager
async def site(
    folder: Path, base_url: str, *, limits: Mapping[str, int], pacing: str = "continuous"
) -> AsyncIterator[Site]:
    """A fresh embedded PostgreSQL with our schema, its queue stopped; the server ends with it."""
    server = EmbeddedServer(folder / "data")
    url = await asyncio.to_thread(server.join)
    settings = {
        "OPENAI_API_KEY": "sk-simulated",
        "OPENAI_BASE_URL": base_url,
        "WEIGHBRIDGE_MODEL": MODEL,
        "WEIGHBRIDGE_DATABASE_URL": url,
        "WEIGHBRIDGE_DATA_DIR": str(folder / "unused"),
        "WEIGHBRIDGE_PACING": pacing,
        **{f"WEIGHBRIDGE_{name.upper()}": str(value) for name, value in limits.items()},
    }
    first = Process(["status"], settings, folder / "status.log")
    code = await asyncio.to_thread(first.wait)
    first.stop()
    assert code == 0, first.log.read_text()
    connection = await asyncpg.connect(url)
    try:
        here = Site(folder, url, connection, settings)
        await here.stop_queue()
        yield here
    finally:
        await connection.close()
        await asyncio.to_thread(server.leave)


def write_catalogue(path: Path, count: int, first: int = 0) -> None:
    """The sample catalogue's texts over and over, each time under other codes; without pictures."""
    with CATALOGUE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("code", "name", "description", "weight"))
        for number in range(first, first + count):
            row = rows[number % len(rows)]
            description = f"{row['description']} Series {number}."
            writer.writerow((f"B-{number:07d}", row["name"], description, row["weight"]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    """A server that is somebody else's; what it says is of no interest."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def wait_for(address: str) -> None:
    """Until the server answers there."""
    until_s = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            answer: Any = urllib.request.urlopen(address, timeout=5)  # noqa: S310
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(1)
        else:
            answer.close()
            return


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows under their names, each line labelled as simulated."""
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_shown(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    print(f"\nsimulated: {title}")
    for line in (names, *cells):
        print("  " + "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
