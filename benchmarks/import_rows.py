"""How fast a catalogue gets in, and how much memory the importing process takes.

    python -m benchmarks.import_rows [--rows 1000000] [--format csv] [--json]
    python -m benchmarks.import_rows --rows 300000 --format xlsx

Makes a catalogue of its own and a throw-away embedded PostgreSQL, imports the file twice (all new,
then all unchanged) and once with every tenth product changed, each time with the report; then once
more with the estimate that `run` shows, for which the tokenizer's vocabulary is loaded (67 MB).
Prints rows per second and the most resident memory that this process and the one that reads the
file have had at one time (`tree_memory.py`). Until November 2026 the peaks of both were added,
whenever they came; that sum is printed too, as "peaks added". PostgreSQL is not counted. Targets:
20,000 rows/s; below 400 MB, with the estimate too.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.tree_memory import TreeMemory
from weighbridge.application import estimate_basis
from weighbridge.ingest.isolation.reading import OpenCatalogue
from weighbridge.service.estimates import Estimator
from weighbridge.service.imports import import_catalogue
from weighbridge.settings import Settings
from weighbridge.store.database import open_database

HEADER = ("code", "name", "description", "weight", "imageUrl", "countryOfOrigin")
TEXT = (
    "steel oak chair pump bolt cotton shirt valve glass lamp table plastic bottle cable motor "
    "panel frame cover sheet paper with and for kitchen garden, office"
)
WORDS = TEXT.split()
WITH_ESTIMATE = "with an estimate"
TARGET_ROWS_PER_S = 20_000
TARGET_PEAK_MB = 400


def write_catalogue(path: Path, rows: int, *, changed: bool) -> None:
    """About 180 bytes a row; some texts need quotes.

    `changed` gives every tenth product another name.
    """
    dice = random.Random(1)
    phrases = [" ".join(dice.choices(WORDS, k=18)) for _ in range(1_000)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for i in range(rows):
            mark = " new" if changed and i % 10 == 0 else ""
            name = f"{WORDS[i % 17]} {WORDS[i % 13]} {i % 997}{mark}"
            weight = f"{0.05 + i % 7919 / 100:.2f}"
            country = ("DE", "CN", "FR", "")[i % 4]
            writer.writerow(
                (f"P-{i:07d}", name, f"{phrases[i % 1000]} no. {i}", weight, "", country)
            )


def convert(path: Path, format_name: str) -> Path:
    """The same catalogue in another format."""
    if format_name == "csv":
        return path
    target = path.with_suffix(f".{format_name}")
    frame = pl.read_csv(path, infer_schema=False)
    match format_name:
        case "parquet":
            frame.write_parquet(target)
        case "jsonl":
            frame.write_ndjson(target)
        case "xlsx":
            frame.write_excel(target)
        case _:
            sys.exit(f"no format {format_name}")
    return target


async def measure(folder: Path, files: dict[str, Path], memory: TreeMemory) -> list[dict[str, Any]]:
    basis = estimate_basis(Settings(_env_file=None))
    database = await open_database(None, folder / "data")
    results = []
    try:
        for title, path in files.items():
            memory.take()
            started_s = time.perf_counter()
            with OpenCatalogue(path) as catalogue:
                estimator = Estimator(basis) if title == WITH_ESTIMATE else None
                imported = await import_catalogue(database, catalogue, estimator=estimator)
            seconds = time.perf_counter() - started_s
            peak = memory.take()
            result = imported.result
            total = result.created + result.updated + result.unchanged + result.rejected_count
            results.append(
                {
                    "import": title,
                    "created": result.created,
                    "updated": result.updated,
                    "unchanged": result.unchanged,
                    "rejected": result.rejected_count,
                    "seconds": round(seconds, 1),
                    "rowsPerSecond": round(total / seconds),
                    "peakMb": round(peak.together),
                    "peaksAddedMb": round(peak.added),
                }
            )
    finally:
        await database.close()
    return results


def make_files(folder: Path, rows: int, format_name: str) -> dict[str, Path]:
    first, second = folder / "first.csv", folder / "second.csv"
    write_catalogue(first, rows, changed=False)
    write_catalogue(second, rows, changed=True)
    files = [convert(path, format_name) for path in (first, second)]
    return {
        "all new": files[0],
        "all unchanged": files[0],
        "a tenth changed": files[1],
        WITH_ESTIMATE: files[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", default="csv", choices=("csv", "parquet", "jsonl", "xlsx"))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In another process: making a workbook takes more memory than reading it.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as maker:
            files = maker.submit(make_files, folder, arguments.rows, arguments.format).result()
        with TreeMemory() as memory:
            results = asyncio.run(measure(folder, files, memory))
    if arguments.json:
        print(json.dumps(results))
        return
    print(f"{arguments.rows:,} rows of {arguments.format}")
    for result in results:
        print(
            f"{result['import']:>16}: {result['rowsPerSecond']:>8,} rows/s  {result['seconds']:>6} "
            f"s  peak {result['peakMb']} MB, peaks added {result['peaksAddedMb']}  ({result['created']:,} created, {result['updated']:,} "
            f"updated, {result['unchanged']:,} unchanged, {result['rejected']:,} rejected)"
        )
    for what, wanted in (("report", False), ("estimate", True)):
        chosen = [result for result in results if (result["import"] == WITH_ESTIMATE) is wanted]
        slowest = min(result["rowsPerSecond"] for result in chosen)
        peak = max(result["peakMb"] for result in chosen)
        met = slowest >= TARGET_ROWS_PER_S and peak < TARGET_PEAK_MB
        print(
            f"{arguments.format} with the {what}: {slowest:,} rows/s, {peak} MB; target of "
            f"{TARGET_ROWS_PER_S:,} rows/s below {TARGET_PEAK_MB} MB: {'met' if met else 'MISSED'}"
        )


if __name__ == "__main__":
    main()
