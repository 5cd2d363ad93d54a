"""How long 100,000 footprints take, ranges included, once the answers are there.

    python -m benchmarks.footprints [--products 100000] [--processes 2] [--json]

The answers are the recorded ones of the sample catalogue (60 products of all kinds), each time with
another mass and another country of origin. Nothing is asked and nothing stored: this is the
calculation alone. Prints seconds, CPU seconds (on a busy machine they tell more), footprints per
second and a checksum of all figures and ranges, which is the same on every run. Target: 100,000 in
30 s with two processes on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.application import load_factors, load_questions
from weighbridge.carbon.calculate import calculate
from weighbridge.domain.answers import BillOfMaterials, Classification, ManufacturingProcesses
from weighbridge.service.evaluation.questionnaires import (
    load_recording,
    read_products,
    recorded_answers,
)
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.products import Product

EXAMPLES = Path(__file__).parents[1] / "examples"
TARGET_S = 30.0
SLICE = 2_500  # products of one task: small enough that both processes end together


class Answered(NamedTuple):
    """A product with everything that its footprint needs."""

    product: Product
    classification: Classification
    bill: BillOfMaterials
    processes: ManufacturingProcesses


def answered() -> list[Answered]:
    """The sample catalogue with its recorded answers."""
    settings = load_settings()
    read = read_products(EXAMPLES / "catalogue.csv")
    products = read.products
    recording = load_recording(EXAMPLES / "catalogue.answers.jsonl")
    checked = recorded_answers(recording, load_questions(settings).together, products)
    found = []
    for product in products:
        by_type = {type(one): one for one in checked.answers[product.code].values()}
        classification, bill = by_type[Classification], by_type[BillOfMaterials]
        processes = by_type[ManufacturingProcesses]
        assert isinstance(classification, Classification)
        assert isinstance(bill, BillOfMaterials)
        assert isinstance(processes, ManufacturingProcesses)
        found.append(Answered(product, classification, bill, processes))
    return found


def varied(sample: list[Answered], countries: list[str], numbers: range) -> Iterator[Answered]:
    """Half to double the mass, and a country of origin after the other."""
    for number in numbers:
        one = sample[number % len(sample)]
        times = 0.5 + 1.5 * (number * 7919 % 10_007) / 10_007
        lines = tuple(line._replace(mass_kg=line.mass_kg * times) for line in one.bill.lines)
        yield one._replace(
            product=replace(one.product, country_of_origin=countries[number % len(countries)]),
            bill=replace(one.bill, lines=lines, stated_mass_kg=one.bill.stated_mass_kg * times),
        )


@cache
def loaded() -> tuple[list[Answered], FactorTable]:
    """Once for each process."""
    return answered(), load_factors(load_settings())


def weigh(numbers: range) -> tuple[str, float]:
    """The footprints of these products: a checksum of every figure and range, and CPU seconds."""
    sample, factors = loaded()
    started_s = time.process_time()
    seen = hashlib.sha256()
    for one in varied(sample, sorted(factors.electricity), numbers):
        result = calculate(*one, factors)
        figures = (result.emissions_kg_co2e, result.low_kg_co2e, result.high_kg_co2e)
        seen.update(repr(figures).encode())
    return seen.hexdigest(), time.process_time() - started_s


def main() -> int:
    """Measure, and say whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    slices = [
        range(first, min(first + SLICE, options.products))
        for first in range(0, options.products, SLICE)
    ]
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        list(pool.map(weigh, [range(60)] * options.processes))  # imports, factors, first draws
        started_s = time.perf_counter()
        sums, cpu_s = zip(*pool.map(weigh, slices), strict=True)
        took_s = time.perf_counter() - started_s
    checksum = hashlib.sha256("".join(sums).encode()).hexdigest()[:16]
    per_s = options.products / took_s
    met = took_s <= TARGET_S * options.products / 100_000
    if options.json:
        measured = {"seconds": took_s, "cpuSeconds": sum(cpu_s), "checksum": checksum}
        print(json.dumps({"products": options.products, **measured, "met": met}))
    else:
        spent = f"{took_s:.1f} s ({sum(cpu_s):.1f} s of CPU)"
        print(f"{options.products:,} footprints in {spent}: {per_s:,.0f} a second")
        print(
            f"checksum {checksum}; target 100,000 in {TARGET_S:.0f} s: "
            f"{'met' if met else 'NOT met'}"
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
