"""How long corrections take over HTTP: of one product, and of a selection of a whole catalogue.

    python -m benchmarks.corrections [--products 100000] [--runs 3]

Makes a throw-away embedded PostgreSQL with the sample catalogue's results, copied until there are
enough, and starts `weighbridge serve` on it. Products are corrected one by one, then all at once,
`--runs` times from the same state, while the queue's status is asked ten times a second. Targets:
one in under 50 ms, 100,000 in under 60 s, and no call.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import httpx2

from benchmarks.harness import TICKS_A_SECOND, Process, Site, free_port, print_table
from benchmarks.recompute import prepare
from weighbridge.application import open_application
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.store.database import Database

TARGET_S: Final = 60.0
TARGET_ONE_MS: Final = 50.0
ONE_BY_ONE: Final = 200
ASKED_EVERY_S: Final = 0.1
PATIENCE_S: Final = 900.0
_PATH: Final = "/api/products/corrections"
_MASS: Final = "bill_of_materials.mass_kg"


async def correct_one_by_one(client: httpx2.AsyncClient, codes: list[str]) -> list[float]:
    """Milliseconds of each request."""
    milliseconds = []
    for code in codes:
        started = time.perf_counter()
        await _correct(client, {"codes": [code]}, 1.25)
        milliseconds.append((time.perf_counter() - started) * 1000)
    return sorted(milliseconds)


async def correct_all(
    client: httpx2.AsyncClient, server: Process, here: Site, mass_kg: float
) -> dict[str, Any]:
    """One request for all: seconds, CPU, and how long another request had to wait meanwhile."""
    server_s, database_s = tree_cpu_s(server.pid), here.database_cpu_s()
    waits: list[float] = []
    asking = asyncio.create_task(_ask_status(client, waits))
    started = time.perf_counter()
    corrected = await _correct(client, {"filter": {"search": "-"}}, mass_kg)
    seconds = time.perf_counter() - started
    asking.cancel()
    return {
        "corrected": corrected,
        "seconds": round(seconds, 1),
        "CPU s": round(tree_cpu_s(server.pid) - server_s, 1),
        "PostgreSQL's CPU s": round(here.database_cpu_s() - database_s, 1),
        "status p95 ms": round(sorted(waits)[int(0.95 * len(waits))]),
        "status worst ms": round(max(waits)),
        "server's peak MB": round(server.peak_mb),
        "load": round(os.getloadavg()[0], 1),
    }


async def _correct(client: httpx2.AsyncClient, wanted: dict[str, Any], mass_kg: float) -> int:
    changes = [{"target": _MASS, "value": mass_kg}]
    body = {**wanted, "changes": changes, "reason": "measured"}
    answer = await client.post(_PATH, json=body)
    if answer.status_code != httpx2.codes.OK:
        raise RuntimeError(f"The server answered {answer.status_code}: {answer.text[:2_000]}")
    return len(answer.json()["corrected"])


async def _ask_status(client: httpx2.AsyncClient, waits: list[float]) -> None:
    while True:
        started = time.perf_counter()
        await client.get("/api/products/queue-status")
        waits.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(ASKED_EVERY_S)


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_A_SECOND


async def begin_anew(database: Database) -> None:
    """Without corrections: each run finds what the one before found."""
    await database.pool.execute("TRUNCATE corrections, footprint_versions", timeout=PATIENCE_S)
    await database.pool.execute("VACUUM ANALYZE products, footprints", timeout=PATIENCE_S)


async def measure(folder: Path, products: int, runs: int) -> tuple[list[float], list[Any], int]:
    """Milliseconds of single corrections, a row for each run over all, and the calls made."""
    settings = load_settings(
        data_dir=folder / "data",
        pacing="continuous",
        requests_per_minute=100_000,
        variants=False,
    )
    async with open_application(settings) as app:
        await prepare(app, products)
        port = free_port()
        environment = {
            "WEIGHBRIDGE_DATA_DIR": str(folder / "data"),
            "WEIGHBRIDGE_LOG_LEVEL": "WARNING",
        }
        arguments = ["serve", "--simulate", "--port", str(port)]
        server = Process(arguments, environment, folder / "server.log")
        try:
            address = f"http://127.0.0.1:{port}"
            async with httpx2.AsyncClient(base_url=address, timeout=PATIENCE_S) as client:
                await _until_ready(client)
                return await _measure_with(app.database, client, server, folder, runs)
        finally:
            server.stop()


async def _measure_with(
    database: Database, client: httpx2.AsyncClient, server: Process, folder: Path, runs: int
) -> tuple[list[float], list[Any], int]:
    calls = await database.pool.fetchval("SELECT count(*) FROM calls")
    found = await database.pool.fetch(
        "SELECT p.code FROM products p JOIN footprints f ON f.product_id = p.id"
        " ORDER BY p.id DESC LIMIT $1",
        ONE_BY_ONE,
    )
    milliseconds = await correct_one_by_one(client, [code for (code,) in found])
    rows = []
    connection = await asyncpg.connect(database.url)
    here = Site(folder, database.url, connection, {})
    for run in range(runs):
        await begin_anew(database)
        rows.append(await correct_all(client, server, here, 1.1 + run / 100))
    await connection.close()
    return milliseconds, rows, await database.pool.fetchval("SELECT count(*) FROM calls") - calls


async def _until_ready(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                if (await client.get("/readyz")).status_code == httpx2.codes.OK:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.2)


def main() -> int:
    """Print the figures; returns 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(measure(Path(name), arguments.products, arguments.runs))
    milliseconds, rows, calls = found
    p95_ms = milliseconds[int(0.95 * len(milliseconds))]
    print_table("all products corrected by one request", rows)
    print(
        f"A correction of one product: median {median(milliseconds):.1f} ms, "
        f"95 % within {p95_ms:.1f} ms; {calls} calls made"
    )
    per_product_s = median(row["seconds"] / row["corrected"] for row in rows)
    met = per_product_s * 100_000 < TARGET_S and p95_ms < TARGET_ONE_MS and not calls
    print(
        f"Targets of {TARGET_S:.0f} s for 100,000 and {TARGET_ONE_MS:.0f} ms for one: "
        f"{'met' if met else 'MISSED'} (median of {len(rows)} runs: "
        f"{per_product_s * 100_000:.1f} s for 100,000)"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
