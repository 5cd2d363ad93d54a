"""Whole footprints worked out by hand (tests/data/golden_two_routes.json), against the program."""

from __future__ import annotations

import ast
import json
import operator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.carbon_builders import bill_with_attributes, worked_lines
from weighbridge.carbon.calculate import calculate
from weighbridge.domain.answers import AttributeBasis, BomLine, Classification, Confidence
from weighbridge.domain.products import Product
from weighbridge.domain.results import Footprint, RouteName
from weighbridge.factor_sources.bundled import BundledFactors

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "data" / "golden_two_routes.json").read_text(encoding="utf-8")
)["products"]
EVERY_PRODUCT = pytest.mark.parametrize("product", GOLDEN, ids=lambda product: product["name"])
WITH_CLASS = pytest.mark.parametrize(
    "product",
    [product for product in GOLDEN if "published" in product],
    ids=lambda product: product["name"],
)
FACTORS = BundledFactors().load()
SIX_DIGITS: Final = 1.5e-6
KILOGRAMS: Final = 2e-6  # terms are rounded to six decimals
FOUR_DIGITS: Final = 1e-4

OPERATORS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def work_out(arithmetic: str) -> float:
    """A pocket calculator for the arithmetic in the file; what stands before a colon is words."""
    return _of(ast.parse(arithmetic.rpartition(": ")[2], mode="eval").body)


def _of(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.BinOp(left, sign, right):
            return OPERATORS[type(sign)](_of(left), _of(right))
        case _:
            raise ValueError(f"not arithmetic: {ast.dump(node)}")


def calculated(product: dict[str, Any]) -> Footprint:
    lines = tuple(BomLine(*line) for line in product["bill"])
    return calculate(
        Product("P-1", product["name"], "", country_of_origin=product["country"]),
        Classification(product["category"], product["subcategory"], Confidence.HIGH),
        bill_with_attributes(
            lines, product["attributes"], AttributeBasis.STATED, product["weight_basis"]
        ),
        worked_lines(lines, product["uses"]),
        FACTORS,
    )


@EVERY_PRODUCT
def test_documented_arithmetic_gives_documented_numbers(product: dict[str, Any]) -> None:
    for _, _, arithmetic, kg_co2e in product["terms"]:
        assert work_out(arithmetic) == pytest.approx(kg_co2e, abs=KILOGRAMS)
    terms = sum(term[3] for term in product["terms"])
    assert terms == pytest.approx(product["bill_kg_co2e"], rel=SIX_DIGITS, abs=10 * KILOGRAMS)
    for one in product.get("published", ()):
        assert work_out(one["arithmetic"]) == pytest.approx(one["kg_co2e"], rel=FOUR_DIGITS)
    for arithmetic, result in (
        ("class_arithmetic", "class_kg_co2e"),
        ("weight_arithmetic", "weight_of_class"),
        ("arithmetic", "kg_co2e"),
    ):
        if arithmetic in product:
            assert work_out(product[arithmetic]) == pytest.approx(product[result], rel=FOUR_DIGITS)


@EVERY_PRODUCT
def test_the_bill_is_what_was_worked_out_by_hand(product: dict[str, Any]) -> None:
    result = calculated(product)
    counted = [one for one in result.contributions if one.route is RouteName.BILL]
    assert [(each.kind.value, each.factor_key) for each in counted] == [
        (kind, key) for kind, key, _, _ in product["terms"]
    ]
    for each, (_, _, _, kg_co2e) in zip(counted, product["terms"], strict=True):
        assert each.emissions_kg_co2e == pytest.approx(kg_co2e, abs=KILOGRAMS)
    assert result.emissions_kg_co2e == pytest.approx(product["kg_co2e"], rel=1e-5)


@WITH_CLASS
def test_the_class_is_what_was_worked_out_by_hand(product: dict[str, Any]) -> None:
    result = calculated(product)
    bill, published = result.routes
    assert bill.emissions_kg_co2e == pytest.approx(product["bill_kg_co2e"], rel=1e-5)
    assert bill.log_sigma == product["sigma_bill"]
    assert published.emissions_kg_co2e == pytest.approx(product["class_kg_co2e"], rel=1e-5)
    assert published.log_sigma == pytest.approx(product["sigma_class"], rel=1e-5)
    assert published.weight == pytest.approx(product["weight_of_class"], rel=1e-5)
    weights = [work_out(one["weight"]) for one in product["published"]]
    shares = [
        one.emissions_kg_co2e / published.emissions_kg_co2e
        for one in result.contributions
        if one.route is RouteName.CLASS
    ]
    assert shares == pytest.approx([weight / sum(weights) for weight in weights])


def test_at_least_sixteen_products_are_worked_out_by_hand() -> None:
    bills = json.loads(
        (Path(__file__).parents[2] / "data" / "golden_footprints.json").read_text(encoding="utf-8")
    )["products"]
    assert len(GOLDEN) + len(bills) >= 16
