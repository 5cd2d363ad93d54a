"""The same draws as `benchmarks.budgets`, with four `weighbridge worker` processes: is a cap on
money ever exceeded?

    python -m benchmarks.budget_processes [--runs 100] [--first-seed 0]

Everything is real but the provider: processes, signals, connections and clock. A cap of a catalogue
is taken as one of the day, because it belongs to `run`. Deaths are kill -9. Prints each violation;
the last line is JSON. Exit code 1 where there was one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from typing_extensions import override

from benchmarks.bills import USAGE
from benchmarks.harness import Account, Process, SimulatorServer, Site, simulator
from tests.simulation.spending import MODEL, PROGRAMS, Draw
from tests.support.crash import stop_postgres
from tests.support.database import PostgresForTests
from weighbridge.domain.calls import Usage
from weighbridge.planning.cost import call_cost_usd
from weighbridge.providers.prices import price_of
from weighbridge.simulator.config import describe_faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LOOKS_EVERY_S: Final = 0.3
_LONGEST_RUN_S: Final = 300.0
_QUIET_S: Final = 5.0
"""What a reply gives back can be spent again: a queue out of money is one that stays so."""
_IS_BROKE: Final = "SELECT paused_reason LIKE '%budget%' FROM queue_state"
_QUICKER: Final = (
    4.0  # than the draw's waits, which are made for a clock that runs 20 times as fast
)


@dataclass(frozen=True, slots=True)
class Weather(Account):
    """What the simulated provider of a draw does."""

    draw: Draw | None = None

    @override
    def options(self) -> list[str]:
        assert self.draw is not None
        config = self.draw.config
        delay_s = config.batch_delay_s / _QUICKER
        return [
            *Account.options(self), "--seed", str(self.draw.seed), "--faults", describe_faults(config.faults),
            "--batch-delay", f"{delay_s:.2f}",
        ]  # fmt: skip


async def one_run(url: str, folder: Path, draw: Draw) -> dict[str, Any]:
    """Until the money or the work is used up; then the bill, by the provider's books."""
    dice = random.Random(-draw.seed)
    deaths = sorted(dice.randint(1, 60) for _ in range(draw.deaths))
    with simulator(
        Weather(latency_s=draw.config.latency_s / _QUICKER, draw=draw), folder
    ) as provider:
        here = await _site(url, folder, provider, draw)
        await here.add_products(draw.products)
        await here.connection.execute(
            "UPDATE products SET lane = 'batch' WHERE id IN (SELECT id FROM products ORDER BY id "
            "LIMIT $1)",
            draw.in_batches,
        )
        async with _workers(here) as workers:
            await here.start_queue()
            ended = await _live(here, provider, workers, deaths, dice)
        bill = bill_usd(provider.books())
        committed = await here.connection.fetchval("SELECT max(committed_usd) FROM budgets")
        await here.connection.close()
    return {
        "ended": ended,
        "bill": bill,
        "committed": float(committed),
        "killed": draw.deaths - len(deaths),
    }


async def _site(url: str, folder: Path, provider: SimulatorServer, draw: Draw) -> Site:
    caps = draw.caps or {"day": draw.cap_usd}
    settings = {
        "OPENAI_API_KEY": "sk-simulated",
        "OPENAI_BASE_URL": provider.base_url,
        "WEIGHBRIDGE_MODEL": MODEL,
        "WEIGHBRIDGE_DATABASE_URL": url,
        "WEIGHBRIDGE_DATA_DIR": str(folder / "unused"),
        "WEIGHBRIDGE_PACING": "continuous",
        "WEIGHBRIDGE_CALL_TIMEOUT_S": "10",
        "WEIGHBRIDGE_ASK_TOGETHER": str(draw.together).lower(),
    }
    options = [part for period, cap in caps.items() for part in (f"--per-{period}", repr(cap))]
    capping = Process(["budget", *options], settings, folder / "budget.log")
    code = await asyncio.to_thread(capping.wait)
    capping.stop()
    assert code == 0, capping.log.read_text()
    return Site(folder, url, await asyncpg.connect(url), settings)


@asynccontextmanager
async def _workers(here: Site) -> AsyncIterator[list[Process]]:
    workers = [here.worker(f"worker-{number}") for number in range(PROGRAMS)]
    try:
        yield workers
    finally:
        await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))


async def _live(
    here: Site,
    provider: SimulatorServer,
    workers: list[Process],
    deaths: list[int],
    dice: random.Random,
) -> str:
    deadline_s = time.monotonic() + _LONGEST_RUN_S
    moved_s, before = time.monotonic(), -1
    while time.monotonic() < deadline_s:
        await asyncio.sleep(_LOOKS_EVERY_S)
        completed = provider.books()["completed"]
        if completed != before:
            moved_s, before = time.monotonic(), completed
        if deaths and completed >= deaths[0]:
            deaths.pop(0)
            workers.pop(dice.randrange(len(workers))).kill()
            workers.append(here.worker(f"heir-{len(deaths)}"))
        is_quiet = time.monotonic() > moved_s + _QUIET_S
        if is_quiet and await here.connection.fetchval(_IS_BROKE):
            return "broke"
        counts = await here.counts()
        if not counts["pending"] and not counts["processing"]:
            return "done"
    return "out of time"


def bill_usd(books: dict[str, Any]) -> float:
    """Half the price for what travelled in batches."""
    price = price_of(MODEL, "openai")
    everything = Usage(*(books[name] for name in USAGE))
    in_batches = Usage(*(books[f"batch_{name}"] for name in USAGE))
    return call_cost_usd(everything, price) - call_cost_usd(in_batches, price) / 2


async def measure(
    server: PostgresForTests, folder: Path, seeds: range, at_once: int
) -> tuple[Counter[str], list[float]]:
    """How the runs ended, and which share of its cap each took. Prints a line for each."""
    places = asyncio.Semaphore(at_once)
    ends: Counter[str] = Counter()
    shares: list[float] = []

    async def run(seed: int) -> None:
        draw = Draw.of(seed)
        place = folder / f"run-{seed}"
        place.mkdir()
        async with places:
            url = await asyncio.to_thread(server.create_database)
            found = await one_run(url, place, draw)
            await asyncio.to_thread(server.drop_database, url)
        held = found["bill"] <= draw.cap_usd
        ends["held" if held else "violated"] += 1
        ends[found["ended"]] += 1
        shares.append(found["bill"] / draw.cap_usd)
        print(
            f"{'' if held else 'VIOLATED '}seed {seed}: ${found['bill']:.6f} of "
            f"${draw.cap_usd:.6f}, committed ${found['committed']:.6f}, {found['killed']} "
            f"killed, {draw.in_batches} of {draw.products} in batches, {found['ended']}",
            flush=True,
        )

    await asyncio.gather(*map(run, seeds))
    return ends, shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=3, help="runs side by side")
    chosen = parser.parse_args()
    began_s = time.monotonic()
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.runs)
    with tempfile.TemporaryDirectory() as name:
        server = PostgresForTests(Path(name))
        try:
            ends, shares = asyncio.run(measure(server, Path(name), seeds, chosen.at_once))
        finally:
            stop_postgres(Path(name))
    said = {
        "measurement": "budget_processes",
        "simulated": True,
        "runs": chosen.runs,
        **ends,
        "most_of_a_cap": round(max(shares, default=0.0), 4),
        "seconds": round(time.monotonic() - began_s),
    }
    print(json.dumps(said))
    sys.exit(1 if ends["violated"] else 0)


if __name__ == "__main__":
    main()
