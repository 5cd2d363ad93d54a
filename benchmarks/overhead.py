"""What a call costs us when the provider costs nothing: no latency, no limits.

    python -m benchmarks.overhead [--products 5000] [--workers 1] [--json]

Everything runs on this machine: `weighbridge worker`, PostgreSQL, and the simulated provider behind
a real socket, which takes more CPU than the worker (see simulator_throughput.py). Prints CPU per
call of each of the three, and products per second. Targets: 1.0 ms or less in the worker, 1,500
products/s on two cores.

Machines differ, and shared ones differ from hour to hour by a factor of three. So the plain SDK is
measured in the same run, before and after: the targets are from a machine on which one of its calls
took 1.9 ms, and are judged by that.
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
from benchmarks.provider_call import sdk_ms

WARM_UP_PRODUCTS = 300
TARGET_CPU_MS = 1.0
TARGET_PRODUCTS_PER_S = 1_500
SDK_MS = 1.9
"""CPU of a call of the plain SDK (3.54, uvloop, 100 at once) on the machine for which the targets
were set.
"""


async def measure(
    folder: Path, products: int, log_level: str = "INFO", workers: int = 1
) -> dict[str, Any]:
    """So many products, after a warm-up that compiles, connects and prepares."""
    with simulator(Account(), folder) as provider:
        async with site(folder, provider.base_url, limits=NO_LIMIT) as here:
            crew = [here.worker(WEIGHBRIDGE_LOG_LEVEL=log_level) for _ in range(workers)]
            try:
                await here.add_products(WARM_UP_PRODUCTS)
                await here.start_queue()
                await here.until_done()
                await here.stop_queue()
                await here.add_products(products, first=WARM_UP_PRODUCTS)
                before = provider.books()["admitted"]
                cpu_s = (sum(w.cpu_s for w in crew), provider.process.cpu_s, here.database_cpu_s())
                started_s = time.perf_counter()
                await here.start_queue()
                counts = await here.until_done()
                seconds = time.perf_counter() - started_s
                after_s = (
                    sum(w.cpu_s for w in crew),
                    provider.process.cpu_s,
                    here.database_cpu_s(),
                )
                calls = provider.books()["admitted"] - before
            finally:
                for worker in crew:
                    worker.stop()
    per_call = [(now - then) / calls * 1000 for now, then in zip(after_s, cpu_s, strict=True)]
    return {
        "workers": workers,
        "products": products,
        "calls": calls,
        "failed": counts["failed"],
        "seconds": round(seconds, 2),
        "products/s": round(products / seconds),
        "calls/s": round(calls / seconds),
        "worker ms/call": round(per_call[0], 3),
        "simulator ms/call": round(per_call[1], 3),
        "PostgreSQL ms/call": round(per_call[2], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--log-level", default="INFO", help="of the worker, which logs into a file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    before_ms = sdk_ms()
    with tempfile.TemporaryDirectory() as name:
        result = uvloop.run(
            measure(Path(name), arguments.products, arguments.log_level, arguments.workers)
        )
    result["SDK ms/call"] = round((before_ms + sdk_ms()) / 2, 3)
    slower = result["SDK ms/call"] / SDK_MS
    result["worker, of the SDK"] = round(result["worker ms/call"] / result["SDK ms/call"], 2)
    if arguments.json:
        print(json.dumps(result))
        return
    print_table("overhead at no latency and no limits, groups of five", [result])
    print(f"This machine, now: {slower:.2f} times the CPU time of the one the targets are from.")
    worker_ms = result["worker ms/call"] / slower
    print(
        f"Target of {TARGET_CPU_MS} ms CPU a call in the worker: {worker_ms:.2f} there, "
        f"{_said(worker_ms <= TARGET_CPU_MS)}"
    )
    speed = result["products/s"] * slower
    print(
        f"Target of {TARGET_PRODUCTS_PER_S:,} products/s: {speed:,.0f} there, "
        f"{_said(speed >= TARGET_PRODUCTS_PER_S)}"
    )


def _said(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


if __name__ == "__main__":
    main()
