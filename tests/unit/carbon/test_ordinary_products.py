"""Some 250 ordinary products against the ranges that people who know them expect.

A look that a change of factors, references or rules repeats by itself: a figure that leaves its
range is either a fault of the change, or a reason to write down why the range is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.carbon_builders import bill_with_attributes, worked_lines
from weighbridge.carbon.calculate import calculate
from weighbridge.domain.answers import AttributeBasis, BomLine, Classification, Confidence
from weighbridge.domain.products import Product
from weighbridge.factor_sources.bundled import BundledFactors

if TYPE_CHECKING:
    from weighbridge.domain.results import Footprint

PRODUCTS = json.loads(
    (Path(__file__).parents[2] / "data" / "ordinary_products.json").read_text(encoding="utf-8")
)["products"]
EVERY_PRODUCT = pytest.mark.parametrize("product", PRODUCTS, ids=lambda one: one["name"])
FACTORS = BundledFactors().load()
WIDEST = 60.0
"""Highest by lowest bound of a range: ÷ 8 to × 8."""


def calculated(product: dict[str, Any]) -> Footprint:
    category, subcategory = product["kind"]
    stated = sum(kg for _, kg in product["bill"])
    lines = tuple(
        BomLine(material, kg * product["kg"] / stated, "") for material, kg in product["bill"]
    )
    return calculate(
        Product("P-1", product["name"], "", product["kg"]),
        Classification(category, subcategory, Confidence.HIGH),
        bill_with_attributes(
            lines, product["attributes"], AttributeBasis.INFERRED, product["basis"], stated
        ),
        worked_lines(lines, product["uses"]),
        FACTORS,
    )


@EVERY_PRODUCT
def test_an_ordinary_product_comes_out_where_such_products_are(product: dict[str, Any]) -> None:
    result = calculated(product)
    inside = product["low"] <= result.emissions_kg_co2e <= product["high"]
    assert inside == ("outside" not in product), result.emissions_kg_co2e
    assert result.low_kg_co2e <= product["high"]
    assert result.high_kg_co2e >= product["low"]


@EVERY_PRODUCT
def test_the_range_of_an_ordinary_product_says_something(product: dict[str, Any]) -> None:
    result = calculated(product)
    assert result.high_kg_co2e < WIDEST * result.low_kg_co2e


def test_nine_in_ten_ordinary_products_are_inside() -> None:
    assert sum("outside" not in product for product in PRODUCTS) >= 0.9 * len(PRODUCTS)
