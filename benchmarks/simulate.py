"""Thousands of runs on two levels, everything by seed: `make simulate`. A seed that fails says how
to repeat it.

    python -m benchmarks.simulate [decisions] [storms] [day] [--runs N] [--first-seed 0] [--jobs 2]

`decisions`: the pure decisions on virtual time, any number of workers (tests/simulation/model.py),
5,000 runs. `storms`: the whole program, real PostgreSQL and SDK, on a clock of 60 times the speed
(tests/simulation/storms.py), 200 runs. Without names: both. `day`: a day of the decisions at 30,000
requests a minute with 1,000 workers, an outage of an hour, halved limits for two, and 200 deaths
(tests/simulation/day.py); about 20 minutes. Exit code 1 when an invariant broke; such a seed
belongs into tests/simulation/known_seeds.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import queue
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import print_table
from tests.simulation.day import Day, Plan
from tests.simulation.model import Fate, World
from tests.simulation.storms import storm
from tests.simulation.test_decisions import check
from tests.support.crash import stop_postgres
from tests.support.database import PostgresForTests
from weighbridge.telemetry import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.queues import Queue

RUNS: Final = {"decisions": 5_000, "storms": 200}
SAY_EVERY_S: Final = 10.0

Facts = dict[str, Any]
"""Figures of one run; `broken` says what went wrong."""


def run_decisions(seeds: Queue[int | None], found: Queue[Facts]) -> None:
    """One process's share."""
    for seed in iter(seeds.get, None):
        facts: Facts = {"seed": seed}
        try:
            world = World(Fate.drawn(seed)).run()
            check(world)
            facts |= {"calls": len(world.provider.arrivals), "virtual_s": world.now_s}
        except AssertionError as error:
            facts["broken"] = str(error)
        found.put(facts)


def end_politely() -> None:
    """Let a terminated process clean up: PostgreSQL would outlive it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def run_storms(seeds: Queue[int | None], found: Queue[Facts]) -> None:
    """One process's share, on a PostgreSQL of its own: some storms restart it."""
    end_politely()
    logging.disable(logging.CRITICAL)  # asyncpg tells of every connection that a storm cuts
    configure_logging("console", "CRITICAL")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = PostgresForTests(folder)
        try:
            for seed in iter(seeds.get, None):
                found.put(_one_storm(server, seed))
        finally:
            stop_postgres(folder)


def _one_storm(server: PostgresForTests, seed: int) -> Facts:
    facts: Facts = {"seed": seed}
    url = server.create_database()
    try:
        report = asyncio.run(storm(server, url, seed))
    except AssertionError as error:
        return {**facts, "broken": str(error)[:2_000]}
    finally:
        server.drop_database(url)
    return facts | {
        "products": report.completed + report.failed,
        "failed": report.failed,
        "poisoned": report.poisoned,
        "calls": report.calls,
        "paid_twice": report.paid_twice,
        "in_groups_taken_over": report.excused,
        "taken_from_the_living": report.taken_from_the_living,
        "events": [str(event) for event in report.events],
        "faults": report.faults,
    }


LEVELS: Final[dict[str, Callable[[Queue[int | None], Queue[Facts]], None]]] = {
    "decisions": run_decisions,
    "storms": run_storms,
}


def spread(level: str, seeds: range, jobs: int) -> Iterator[Facts]:
    """Run the seeds on so many processes; yields what each came to."""
    context = multiprocessing.get_context("spawn")
    waiting: Queue[int | None] = context.Queue()
    found: Queue[Facts] = context.Queue()
    for seed in [*seeds, *[None] * jobs]:
        waiting.put(seed)
    processes = [context.Process(target=LEVELS[level], args=(waiting, found)) for _ in range(jobs)]
    for process in processes:
        process.start()
    try:
        for _ in seeds:
            yield _next(found, processes)
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _next(found: Queue[Facts], processes: list[Any]) -> Facts:
    while True:
        try:
            return found.get(timeout=5)
        except queue.Empty:
            if all(not process.is_alive() for process in processes):
                raise SystemExit("The processes of the simulation have died.") from None


