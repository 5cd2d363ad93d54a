"""Several worker processes share one quota through PostgreSQL: together they fill it and never
cross it.

    python -m benchmarks.workers [--workers 4] [--rpm 1500] [--tpm 30000000] [--minutes 2]
    [--latency 4] [--json]

Each worker is a `weighbridge worker` process, as it would run on a machine of its own; the
simulated provider counts what they do together. With `--rpm 30000 --tpm 150000000` this is the
large quota: what then binds is the two cores of the machine, on which provider, PostgreSQL and
workers run side by side. Target: 0.97 of the quota or more, and never above it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.harness import Account, print_table, simulator, site

BURST_S = 5.0
TARGET = 0.97
CALLS_A_PRODUCT = 3 / 5


async def measure(
    folder: Path, count: int, account: Account, minutes: float
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """All workers together, and each by itself."""
    assert account.requests_per_minute
    assert account.tokens_per_minute
    limits = {
        "requests_per_minute": account.requests_per_minute,
        "tokens_per_minute": account.tokens_per_minute,
    }
    products = int(account.requests_per_minute * minutes / CALLS_A_PRODUCT)
    with simulator(account, folder) as provider:
        async with site(folder, provider.base_url, limits=limits) as here:
            await here.add_products(products)
            workers = [here.worker(f"worker-{number}") for number in range(count)]
            try:
                await asyncio.sleep(5)  # until all are up
                cpu_s = [worker.cpu_s for worker in workers]
                database_cpu_s, provider_cpu_s = here.database_cpu_s(), provider.process.cpu_s
                started_s = time.perf_counter()
                await here.start_queue()
                counts = await here.until_done(0.2)
                seconds = time.perf_counter() - started_s
                each = [
                    {
                        "worker": number,
                        "CPU s": round(worker.cpu_s - before, 1),
                        "peak MB": round(worker.peak_mb),
                    }
                    for number, (worker, before) in enumerate(zip(workers, cpu_s, strict=True))
                ]
                books = provider.books()
                database_cpu_s = here.database_cpu_s() - database_cpu_s
                provider_cpu_s = provider.process.cpu_s - provider_cpu_s
            finally:
                for worker in workers:
                    worker.stop()
    least_s = account.least_s(books["admitted"], books["admitted_tokens"])
    together = {
        "workers": count,
        "calls": books["admitted"],
        "last admission s": round(books["span_s"], 1),
        "utilisation": round(least_s / books["span_s"], 4),
        "429s": books["rate_limited"],
        "failed": counts["failed"],
        "paid twice": books["prompts_answered_twice"],
        "most requests in 60 s": books["max_per_minute"]["requests"],
        "of": account.requests_per_minute,
        "most in flight": books["max_in_flight"],
        "products/s": round(products / seconds),
        "PostgreSQL CPU s": round(database_cpu_s, 1),
        "simulator CPU s": round(provider_cpu_s, 1),
    }
    return together, each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rpm", type=int, default=1_500)
    parser.add_argument("--tpm", type=int, default=30_000_000)
    parser.add_argument("--minutes", type=float, default=2.0, help="of quota that the run takes")
    parser.add_argument("--latency", type=float, default=4.0, help="median seconds of a call")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    account = Account(arguments.rpm, arguments.tpm, BURST_S, arguments.latency)
    with tempfile.TemporaryDirectory() as name:
        together, each = uvloop.run(
            measure(Path(name), arguments.workers, account, arguments.minutes)
        )
    if arguments.json:
        print(json.dumps({"together": together, "each": each}))
        return
    print_table("workers that share one quota", [together])
    print_table("each worker", each)
    met = together["utilisation"] >= TARGET and together["most requests in 60 s"] <= together["of"]
    print(f"Target of {TARGET} of the quota, never above it: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
