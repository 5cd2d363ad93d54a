"""Turns figures into what templates and charts draw. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weighbridge.domain.results import Contribution

MARGIN: Final = 0.06
"""The share of the width that is left free on each side of a scale."""


@dataclass(frozen=True, slots=True)
class RangeBar:
    """A figure with its 95 % range on a logarithmic scale; positions are shares of the width."""

    label: str
    low: float
    figure: float
    high: float
    low_at: float
    figure_at: float
    high_at: float


def range_bars(rows: Sequence[tuple[str, float, float, float]]) -> list[RangeBar]:
    """One bar for each (label, low, figure, high), all on the same scale.

    Rows with a number of 0 or below are left out: a logarithmic scale has no place for them.
    """
    positive = [row for row in rows if min(row[1:]) > 0]
    if not positive:
        return []
    left = math.log10(min(row[1] for row in positive))
    right = math.log10(max(row[3] for row in positive))
    width = max(right - left, 0.05)

    def at(value: float) -> float:
        """The position of a value on the scale, as a share of the width."""
        return MARGIN + (1 - 2 * MARGIN) * (math.log10(value) - left) / width

    return [
        RangeBar(label, low, figure, high, at(low), at(figure), at(high))
        for label, low, figure, high in positive
    ]


def treemap(contributions: Iterable[Contribution]) -> list[dict[str, Any]]:
    """Contributions grouped by kind as the data of a treemap, the largest first.

    Those of 0 or below are left out: they cannot be drawn.
    """
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in contributions:
        if one.emissions_kg_co2e > 0:
            kinds[one.kind.value].append({"name": one.label, "value": one.emissions_kg_co2e})
    groups = [
        {
            "name": kind,
            "value": sum(child["value"] for child in children),
            "children": sorted(children, key=lambda child: -child["value"]),
        }
        for kind, children in kinds.items()
    ]
    return sorted(groups, key=lambda group: -group["value"])


@dataclass(frozen=True, slots=True)
class Bin:
    """One column of a distribution."""

    label: str
    count: int


def bins(counts: dict[int, int]) -> list[Bin]:
    """The columns of a distribution, without gaps, labelled in kilograms.

    `counts` is by half decade: k counts values from 10^(k/2) to 10^((k+1)/2) kg.
    """
    if not counts:
        return []
    return [
        Bin(f"{_lower_bound(number)}–{_lower_bound(number + 1)}", counts.get(number, 0))
        for number in range(min(counts), max(counts) + 1)
    ]


def _lower_bound(half_decade: int) -> str:
    """Where a half decade begins, in kilograms."""
    value = 10 ** (half_decade / 2)
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
