"""How figures are written."""

from __future__ import annotations

import pytest

from weighbridge.dashboard.formats import dollars, kilograms, number, seconds, significant, words


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.000012345, "0.0000123"),
        (0.9999, "1.00"),
        (1234.5, "1,230"),
        (-2.5, "-2.50"),
        (float("inf"), "–"),
    ],
)
def test_three_digits_that_mean_something(value: float | None, written: str) -> None:
    assert significant(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0172, "17.2 g"),
        (0.35, "0.350 kg"),
        (2.5, "2.50 kg"),
        (17_400, "17.4 t"),
        (3.2e6, "3.20 kt"),
    ],
)
def test_masses_take_the_unit_that_suits_them(value: float, written: str) -> None:
    assert kilograms(value) == written


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
