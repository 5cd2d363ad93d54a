"""How far computed footprints are from what makers reported, with recorded answers replayed.

    python -m benchmarks.accuracy PRODUCTS.csv REPORTED.csv ANSWERS.jsonl [--by category]

PRODUCTS has the columns code, name, description, weight (kg); REPORTED has code, sector, country
and cradle_to_gate_kg_co2e (rows without it are passed over); each line of ANSWERS has code,
category, subcategory, bom (material, mass_share), processes (process, material), mass_known and
confidence. No call is made and nothing is calibrated: this measures answers, factors and method
together.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.carbon.calculate import calculate
from weighbridge.domain.answers import (
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
)
from weighbridge.domain.products import Product
from weighbridge.factor_sources.bundled import BundledFactors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.results import Footprint

OTHER_NAMES = {"USA": "US", "UK": "GB", "Korea": "KR", "The Netherlands": "NL"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One product: what we computed, what its maker reported, and the groups it belongs to."""

    footprint: Footprint
    reported_kg_co2e: float
    groups: Mapping[str, str]

    @property
    def ratio(self) -> float:
        """Computed over reported: 1 is right, 0.5 is half."""
        return self.footprint.emissions_kg_co2e / self.reported_kg_co2e

    @property
    def inside_interval(self) -> bool:
        """Whether the 95 % range holds what was reported."""
        return self.footprint.low_kg_co2e <= self.reported_kg_co2e <= self.footprint.high_kg_co2e


def compare(products: Path, reported: Path, answers: Path) -> list[Comparison]:
    factors = BundledFactors().load()
    countries = {grid.name: code for code, grid in factors.electricity.items()} | OTHER_NAMES
    given = {row["code"]: row for row in _rows(products)}
    replies = {reply["code"]: reply for reply in map(json.loads, answers.open(encoding="utf-8"))}
    found = []
    for row in _rows(reported):
        reply = replies.get(row["code"])
        if reply is None or not row["cradle_to_gate_kg_co2e"]:
            continue
        country = countries.get(row["country"])
        groups = {
            "sector": row["sector"],
            "category": reply["category"],
            "confidence": reply["confidence"],
            "country": row["country"] if country else f"{row['country']} (grid unknown)",
        }
        footprint = _replay(given[row["code"]], reply, country, factors)
        found.append(Comparison(footprint, float(row["cradle_to_gate_kg_co2e"]), groups))
    return found


def _replay(
    row: Mapping[str, str], reply: Mapping[str, Any], country: str | None, factors: FactorTable
) -> Footprint:
    weight_kg = float(row["weight"])
    confidence = Confidence(reply["confidence"])
    lines = tuple(
        BomLine(part["material"], part["mass_share"] * weight_kg, "") for part in reply["bom"]
    )
    return calculate(
        Product(row["code"], row["name"], row["description"], weight_kg, country_of_origin=country),
        Classification(reply["category"], reply["subcategory"], confidence),
        BillOfMaterials(lines, weight_kg, False, reply["mass_known"], confidence),
        ManufacturingProcesses(
            tuple(ProcessUse(use["process"], use["material"]) for use in reply["processes"]),
            confidence,
        ),
        factors,
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def summary(name: str, compared: Sequence[Comparison]) -> str:
    errors = [abs(each.ratio - 1) for each in compared]
    within = [0.5 <= each.ratio <= 2 for each in compared]
    bias = math.exp(statistics.fmean(math.log(each.ratio) for each in compared))
    inside = [each.inside_interval for each in compared]
    return (
        f"{name:<42}{len(compared):>5}{statistics.median(errors):>14.0%}"
        f"{statistics.fmean(within):>16.0%}{bias:>8.2f}{statistics.fmean(inside):>13.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("products", type=Path)
    parser.add_argument("reported", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument(
        "--by", default="sector", choices=["sector", "category", "confidence", "country"]
    )
    arguments = parser.parse_args()
    compared = compare(arguments.products, arguments.reported, arguments.answers)
    by_group: dict[str, list[Comparison]] = defaultdict(list)
    for each in compared:
        by_group[each.groups[arguments.by]].append(each)
    print(
        f"{'':<42}{'n':>5}{'median error':>14}{'within factor 2':>16}{'bias':>8}{'in interval':>13}"
    )
    for name in sorted(by_group):
        print(summary(name, by_group[name]))
    print(summary("all", compared))


if __name__ == "__main__":
    main()
