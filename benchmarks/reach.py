"""How soon what an operator says reaches every worker, and how soon another dispatches when one
dies.

    python -m benchmarks.reach [--workers 4] [--latency 2] [--rounds 5] [--json]

Workers are processes of their own on one database, with full work and a ceiling of 20 calls at a
time. In each round the queue is stopped and started, and the limit per minute lowered below what
was just used and raised again. At the end the process that dispatches is killed with -9. Seconds
are counted from the commit: "silent" until the last call that the provider received afterwards,
"all at work" until each worker has a call in flight or one that waits for room under the ceiling,
"idle" until no product is in processing. The longest of all rounds is shown. Targets: a second for
what is said, the longest call for idle, five seconds for the dispatcher.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import Account, print_table, simulator, site
from weighbridge.store.jobs import DISPATCH_LOCK

if TYPE_CHECKING:
    from benchmarks.harness import Process, SimulatorServer, Site

AMPLE: Final = 1_000_000
CEILING: Final = 20
LOOK_S: Final = 0.01
PATIENCE_S: Final = 60.0
TARGETS_S: Final = {
    "silent after stop": 1.0,
    "all at work after start": 1.0,
    "silent after a lower limit": 1.0,
    "all at work after a higher one": 1.0,
    "next dispatcher after kill -9": 5.0,
}
_IN_FLIGHT: Final = "SELECT count(*) FROM workers WHERE in_flight > 0"
_AT_WORK: Final = "SELECT count(*) FROM workers WHERE in_flight + waiting > 0"
_PROCESSING: Final = "SELECT count(*) FROM products WHERE status = 'processing'"
_DISPATCHERS: Final = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND (classid::bigint << 32 | objid::bigint) = $1"
)


@dataclass(frozen=True)
class Trial:
    """Workers at work; the first of them dispatches."""

    here: Site
    provider: SimulatorServer
    workers: list[Process]
    latency_s: float

    async def round(self) -> dict[str, float]:
        """What may be said, once."""
        await self.until(_AT_WORK, len(self.workers))
        silent_s, idle_s = await self._stops_after("running = false")
        await self.until(_AT_WORK, 0)
        started_s = await self._all_after("running = true", _AT_WORK)
        lower_s, _ = await self._stops_after("requests_per_minute = 1")
        await self.until(_IN_FLIGHT, 0)
        higher_s = await self._all_after(f"requests_per_minute = {AMPLE}", _IN_FLIGHT)
        return {
            "silent after stop": silent_s,
            "idle after stop": idle_s,
            "all at work after start": started_s,
            "silent after a lower limit": lower_s,
            "all at work after a higher one": higher_s,
        }

    async def succession_s(self) -> float:
        """From the death of the dispatcher to the next one."""
        os.kill(self.workers[0].pid, signal.SIGKILL)
        self.workers[0].wait()
        began_s = time.monotonic()
        await self.until(_DISPATCHERS, 1, DISPATCH_LOCK)
        return time.monotonic() - began_s

    async def _stops_after(self, change: str) -> tuple[float, float]:
        """Seconds until the last call was received, and until nothing was in processing."""
        began_s = await self._say(change)
        received, silent_s, idle_s = self.provider.books()["received"], 0.0, 0.0
        while (now_s := time.monotonic() - began_s) < 2 * self.latency_s + 2:
            if (count := self.provider.books()["received"]) != received:
                received, silent_s = count, now_s
            if await self.here.connection.fetchval(_PROCESSING):
                idle_s = time.monotonic() - began_s
            await asyncio.sleep(LOOK_S)
        return silent_s, idle_s

    async def _all_after(self, change: str, workers: str) -> float:
        began_s = await self._say(change)
        await self.until(workers, len(self.workers))
        return time.monotonic() - began_s

    async def _say(self, change: str) -> float:
        await self.here.connection.execute(f"UPDATE queue_state SET {change}")  # noqa: S608
        await self.here.connection.execute("NOTIFY weighbridge")
        return time.monotonic()

    async def until(self, count: str, wanted: int, *arguments: object) -> None:
        """Wait until a query counts so many."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.here.connection.fetchval(count, *arguments) != wanted:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(LOOK_S)


async def measure(folder: Path, count: int, latency_s: float, rounds: int) -> dict[str, Any]:
    """The longest of each."""
    limits = {
        "requests_per_minute": AMPLE,
        "tokens_per_minute": 1_000_000_000,
        "max_concurrent_requests": CEILING,
    }
    with simulator(Account(latency_s=latency_s), folder) as provider:
        async with site(folder, provider.base_url, limits=limits) as here:
            await here.add_products(4_000)
            workers: list[Process] = []
            trial = Trial(here, provider, workers, latency_s)
            try:
                workers.append(here.worker("worker-0"))
                await trial.until(_DISPATCHERS, 1, DISPATCH_LOCK)
                workers += [here.worker(f"worker-{number}") for number in range(1, count)]
                await trial.until("SELECT count(*) FROM workers", count)
                await here.start_queue()  # all are there: the first alone would take everything
                seen = [await trial.round() for _ in range(rounds)]
                longest = {name: max(one[name] for one in seen) for name in seen[0]}
                return longest | {"next dispatcher after kill -9": await trial.succession_s()}
            finally:
                for worker in workers:
                    worker.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--latency", type=float, default=2.0, help="median seconds of a call")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        seen = asyncio.run(measure(Path(name), asked.workers, asked.latency, asked.rounds))
    if asked.json:
        print(json.dumps(seen))
        return
    print_table(f"{asked.workers} workers: seconds until what is said is done", [seen])
    met = all(seen[name] <= most_s for name, most_s in TARGETS_S.items())
    print(f"Targets {TARGETS_S}: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
