"""How much is lost and paid twice when things go wrong. Prints one JSON line a measurement.

    python -m benchmarks.reliability kills [--kills 20] [--products 2000] [--workers 1]
    python -m benchmarks.reliability restarts [--kills 10]
    python -m benchmarks.reliability storms [--runs 200] [--first-seed 0]
    python -m benchmarks.reliability decisions [--runs 5000] [--first-seed 0]

`kills` sends kill -9 to real processes at random moments, with a simulator that runs as a server of its own
and keeps the books; with several workers only the killed one is replaced. `restarts` restarts PostgreSQL under a
run, every other time as a crash. `storms` runs the whole program
on a scaled clock through faults, outages, stops and deaths; `decisions` the decisions alone on virtual time.
A seed that fails is printed: put it into tests/simulation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.model import Fate, World
from tests.simulation.storms import storm
from tests.simulation.test_decisions import check
from tests.support.application import AMPLE, program, until
from tests.support.crash import restart_postgres, stop_postgres
from tests.support.database import PostgresForTests
from tests.support.killed_run import CONCURRENCY, KilledRun, SimulatorServer, wait_until

if TYPE_CHECKING:
    from weighbridge.simulator.books import Books


def kills(number: int, products: int, workers: int, seed: int) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, SimulatorServer("--latency", "0.5") as simulator:
        run = KilledRun(simulator, Path(folder), products)
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


def storms(runs: int, first_seed: int) -> None:
    broken, started_s = [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresForTests(Path(folder))
        for seed in range(first_seed, first_seed + runs):
            url = server.create_database()
            try:
                report = asyncio.run(storm(url, Path(folder), seed))
                assert report.failed == report.poisoned, report
                assert report.most_requests <= report.allowed_requests, report
            except AssertionError as error:
                broken.append(seed)
                print(json.dumps({"seed": seed, "broken": str(error)[:500]}))
            finally:
                server.drop_database(url)
    _say("storms", runs, broken, started_s)


def decisions(runs: int, first_seed: int) -> None:
    broken, started_s = [], time.monotonic()
    for seed in range(first_seed, first_seed + runs):
        try:
            check(World(Fate.drawn(seed)).run())
        except AssertionError as error:
            broken.append(seed)
            print(json.dumps({"seed": seed, "broken": str(error)[:500]}))
    _say("decisions", runs, broken, started_s)


def _say(name: str, runs: int, broken: list[int], started_s: float) -> None:
    seconds = round(time.monotonic() - started_s)
    print(json.dumps({"measurement": name, "runs": runs, "broken": broken, "seconds": seconds}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["kills", "restarts", "storms", "decisions"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--products", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    asked = parser.parse_args()
    match asked.what:
        case "kills":
            kills(asked.kills, asked.products, asked.workers, asked.first_seed)
        case "restarts":
            asyncio.run(restarts(asked.kills, asked.products))
        case "storms":
            storms(asked.runs, asked.first_seed)
        case _:
            decisions(asked.runs, asked.first_seed)


if __name__ == "__main__":
    main()
