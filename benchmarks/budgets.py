"""Is a cap on money ever exceeded? Random runs with faults and deaths, four programs at a time.

    python -m benchmarks.budgets [--runs 100] [--first-seed 0]

Each seed draws a cap (of a day, a month, both, or a catalogue), faults, latencies, lanes and deaths
(tests/simulation/spending.py). The four programs have all that processes of their own would have,
but an interpreter. Prints each violation; the last line is JSON. Exit code 1 where there was one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.simulation.spending import Spent, spend
from tests.support.crash import stop_postgres
from tests.support.database import PostgresForTests
from weighbridge.telemetry import configure_logging


def one_run(server: PostgresForTests, folder: Path, seed: int) -> Spent | str:
    """How it ended; the error where it did not end as it should."""
    url = server.create_database()
    try:
        return asyncio.run(spend(url, folder, seed))
    except (AssertionError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        server.drop_database(url)


def said(seed: int, spent: Spent | str) -> str:
    if isinstance(spent, str):
        return f"seed {seed}: {spent}"
    draw = spent.draw
    return (
        f"seed {seed}: {draw.kind} ${spent.bill_usd:.6f} of ${spent.cap_usd:.6f}, committed "
        f"${spent.committed_usd:.6f}, {draw.deaths} deaths, {draw.in_batches} of {draw.products} "
        f"in batches, {spent.ended} {'; '.join(spent.broken)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    configure_logging("console", "CRITICAL")
    began_s = time.monotonic()
    ends: Counter[str] = Counter()
    shares: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = PostgresForTests(folder)
        try:
            for seed in range(chosen.first_seed, chosen.first_seed + chosen.runs):
                spent = one_run(server, folder, seed)
                is_broken = isinstance(spent, str) or bool(spent.broken)
                print(f"{'VIOLATED ' if is_broken else ''}{said(seed, spent)}", flush=True)
                ends["violated" if is_broken else "held"] += 1
                if isinstance(spent, Spent):
                    ends[spent.ended] += 1
                    shares.append(spent.bill_usd / spent.cap_usd)
        finally:
            stop_postgres(folder)
    found = {
        "measurement": "budgets",
        "simulated": True,
        "runs": chosen.runs,
        **ends,
        "most_of_a_cap": round(max(shares, default=0.0), 4),
        "seconds": round(time.monotonic() - began_s),
    }
    print(json.dumps(found))
    sys.exit(1 if ends["violated"] else 0)


if __name__ == "__main__":
    main()
