"""Is what we say it cost what the provider bills? Prints one JSON line for each tier and lane.

    python -m benchmarks.bills [--products 500] [--faults malformed=0.02,missing=0.02]

Every third product or so has a picture. In each tier and lane one catalogue is run by the real
command line against a simulator server, and four sums must agree to a hundredth of a cent: the
calls on record, the report of the run, the products of the results (only without faults: an answer
that nobody could use belongs to no product), and the bill by the simulator's books.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.support.killed_run import KilledRun, SimulatorServer
from weighbridge.domain.calls import Usage
from weighbridge.planning.cost import call_cost_usd
from weighbridge.providers.prices import price_of
from weighbridge.service.opening import opened_database
from weighbridge.settings import DEFAULT_MODEL, load_settings

TIERS: Final = ("default", "flex", "priority", "batch")
PICTURES: Final = 0.3
LARGEST_DIFFERENCE_USD: Final = 0.0001
USAGE: Final = ("prompt_tokens", "output_tokens", "cached_tokens", "cache_write_tokens")


def with_pictures(catalogue: Path) -> None:
    """Give every product of these its picture: about three in ten, spread evenly."""
    with catalogue.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with catalogue.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["code", "name", "description", "image_url"])
        writer.writeheader()
        for number, row in enumerate(rows):
            has_picture = int((number + 1) * PICTURES) > int(number * PICTURES)
            url = f"https://pictures.example/{row['code']}.jpg" if has_picture else ""
            writer.writerow({**row, "image_url": url})


def billed_usd(books: dict[str, Any], tier: str) -> float:
    """By the provider's books, where everything went in one tier."""
    price = price_of(DEFAULT_MODEL, "openai").in_tier(tier)
    return call_cost_usd(Usage(*(books[name] for name in USAGE)), price)


async def recorded_usd(folder: Path) -> float:
    async with opened_database(load_settings(data_dir=folder / "data")) as database:
        return float(await database.pool.fetchval("SELECT sum(cost_usd) FROM calls"))


def results_usd(folder: Path) -> float:
    """What the products cost by the result file."""
    (file,) = (folder / "results").glob("*.jsonl")
    lines = file.read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line).get("costUsd") or 0.0 for line in lines)


def measure(tier: str, products: int, faults: str) -> dict[str, Any]:
    options = ("--faults", faults) if faults else ()
    with (
        tempfile.TemporaryDirectory() as name,
        SimulatorServer("--batch-delay", "5", *options) as simulator,
    ):
        run = KilledRun(simulator, Path(name), products)
        with_pictures(run.folder / "catalogue.csv")
        run.environment["WEIGHBRIDGE_BATCH_TRIES"] = "100"
        lane = ["--lane", "batch"] if tier == "batch" else []
        if not lane:
            run.environment["WEIGHBRIDGE_SERVICE_TIER"] = tier
        arguments = ["run", "catalogue.csv", "--yes", "--json", "--out", "results", *lane]
        process = run.start(*arguments, "--pacing", "continuous", "--format", "jsonl")
        stdout, stderr = process.communicate()
        if process.returncode:
            raise SystemExit(f"{tier}: exit code {process.returncode}\n{stderr[-2000:]}")
        books, report = simulator.books(), json.loads(stdout)
        sums = {
            "bill_usd": billed_usd(books, tier),
            "calls_usd": asyncio.run(recorded_usd(run.folder)),
            "report_usd": report["costUsd"],
        }
        if not faults:
            sums["results_usd"] = results_usd(run.folder)
        run.clean_up()
    difference_usd = max(sums.values()) - min(sums.values())
    is_one_tier = set(books["calls_by_tier"]) == {tier}
    return {
        "measurement": "bills",
        "simulated": True,
        "tier": tier,
        "products": products,
        "calls": report["calls"],
        **{key: round(value, 8) for key, value in sums.items()},
        "agrees": is_one_tier and difference_usd <= LARGEST_DIFFERENCE_USD,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=500)
    parser.add_argument("--faults", default="")
    parser.add_argument("--tiers", nargs="+", choices=TIERS, default=TIERS)
    chosen = parser.parse_args()
    found = []
    for tier in chosen.tiers:
        found.append(measure(tier, chosen.products, chosen.faults))
        print(json.dumps(found[-1]), flush=True)
    sys.exit(0 if all(one["agrees"] for one in found) else 1)


if __name__ == "__main__":
    main()
