"""How long a catalogue's old answers take to be weighed again, and a correction of one product.

    python benchmarks/recompute.py [--products 100000] [--json]

Makes a throw-away embedded PostgreSQL, processes the sample catalogue against the simulator and
copies its products until there are enough. They are marked as those of an earlier method, with
other figures, and `weighbridge recompute` weighs them again; then once more, with nothing new; then
products are corrected one by one. Targets: 100,000 products in under 60 s, a correction in under
50 ms, and no call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from weighbridge.application import open_application
from weighbridge.domain.corrections import read_change
from weighbridge.ingest.catalogue import read_catalogue
from weighbridge.service.desk.correcting import Request, correct
from weighbridge.service.queue import start_queue
from weighbridge.settings import load_settings
from weighbridge.simulator.config import SimulatorConfig
from weighbridge.store.imports import import_products
from weighbridge.wiring import make_engine, open_provider

if TYPE_CHECKING:
    from weighbridge.application import Application

CATALOGUE: Final = Path(__file__).parents[1] / "examples" / "catalogue.csv"
TARGET_S: Final = 60.0
TARGET_CORRECTION_MS: Final = 50.0
CORRECTIONS: Final = 200
AMPLE: Final = SimulatorConfig(requests_per_minute=100_000, tokens_per_minute=1_000_000_000)


async def prepare(app: Application, products: int) -> None:
    """The sample catalogue with its results, as many times as it takes."""
    async with app.database.pool.acquire() as connection:
        await import_products(connection, read_catalogue(CATALOGUE))
    async with open_provider(app.settings, AMPLE) as provider:
        engine = await make_engine(app, provider)
        await start_queue(app.database)
        await engine.supervisor.start()
        waiting = "SELECT count(*) FROM products WHERE status IN ('pending', 'processing')"
        while await app.database.pool.fetchval(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await engine.supervisor.drain()
    async with app.database.pool.acquire() as connection:
        own = await connection.fetchval("SELECT count(*) FROM footprints")
        copies = -(-products // own) - 1
        await connection.execute(
            "INSERT INTO products (code, name, description, weight_kg, country_of_origin, facts,"
            " status, completed_at) SELECT p.code || '-' || n, name, description, weight_kg,"
            " country_of_origin, facts, status, completed_at FROM products p"
            " JOIN footprints f ON f.product_id = p.id, generate_series(1, $1::int) n",
            copies,
            timeout=600,
        )
        await connection.execute(
            "INSERT INTO footprints (product_id, revision, emissions_kg_co2e, low_kg_co2e, "
            "high_kg_co2e, mass_kg, data_quality, category, subcategory, provider, model, "
            "simulated, cost_usd, detail) SELECT c.id, c.revision, f.emissions_kg_co2e, "
            "f.low_kg_co2e, f.high_kg_co2e, f.mass_kg, f.data_quality, f.category, "
            "f.subcategory, f.provider, f.model, f.simulated, f.cost_usd, f.detail FROM "
            "footprints f JOIN products p ON p.id = f.product_id JOIN products c ON c.code LIKE "
            "p.code || '-%' AND c.code ~ ('^' || p.code || '-[0-9]+$') WHERE c.id <> p.id ON "
            "CONFLICT DO NOTHING",
            timeout=600,
        )
        await connection.execute("ANALYZE products, footprints", timeout=600)


async def age(app: Application) -> None:
    """As if an earlier method had computed all figures, a tenth lower."""
    await app.database.pool.execute(
        "UPDATE footprints SET detail = jsonb_set(jsonb_set(detail, '{provenance,method}', "
        "'\"2\"'),"
        " '{footprint,emissions_kg_co2e}', to_jsonb(emissions_kg_co2e * 0.9))",
        timeout=600,
    )


async def recompute(folder: Path) -> tuple[float, dict[str, Any]]:
    """The command as a user runs it: seconds, and what it says."""
    started, used_s = time.perf_counter(), _cpu_s()
    command = (sys.executable, "-m", "weighbridge", "recompute", "--json", "--data-dir", folder)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    seconds = time.perf_counter() - started
    return seconds, {**json.loads(output), "cpuSeconds": _cpu_s() - used_s}


def _cpu_s() -> float:
    """Of all children that have ended, and theirs; PostgreSQL is not among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def correct_one_by_one(app: Application) -> list[float]:
    """Milliseconds of each."""
    milliseconds = []
    codes = await app.database.pool.fetch(
        "SELECT p.code FROM products p JOIN footprints f ON f.product_id = p.id"
        " ORDER BY p.id DESC LIMIT $1",
        CORRECTIONS,
    )
    for (code,) in codes:
        request = Request((read_change("bill_of_materials.mass_kg", 1.25),), "bench", "measured")
        started = time.perf_counter()
        await correct(app.database, app.factors, app.questions.steps, [code], request)
        milliseconds.append((time.perf_counter() - started) * 1000)
    return milliseconds


async def measure(folder: Path, products: int) -> dict[str, Any]:
    """Seconds of a recomputation, of one with nothing new, and milliseconds of a correction."""
    settings = load_settings(
        data_dir=folder, pacing="continuous", requests_per_minute=100_000, variants=False
    )
    async with open_application(settings) as app:
        await prepare(app, products)
        await age(app)
        before = await app.database.pool.fetchval("SELECT count(*) FROM calls")
        seconds, first = await recompute(folder)
        seconds_again, second = await recompute(folder)
        milliseconds = await correct_one_by_one(app)
        after = await app.database.pool.fetchval("SELECT count(*) FROM calls")
    return {
        "products": first["products"],
        "moved": first["moved"],
        "seconds": round(seconds, 1),
        "cpuSeconds": round(first["cpuSeconds"], 1),
        "movedAgain": second["moved"],
        "secondsAgain": round(seconds_again, 1),
        "correctionMsMedian": round(median(milliseconds), 1),
        "correctionMsP95": round(sorted(milliseconds)[int(0.95 * len(milliseconds))], 1),
        "callsMade": after - before,
    }


def main() -> int:
    """Print the figures; returns 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(measure(Path(name), arguments.products))
    if arguments.json:
        print(json.dumps(found))
        return 0
    print(
        f"{found['products']:,} products weighed again in {found['seconds']} s "
        f"({found['cpuSeconds']} s of CPU, without PostgreSQL's), {found['moved']:,} moved; again, "
        f"with nothing new, in {found['secondsAgain']} s"
    )
    print(
        f"A correction of one product: median {found['correctionMsMedian']} ms, "
        f"95 % within {found['correctionMsP95']} ms; {found['callsMade']} calls made"
    )
    met = (
        found["seconds"] < TARGET_S
        and found["correctionMsP95"] < TARGET_CORRECTION_MS
        and not found["callsMade"]
    )
    print(
        f"Targets of {TARGET_S:.0f} s and {TARGET_CORRECTION_MS:.0f} ms: "
        f"{'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
