"""A catalogue in batches, with faults, an expired batch and kill -9. Prints one JSON line.

    python -m benchmarks.batches [--products 10000] [--kills 5] [--seed 0] [--steps together]

The simulator is a server of its own and keeps the books: how many batches were submitted, whether
any was submitted twice, and what everything costs. One request in twenty fails or is answered
badly, and the first batch that can expire does so. `online_usd` is what the same tokens cost at the
standard price.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.killed_run import KilledRun, SimulatorServer, wait_until
from weighbridge.domain.calls import Usage
from weighbridge.planning.cost import call_cost_usd
from weighbridge.providers.prices import price_of
from weighbridge.service.opening import opened_database
from weighbridge.settings import DEFAULT_MODEL, load_settings

if TYPE_CHECKING:
    import subprocess

FAULTS: Final = "malformed=0.015,missing=0.015,refuse=0.005,error500=0.015"
LONGEST_PAUSE_S: Final = 6.0


def start(run: KilledRun, lane: str, steps: str) -> subprocess.Popen[str]:
    arguments = ["run", "catalogue.csv", "--yes", "--json", "--lane", lane, "--steps", steps]
    return run.start(*arguments, "--pacing", "continuous", "--format", "jsonl")


def bills_usd(books: dict[str, Any]) -> tuple[float, float]:
    """(what is to be paid, what the same tokens cost online)"""
    price = price_of(DEFAULT_MODEL, "openai")
    names = ("prompt_tokens", "output_tokens", "cached_tokens", "cache_write_tokens")
    everything = call_cost_usd(Usage(*(books[name] for name in names)), price)
    in_batches = call_cost_usd(Usage(*(books[f"batch_{name}"] for name in names)), price)
    return everything - in_batches / 2, everything


def kill(run: KilledRun, process: subprocess.Popen[str], batches: int, pause_s: float) -> None:
    """kill -9 some time after the provider has got so many batches."""
    wait_until(
        lambda: process.poll() is not None or run.simulator.books()["batches"] >= batches,
        f"{batches} batches",
        timeout_s=900,
    )
    time.sleep(pause_s)
    if process.poll() is None:
        run.kills += 1
        process.kill()
    process.communicate()


def measure(products: int, kills: int, seed: int, steps: str) -> dict[str, Any]:
    dice = random.Random(seed)
    options = ("--faults", FAULTS, "--batch-delay", "8", "--batch-expire", "1")
    with tempfile.TemporaryDirectory() as name, SimulatorServer(*options) as simulator:
        run = KilledRun(simulator, Path(name), products)
        run.environment["WEIGHBRIDGE_BATCH_TRIES"] = "100"
        started_s = time.monotonic()
        process = start(run, "batch", steps)
        wait_until(
            lambda: process.poll() is not None or simulator.books()["batch_requests"] > 0,
            "the first replies",
            timeout_s=900,
        )
        simulator.change(batch_expire=0)  # the first one expires; whether it does is decided
        for number in range(kills):
            kill(run, process, 1 + number, dice.uniform(0, LONGEST_PAUSE_S))
            if process.returncode not in (0, -signal.SIGKILL):
                break  # it refused to work, and the report says why
            process = start(run, "batch", steps)
        stdout, stderr = process.communicate()
        books = simulator.books()
        report = json.loads(stdout) if stdout else {"stderr": stderr[-800:]}
        paid_usd, online_usd = bills_usd(books)
        found = {
            "measurement": "batches",
            "products": products,
            "steps": steps,
            "kills": run.kills,
            "exit_code": process.returncode,
            "database": report.get("database", report),
            "batches": books["batches"],
            "submitted_twice": books["batches_repeated"],
            "batch_requests": books["batch_requests"],
            "online_calls": books["received"],
            "products_answered_twice": books["products_answered_twice"],
            "bill_usd": round(paid_usd, 6),
            "online_usd": round(online_usd, 6),
            **asyncio.run(recorded(run)),
            "doctor": run.doctor()["sound"],
            "seconds": round(time.monotonic() - started_s),
        }
        run.clean_up()
        return found


async def recorded(run: KilledRun) -> dict[str, Any]:
    """What our own records say, of all processes together."""
    async with opened_database(load_settings(data_dir=run.folder / "data")) as database:
        ends = await database.pool.fetch("SELECT error, count(*) AS n FROM batches GROUP BY 1")
        cost_usd = await database.pool.fetchval("SELECT sum(cost_usd) FROM calls")
        left = await database.pool.fetchval("SELECT count(*) FROM open_calls")
    return {
        "recorded_usd": round(cost_usd, 6),
        "ends": {row["error"] or "open": row["n"] for row in ends},
        "open_calls": left,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", choices=["apart", "together"], default="together")
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.products, chosen.kills, chosen.seed, chosen.steps)))


if __name__ == "__main__":
    main()
