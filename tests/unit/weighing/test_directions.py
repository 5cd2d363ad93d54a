"""A figure that moves the other way than what was changed says why; any other says nothing."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from tests.unit.carbon.test_ordinary_products import FACTORS, PRODUCTS, calculated
from weighbridge.domain.results import Footprint, RouteName
from weighbridge.errors import CalculationError
from weighbridge.weighing.directions import FigureState, RouteState, against_the_change

BILL, CLASS, SUPPLIER = RouteName.BILL, RouteName.CLASS, RouteName.SUPPLIER


def state(
    figure: float, *, materials: float | None = None, **routes: tuple[float, float]
) -> FigureState:
    names = {"bill": BILL, "kind": CLASS, "supplier": SUPPLIER}
    return FigureState(
        figure, {names[name]: RouteState(*one) for name, one in routes.items()}, materials
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            state(0.9, bill=(0.9, 1.0), kind=(2.0, 0.0)),
            state(0.98, bill=(0.48, 0.5), kind=(2.0, 0.5)),
            (
                "The figure rises although the bill of materials comes to less (0.9 → 0.48 kg CO2e): the "
                "bill now counts for 50 % of the figure, for 100 % before, and published figures of such "
                "products (2 kg CO2e) count now."
            ),
        ),
        (
            state(12.0, bill=(8.0, 0.4), kind=(19.0, 0.6)),
            state(9.0, bill=(9.0, 1.0)),
            (
                "The figure falls although the bill of materials comes to more (8 → 9 kg CO2e): the bill "
                "now counts for 100 % of the figure, for 40 % before, and published figures of such "
                "products (19 kg CO2e) no longer count."
            ),
        ),
        (
            state(4.0, bill=(2.0, 0.5), kind=(8.0, 0.5)),
            state(5.5, bill=(2.0, 0.27), kind=(8.0, 0.73)),
            (
                "The figure rises although the bill of materials comes to the same (2 kg CO2e) and "
                "published figures of such products come to the same (8 kg CO2e): the bill now counts for "
                "27 % of the figure, for 50 % before."
            ),
        ),
        (
            state(4.0, bill=(2.0, 0.5), kind=(8.0, 0.5)),
            state(5.0, bill=(1.9, 0.5), kind=(13.0, 0.5)),
            (
                "The figure rises although the bill of materials comes to less (2 → 1.9 kg CO2e): "
                "published figures of such products come to more (8 → 13 kg CO2e)."
            ),
        ),
        (
            state(2.0, bill=(2.0, 1.0), materials=1.5),
            state(3.0, bill=(3.0, 1.0), materials=1.0),
            (
                "The figure rises although the materials come to less (1.5 → 1 kg CO2e): their "
                "processing, and parts that count by their own measure, come to more (0.5 → 2 kg CO2e)."
            ),
        ),
        (state(2.0, bill=(2.0, 1.0)), state(1.0, bill=(1.0, 1.0)), ""),
        (state(2.0, bill=(2.0, 1.0)), state(2.0, bill=(2.0, 1.0)), ""),
        (state(2.0, bill=(1.0, 0.0), supplier=(2.0, 1.0)), state(1.0, bill=(1.5, 1.0)), ""),
        (state(2.0), state(1.0, bill=(3.0, 1.0)), ""),  # of a method without routes
        (state(-1.0, bill=(-1.0, 1.0)), state(1.0, bill=(1.0, 1.0)), ""),  # a credit
    ],
)
def test_what_is_said(before: FigureState, after: FigureState, said: str) -> None:
    assert against_the_change(before, after) == said


def exchanged(product: dict[str, Any], line: int, material: str) -> Footprint | None:
    """The product with another material in one line; None where it cannot be computed."""
    other = copy.deepcopy(product)
    old = other["bill"][line][0]
    other["bill"][line][0] = material
    other["uses"] = [[material if part == old else part for part in use] for use in other["uses"]]
    try:
        return calculated(other)
    except CalculationError:
        return None


def turned(before: float, after: float) -> int:
    moved = after / before - 1
    return 0 if abs(moved) < 0.002 else (1 if moved > 0 else -1)


@pytest.mark.parametrize("product", PRODUCTS[::5], ids=lambda one: one["name"])
def test_whatever_material_is_exchanged_a_surprise_is_said_and_nothing_else(
    product: dict[str, Any],
) -> None:
    rng = random.Random(product["name"])
    before = calculated(product)
    old = {one.name: one for one in before.routes if one.weight > 0}
    for line, (material, _) in enumerate(product["bill"]):
        family = FACTORS.materials[material].family
        alike = [one.key for one in FACTORS.materials.values() if one.family == family]
        for other in rng.sample(alike, min(3, len(alike))):
            after = exchanged(product, line, other)
            if after is None:
                continue
            said = against_the_change(FigureState.of(before), FigureState.of(after))
            figure = turned(before.emissions_kg_co2e, after.emissions_kg_co2e)
            moves = {
                turned(old[one.name].emissions_kg_co2e, one.emissions_kg_co2e)
                for one in after.routes
                if one.weight > 0 and one.name in old
            }
            if figure and (-figure in moves or moves == {0}):
                assert said, (material, other)
            if said:
                assert said.startswith(f"The figure {'rises' if figure > 0 else 'falls'} although")
                assert figure
                assert -figure in moves or moves == {0} or "the materials come to" in said
