"""A dozen products worked out by hand (tests/data/golden_footprints.json), against the program."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.carbon_builders import bill, footprint, worked
from weighbridge.domain.results import RouteName
from weighbridge.factor_sources.bundled import BundledFactors

if TYPE_CHECKING:
    from weighbridge.carbon.factors import FactorTable

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "data" / "golden_footprints.json").read_text(encoding="utf-8")
)["products"]
EVERY_PRODUCT = pytest.mark.parametrize("product", GOLDEN, ids=lambda product: product["name"])
DIGITS = 1.5e-6  # the figures in the file are rounded to six digits


@pytest.fixture(scope="module")
def factors() -> FactorTable:
    return BundledFactors().load()


def work_out(node: ast.expr) -> float:
    """A pocket calculator for the arithmetic in the file: + - * / and brackets."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.BinOp(left, ast.Add(), right):
            return work_out(left) + work_out(right)
        case ast.BinOp(left, ast.Sub(), right):
            return work_out(left) - work_out(right)
        case ast.BinOp(left, ast.Mult(), right):
            return work_out(left) * work_out(right)
        case ast.BinOp(left, ast.Div(), right):
            return work_out(left) / work_out(right)
        case _:
            raise ValueError(f"not arithmetic: {ast.dump(node)}")


@EVERY_PRODUCT
def test_documented_arithmetic_gives_documented_numbers(product: dict[str, Any]) -> None:
    for _, _, arithmetic, kg_co2e in product["terms"]:
        assert work_out(ast.parse(arithmetic, mode="eval").body) == pytest.approx(
            kg_co2e, abs=DIGITS
        )
    assert sum(term[3] for term in product["terms"]) == pytest.approx(
        product["kg_co2e"], abs=5 * DIGITS
    )


@EVERY_PRODUCT
def test_matches_hand_calculation(product: dict[str, Any], factors: FactorTable) -> None:
    result = footprint(
        factors,
        bill(*((key, mass_kg) for key, mass_kg in product["bill"])),
        worked(*((process, material) for process, material in product["processes"])),
        country=product["country"],
    )
    counted = [one for one in result.contributions if one.route is RouteName.BILL]
    computed = [(each.kind.value, each.factor_key) for each in counted]
    assert computed == [(kind, key) for kind, key, _, _ in product["terms"]]
    for each, (_, _, _, kg_co2e) in zip(counted, product["terms"], strict=True):
        assert each.emissions_kg_co2e == pytest.approx(kg_co2e, abs=DIGITS)
    assert result.routes[0].emissions_kg_co2e == pytest.approx(product["kg_co2e"], abs=5 * DIGITS)


def test_documented_example_is_correct(factors: FactorTable) -> None:
    page = Path(__file__).parents[3] / "docs" / "explanation" / "how-a-figure-is-calculated.md"
    text = page.read_text(encoding="utf-8")
    shirt = footprint(
        factors,
        bill(("cotton_fibre", 0.18)),
        worked(
            ("cotton_spinning_conventional", "cotton_fibre"),
            ("weaving", "cotton_fibre"),
            ("dyeing_average", "cotton_fibre"),
        ),
        country="IN",
        category="Apparel",
        subcategory="Shirts & blouses",
    )
    for each in shirt.contributions:
        if each.route is RouteName.CLASS:
            continue
        assert f"| {each.emissions_kg_co2e:.3f} |" in text
    assert f"**{shirt.routes[0].emissions_kg_co2e:.3f}**" in text
    assert f"{shirt.low_kg_co2e:.2f} to {shirt.high_kg_co2e:.2f} kg CO2e" in text
    assert f"{len(factors.materials)} materials, {len(factors.processes)} processes" in text
    assert f"{len(factors.electricity) - 1} countries" in text