def simulate(level: str, runs: int, first_seed: int, jobs: int) -> list[Facts]:
    """All runs of one level, with progress on stderr; returns the broken ones."""
    began_s, said_s = time.monotonic(), 0.0
    broken: list[Facts] = []
    sums: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for number, facts in enumerate(spread(level, range(first_seed, first_seed + runs), jobs), 1):
        if "broken" in facts:
            broken.append(facts)
            print(json.dumps(facts), flush=True)
        for name, value in facts.items():
            if isinstance(value, int | float) and name != "seed":
                sums[name] += value  # type: ignore[assignment]
        drawn.update(facts.get("events", ()))
        drawn.update({f"fault: {name}": n for name, n in facts.get("faults", {}).items()})
        passed_s = time.monotonic() - began_s
        if passed_s - said_s > SAY_EVERY_S or number == runs:
            said_s = passed_s
            left_s = passed_s / number * (runs - number)
            print(
                f"{level}: {number:,} of {runs:,}, {len(broken)} broken, {passed_s:.0f} s, "
                f"{left_s:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
    summary = {"runs": runs, "broken": len(broken), "minutes": (time.monotonic() - began_s) / 60}
    print_table(level, [{**summary, **{name: round(value) for name, value in sums.items()}}])
    if drawn:
        print_table(
            f"{level}: what happened", [{"what": k, "times": n} for k, n in sorted(drawn.items())]
        )
    return broken


def run_day(hours: float, seed: int) -> list[Facts]:
    """One long run; prints where it stands every virtual hour."""
    length_s, hour_s = hours * 3_600, 3_600.0
    plan = Plan(
        seed=seed,
        length_s=length_s,
        outage_s=(length_s * 0.4, length_s * 0.4 + length_s / 24),
        halved_s=(length_s * 0.6, length_s * 0.6 + length_s / 12),
        deaths=round(hours * 200 / 24),
    )
    began_s = time.monotonic()
    day, said_s = Day(plan), 0.0
    for now_s in day.ticks():
        if now_s - said_s >= hour_s:
            said_s = now_s
            passed_s = time.monotonic() - began_s
            left_s = passed_s / now_s * (length_s - now_s)
            print(
                f"day: {now_s / hour_s:.0f} of {hours:g} h, {passed_s:.0f} s, {left_s:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
    provider = day.provider
    figures = {
        "hours": hours,
        "workers": plan.workers,
        "calls": provider.admitted,
        "of what was available": round(day.utilisation, 4),
        "429s": provider.refused,
        "most requests in 60 s": provider.most[0],
        "of": plan.requests_per_minute,
        "completed": day.completed,
        "failed": day.failed,
        "answers lost": day.lost,
        "in flight at deaths": day.in_flight_at_deaths,
        "minutes": round((time.monotonic() - began_s) / 60, 1),
    }
    print_table("a day of the decisions on virtual time", [figures])
    try:
        day.check()
    except AssertionError as error:
        return [{"seed": seed, "broken": f"{error}. To repeat: python -m benchmarks.simulate day"}]
    return []


def main() -> int:
    """Returns 1 when something broke."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "levels",
        nargs="*",
        metavar="level",
        help="decisions, storms, day; the first two when none is named",
    )
    parser.add_argument("--runs", type=int, help="5,000 decisions and 200 storms when not given")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--hours", type=float, default=24.0, help="length of the day")
    asked = parser.parse_args()
    if unknown := set(asked.levels) - {*LEVELS, "day"}:
        parser.error(f"there is no level {sorted(unknown)[0]}; there are decisions, storms and day")
    end_politely()
    broken = []
    for level in asked.levels or LEVELS:
        if level == "day":
            broken += run_day(asked.hours, asked.first_seed)
            continue
        runs = RUNS[level] if asked.runs is None else asked.runs
        broken += simulate(level, runs, asked.first_seed, min(asked.jobs, runs))
    if broken:
        print(f"\nBroken: {len(broken)}")
        for facts in broken:
            print(f"  {facts['broken'].rpartition('To repeat: ')[2]}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
