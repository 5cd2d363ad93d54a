"""Time and memory per product as the catalogue grows: both should stay flat.

    python -m benchmarks.scaling [--sizes 1000,10000] [--json]

One worker, no latency, no limits, a fresh database for each size; `--sizes 1000,10000,100000` takes
some minutes. Prints products per second, CPU of worker and PostgreSQL per product, and the worker's
peak memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.harness import NO_LIMIT, Account, print_table, simulator, site

MOST_GROWTH = 1.25


async def measure(folder: Path, products: int) -> dict[str, Any]:
    """One catalogue from start to end."""
    with simulator(Account(), folder) as provider:
        async with site(folder, provider.base_url, limits=NO_LIMIT) as here:
            await here.add_products(300)
            worker = here.worker()
            try:
                await here.start_queue()
                await here.until_done()
                await here.stop_queue()
                await here.add_products(products, first=300)
                before_mb, cpu_s, database_s = (
                    worker.resident_mb,
                    worker.cpu_s,
                    here.database_cpu_s(),
                )
                started_s = time.perf_counter()
                await here.start_queue()
                counts = await here.until_done(0.1)
                seconds = time.perf_counter() - started_s
                return {
                    "products": products,
                    "failed": counts["failed"],
                    "products/s": round(products / seconds),
                    "worker ms/product": round((worker.cpu_s - cpu_s) / products * 1000, 3),
                    "PostgreSQL ms/product": round(
                        (here.database_cpu_s() - database_s) / products * 1000, 3
                    ),
                    "MB before": round(before_mb),
                    "peak MB": round(worker.peak_mb),
                }
            finally:
                worker.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="1000,10000")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    rows = []
    for size in map(int, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory() as name:
            rows.append(uvloop.run(measure(Path(name), size)))
    if arguments.json:
        print(json.dumps(rows))
        return
    print_table("scaling, one worker", rows)
    for whose in ("worker", "PostgreSQL"):
        times = [row[f"{whose} ms/product"] for row in rows]
        growth = times[-1] / times[0]
        print(
            f"Target of flat time per product, {whose}: {growth:.2f} times from "
            f"{rows[0]['products']:,} to {rows[-1]['products']:,}, "
            f"{'met' if growth <= MOST_GROWTH else 'MISSED'}"
        )


if __name__ == "__main__":
    main()
