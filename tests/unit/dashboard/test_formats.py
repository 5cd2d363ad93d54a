"""How figures are written."""

from __future__ import annotations

import pytest

from weighbridge.dashboard.formats import (
    dollars,
    kilograms,
    mass,
    moved,
    number,
    quantity,
    seconds,
    significant,
    span,
    words,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.000012345, "0.000012"),
        (0.9999, "1"),
        (1234.5, "1,200"),
        (-2.5, "-2.5"),
        (float("inf"), "–"),
    ],
)
def test_two_digits_that_mean_something(value: float | None, written: str) -> None:
    assert significant(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0172, "17 g"),
        (0.354, "0.35 kg"),
        (2.5, "2.5 kg"),
        (17_400, "17 t"),
        (3.2e6, "3.2 kt"),
        (4e10, "40,000 kt"),
    ],
)
def test_masses_take_the_unit_that_suits_them(value: float, written: str) -> None:
    assert kilograms(value) == written


def test_both_ends_of_a_range_have_one_unit() -> None:
    assert [span(0.0609, 2.73), span(324, 3_930), span(0.002, 0.05), span(None, 1)] == [
        "0.061 – 2.7 kg",
        "0.32 – 3.9 t",
        "2 – 50 g",
        "–",
    ]


def test_a_small_move_is_shown_with_the_digits_that_tell_it() -> None:
    assert moved(1.178, 30) == "from 1.2 kg to 30 kg CO2e"
    assert moved(1.1781, 1.1849) == "from 1.178 kg to 1.185 kg CO2e"


def test_weights_and_quantities_are_shown_as_given() -> None:
    assert (mass(1.375), mass(0.0125), quantity(1_234_567)) == ("1.375 kg", "12.5 g", "1,234,567")


def test_money_below_a_hundredth_of_a_cent_is_not_nothing() -> None:
    assert (dollars(0.00001), dollars(0.0)) == ("<$0.0001", "$0.00")


def test_other_figures() -> None:
    assert (number(1204), number(None), number(2.55, 1)) == ("1,204", "–", "2.5")
    assert (dollars(0.0006), dollars(12.5), dollars(0)) == ("$0.0006", "$12.50", "$0.00")
    assert [seconds(value) for value in (0.524, 4.25, 61, 600, 9000, 300_000)] == [
        "524 ms",
        "4.2 s",
        "61 s",
        "10 min",
        "2.5 h",
        "3 days",
    ]
    assert words("bill_of_materials") == "Bill of materials"
