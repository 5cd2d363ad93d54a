"""kill -9 of everything at random moments, PostgreSQL included, with moves and copies of the data
directory.

    python -m benchmarks.kills [--kills 50] [--products 3000] [--longest 8] [--seed N]

After each kill the data directory stays, is moved, or is replaced by a copy of itself. Then a run
that nobody kills must find everything: what is lost, paid twice or left running is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from tests.support.killed_host import KilledHost
from tests.support.killed_run import KilledRun, SimulatorServer


def measure(kills: int, products: int, longest_s: float, seed: int) -> dict[str, object]:
    """One row of kills; what was seen."""
    with tempfile.TemporaryDirectory() as folder, SimulatorServer("--latency", "0.5") as simulator:
        host = KilledHost(KilledRun(simulator, Path(folder), products), random.Random(seed))
        started_s = time.monotonic()
        try:
            for _ in range(kills):
                host.kill_all_after(longest_s)
            paid_before_the_end = simulator.books()["completed"]
            report = host.finish()
            return {
                "seed": seed,
                "kills": kills,
                "moves": host.moves,
                "copies": host.copies,
                "products": products,
                "database": report["database"],
                "calls_needed": 3 * -(-products // 5),
                "calls_paid": simulator.books()["completed"],
                "calls_paid_before_the_last_kill": paid_before_the_end,
                "postgres_left_running": len(host.still_running()),
                "minutes": round((time.monotonic() - started_s) / 60, 1),
            }
        finally:
            host.clean_up()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--products", type=int, default=3_000)
    parser.add_argument("--longest", type=float, default=8.0, help="seconds until a kill, at most")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    given = parser.parse_args()
    print(json.dumps(measure(given.kills, given.products, given.longest, given.seed)))


if __name__ == "__main__":
    main()
