"""A price says when a figure is off by a factor of ten or more; it never changes the figure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.carbon.notes import price_notes
from weighbridge.domain.facts import ProductFacts
from weighbridge.factor_sources.bundled import load_taxonomy


def at(price: float | None, currency: str | None = "EUR") -> ProductFacts:
    return ProductFacts(price=price, currency=currency)


@pytest.mark.parametrize(
    ("category", "price", "kg_co2e"),
    [
        ("Consumer electronics", 999.0, 70.0),  # a phone
        ("Apparel", 15.0, 3.0),  # a T-shirt
        ("Apparel", 120.0, 4.0),  # the same by a known maker
        ("Food & beverages", 12.0, 1.3),  # a bottle of wine
        ("Food & beverages", 14.0, 27.0),  # a kilogram of beef
        ("Building materials", 4.5, 19.0),  # a bag of cement
        ("Furniture", 249.0, 90.0),
    ],
)
def test_usual_products_get_no_note(category: str, price: float, kg_co2e: float) -> None:
    assert price_notes(at(price), category, kg_co2e) == ()


def test_a_weight_in_grams_taken_as_kilograms_is_seen_by_the_price() -> None:
    (note,) = price_notes(at(15.0), "Apparel", 3_000.0)
    assert note == (
        "200 kg CO2e per EUR is unlikely; such products come to about 0.6: check the weight, the "
        "pieces and the price"
    )


def test_a_weight_in_kilograms_taken_as_grams_is_seen_by_the_price() -> None:
    (note,) = price_notes(at(249.0, "USD"), "Furniture", 0.09)
    assert note.startswith("0.00036 kg CO2e per USD is unlikely")


@pytest.mark.parametrize("facts", [at(None), at(0.0), at(9.9, None), at(9.9, "JPY")])
def test_without_a_price_near_a_euro_nothing_is_compared(facts: ProductFacts) -> None:
    assert price_notes(facts, "Apparel", 1e9) == ()


@given(st.floats(1e-6, 1e9), st.floats(1e-9, 1e12))
def test_nothing_is_said_of_categories_without_a_ratio(price: float, kg_co2e: float) -> None:
    assert price_notes(at(price), "Jewellery & accessories", kg_co2e) == ()


def test_each_category_with_a_ratio_is_one_of_the_taxonomy() -> None:
    named = {
        category for category in load_taxonomy().categories if price_notes(at(1.0), category, 1e9)
    }
    assert len(named) == 22
