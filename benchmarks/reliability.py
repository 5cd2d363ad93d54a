"""How much is lost and paid twice when things go wrong. Prints one JSON line a measurement.

    python -m benchmarks.reliability kills [--kills 20] [--products 2000] [--workers 1] [--latency
    0.5] [--stored finished] python -m benchmarks.reliability restarts [--kills 10] python -m
    benchmarks.reliability poison [--groups 100] python -m benchmarks.reliability outage [--hours
    10] [--speed 120]

`kills` sends kill -9 to real processes at random moments, with a simulator that runs as a server of
its own and keeps the books; with several workers only the killed one is replaced (give the calls
several seconds then: a worker takes some to start). With `--stored` replies are stored at the
provider, which does with calls whose client has gone as it says (see `weighbridge simulator
--help`). `restarts` restarts PostgreSQL under a run, every other time as a crash. `poison` puts a
product that spoils its answers into each group of five. `outage` takes the provider away for hours
of a scaled clock, and measures how soon after its return it is asked again. (Storms and decisions
by the hundred: `python -m benchmarks.simulate`.)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.simulation import trials
from tests.support.application import AMPLE, program, until
from tests.support.crash import restart_postgres, stop_postgres
from tests.support.database import PostgresForTests
from tests.support.killed_run import CONCURRENCY, KilledRun, SimulatorServer, wait_until
from weighbridge.telemetry import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from weighbridge.simulator.books import Books


def kills(
    number: int, products: int, workers: int, seed: int, latency_s: float, stored: str | None
) -> None:
    dice = random.Random(seed)
    options = ("--latency", str(latency_s), *(("--stored", stored) if stored else ()))
    with tempfile.TemporaryDirectory() as folder, SimulatorServer(*options) as simulator:
        run = KilledRun(simulator, Path(folder), products, stores=stored is not None)
        started_s = time.monotonic()
        # The first `run` imports; further workers join it and are killed in its place.
        first = run.start()
        wait_until(lambda: simulator.books()["completed"] > 0, "work begins")
        others = [run.start("worker") for _ in range(workers - 1)]
        calls = 3 * -(-products // 5)
        for _ in range(number):
            wait_calls = dice.randint(1, max(2, calls // (number + 2)))
            if others:
                victim = dice.randrange(len(others))
                run.wait_for_worker(others[victim])
                run.kill_after(others[victim], wait_calls)
                others[victim] = run.start("worker")
            else:
                run.kill_after(first, wait_calls)
                first = run.start()
        stdout, stderr = first.communicate()
        for other in others:
            other.terminate()
            other.communicate()
        books = simulator.books()
        print(
            json.dumps(
                {
                    "measurement": "kills",
                    "kills": run.kills,
                    "workers": workers,
                    "exit_code": first.returncode,
                    "database": json.loads(stdout)["database"] if stdout else stderr[-500:],
                    "calls_needed": calls,
                    "calls_paid": books["completed"],
                    "stored": stored,
                    "fetched": books["fetched"],
                    "lookups": books["lookups"],
                    "products_answered_twice": books["products_answered_twice"],
                    "in_flight_at_most": run.kills * CONCURRENCY,
                    "doctor": run.doctor()["sound"],
                    "seconds": round(time.monotonic() - started_s),
                }
            )
        )
        run.clean_up()


async def restarts(number: int, products: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = await asyncio.to_thread(PostgresForTests, folder)
        url = await asyncio.to_thread(server.create_database)
        await asyncio.to_thread(server.commit_durably)
        started_s = time.monotonic()
        async with program(url, folder, replace(AMPLE, latency_s=0.5)) as running:
            running.engine.supervisor.most_jobs_at_once = 40
            await running.add_many(products)
            await running.start()
            books = running.simulator.books
            calls = 3 * -(-products // 5)
            for done in range(number):
                goal = calls * (done + 1) // (number + 2)
                await until(partial(_reached, books, goal), "some calls", timeout_s=120)
                mode = "immediate" if done % 2 else "fast"
                await asyncio.to_thread(restart_postgres, folder, mode=mode)
            await running.until(completed=products, timeout_s=300)
            await running.stop()
            await running.assert_sound()
            document = {"measurement": "restarts", "restarts": number, "calls_needed": calls}
            paid = {"calls_paid": books.completed, "seconds": round(time.monotonic() - started_s)}
            print(json.dumps({**document, **paid}))
        await asyncio.to_thread(stop_postgres, folder)


def _reached(books: Books, goal: int) -> bool:
    return books.completed >= goal


def on_a_server(name: str, trial: Callable[[str, Path], Coroutine[Any, Any, Any]]) -> None:
    """One trial on a PostgreSQL of its own; prints its figures."""
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresForTests(Path(folder))
        found = asyncio.run(trial(server.create_database(), Path(folder)))
    seconds = round(time.monotonic() - started_s, 1)
    print(json.dumps({"measurement": name, **asdict(found), "seconds": seconds}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["kills", "restarts", "poison", "outage"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--products", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--stored", choices=["finished", "attended", "nothing", "unknown"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--speed", type=float, default=120, help="of the clock in `outage`")
    asked = parser.parse_args()
    configure_logging("console", "CRITICAL")
    match asked.what:
        case "kills":
            kills(
                asked.kills, asked.products, asked.workers, asked.seed, asked.latency, asked.stored
            )
        case "restarts":
            asyncio.run(restarts(asked.kills, asked.products))
        case "poison":
            on_a_server("poison", lambda url, at: trials.poison(url, at, asked.groups))
        case _:
            away_s = asked.hours * 3_600
            on_a_server("outage", lambda url, at: trials.outage(url, at, away_s, asked.speed))


if __name__ == "__main__":
    main()
