"""What the size of the groups does to failures: extra calls and tokens per product when answers go
wrong.

    python -m benchmarks.group_failures [--products 600] [--json]

The whole program in one process, its jobs made by hand in groups of one to five, against the
simulator with faults in the answers: cut off, not JSON, declined, a product missing, foreign,
doubled or implausible. Two assumptions, because nobody knows how a real model fails: every *call*
is hit equally often (10 %), or every *product* in it is (2 % each, so that a call for five is hit
in 10 % of cases and one for one in 2 %). What is good in a damaged answer is kept, the rest is
asked again, alone or in halves. No product may fail of it: retries are alone, three for each
question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import re
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import STEPS, print_table
from tests.support.application import AMPLE, RunningProgram, program
from tests.support.database import PostgresForTests
from weighbridge.service.queue import start_queue
from weighbridge.simulator.config import Fault, FaultPlan
from weighbridge.store.jobs import enqueue_jobs
from weighbridge.store.products import mark_processing
from weighbridge.telemetry import configure_logging

if TYPE_CHECKING:
    import httpx2

SIZES: Final = range(1, 6)
ALIKE: Final = 0.10
EACH: Final = 0.02
SHARES: Final = {
    Fault.TRUNCATE: 0.2,
    Fault.MALFORMED: 0.1,
    Fault.REFUSE: 0.1,
    Fault.MISSING: 0.2,
    Fault.FOREIGN: 0.1,
    Fault.DOUBLED: 0.1,
    Fault.IMPLAUSIBLE: 0.2,
}
"""Of all faults."""
_CODE: Final = re.compile(rb"G-[0-9]{4}")


async def one(
    server: PostgresForTests, size: int, products: int, assumption: str
) -> dict[str, Any]:
    """All products in groups of one size, until each has ended."""
    url = await asyncio.to_thread(server.create_database)
    async with program(url, server.folder, AMPLE) as running:
        await _add_in_groups(running, size, products)
        account = running.simulator.account

        def strike(request: httpx2.Request) -> None:
            asked = len(set(_CODE.findall(request.content)))
            rate = ALIKE if assumption == "call" else EACH * asked
            faults = FaultPlan({fault: rate * share for fault, share in SHARES.items()})
            account.config = replace(account.config, faults=faults)

        running.wire.instead = strike
        await start_queue(running.app.database)
        await running.work()
        await running.until_true(
            "SELECT count(*) = 0 FROM products WHERE status IN ('pending', 'processing')",
            timeout_s=600,
        )
        await running.stop()
        books = running.simulator.books
        needed = -(-products // size) * len(STEPS)
        found = {
            "faults hit every": assumption,
            "group of": size,
            "calls a product": round(books.completed / products, 3),
            "without faults": round(needed / products, 3),
            "extra calls": round(books.completed / needed - 1, 3),
            "tokens a product": round((books.prompt_tokens + books.output_tokens) / products),
            "asked again": await running.value(
                "SELECT count(*) FROM calls WHERE cardinality(product_ids) < $1", size
            ),
            "failed": await running.value("SELECT count(*) FROM products WHERE status = 'failed'"),
        }
    await asyncio.to_thread(server.drop_database, url)
    return found


async def _add_in_groups(running: RunningProgram, size: int, products: int) -> None:
    """As the dispatcher does it, but for the size."""
    await running.add(
        *(
            {"code": f"G-{n:04}", "description": f"A stainless steel bottle, edition {n}"}
            for n in range(products)
        )
    )
    ids = [row["id"] for row in await running.fetch("SELECT id FROM products ORDER BY id")]
    async with running.app.database.transaction() as connection:
        jobs = await enqueue_jobs(connection, -(-products // size))
        await mark_processing(
            connection, {product_id: jobs[n // size] for n, product_id in enumerate(ids)}
        )


async def measure(products: int) -> list[dict[str, Any]]:
    """One line for each assumption and size."""
    with tempfile.TemporaryDirectory() as name:
        server = await asyncio.to_thread(PostgresForTests, Path(name))
        rows = [
            await one(server, size, products, assumption)
            for assumption, size in product(("call", "product"), SIZES)
        ]
    for row in rows:
        alone = next(r for r in rows if r["faults hit every"] == row["faults hit every"])
        row["of one by one"] = round(row["tokens a product"] / alone["tokens a product"], 3)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=600, help="a multiple of 60")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    configure_logging("console", "CRITICAL")
    rows = asyncio.run(measure(asked.products))
    if asked.json:
        print(json.dumps(rows))
        return
    print_table("answers that go wrong, by group size", rows)


if __name__ == "__main__":
    main()
