"""Scores how well computed footprints agree with published ones: error, bias, coverage and rank,
with a bootstrap over makers.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weighbridge.service.evaluation.truth import Truth

RESAMPLES: Final = 1_000
"""How many times the bootstrap draws a sample of the manufacturers."""
SEED: Final = 20_261_127


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One product: its computed footprint with the 95 % range, and the published one (`truth`)."""

    kind: str
    mass_kg: float
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    decided_by: str
    truth: Truth

    @property
    def ratio(self) -> float:
        """The computed footprint divided by the published one."""
        return self.truth.ratio(self.emissions_kg_co2e)

    @property
    def is_covered(self) -> bool:
        """Whether the computed 95 % range contains or overlaps what was published."""
        return (
            self.low_kg_co2e <= self.truth.high_kg_co2e
            and self.truth.low_kg_co2e <= self.high_kg_co2e
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """How well the computed footprints of a set of products agree with the published ones."""

    name: str
    products: int
    median_error: float  # median of |computed / published - 1|
    within_2: float  # share within a factor of 2
    bias: float  # geometric mean of computed / published
    covered: float  # share whose 95 % range covers what was published
    rank_correlation: float | None  # Spearman; None below three products


def scores(name: str, judged: Sequence[ComparedFigure]) -> Scores:
    """The scores of a group that is not empty."""
    ratios = [one.ratio for one in judged]
    return Scores(
        name,
        len(judged),
        median_error(ratios),
        within_2(ratios),
        math.exp(statistics.fmean(map(math.log, ratios))),
        statistics.fmean(one.is_covered for one in judged),
        _spearman(judged) if len(judged) > 2 else None,
    )


def median_error(ratios: Sequence[float]) -> float:
    """The median of |computed / published - 1|."""
    return statistics.median(abs(ratio - 1) for ratio in ratios)


def within_2(ratios: Sequence[float]) -> float:
    """The share of products computed at no less than half and no more than twice the published
    footprint.
    """
    return statistics.fmean(0.5 <= ratio <= 2 for ratio in ratios)


def by_group(
    judged: Sequence[ComparedFigure], group: Callable[[ComparedFigure], str]
) -> list[Scores]:
    """The scores of each group, in order of the names that `group` gives.

    Products whose group is "" are left out.
    """
    groups: defaultdict[str, list[ComparedFigure]] = defaultdict(list)
    for one in judged:
        if name := group(one):
            groups[name].append(one)
    return [scores(name, groups[name]) for name in sorted(groups)]


def distinct(judged: Sequence[ComparedFigure]) -> list[ComparedFigure]:
    """One comparison for each maker, kind and mass.

    Several are mostly the same product in different years: `_middle` of them is taken.
    """
    groups: defaultdict[tuple[str, str, str], list[ComparedFigure]] = defaultdict(list)
    for one in judged:
        groups[one.truth.maker, one.kind, f"{one.mass_kg:.3g}"].append(one)
    return [_middle(sorted(rows, key=lambda one: one.ratio)) for rows in groups.values()]


def _middle(rows: Sequence[ComparedFigure]) -> ComparedFigure:
    """The middle one of sorted rows; of an even number, the geometric mean of the middle two."""
    half = len(rows) // 2
    if len(rows) % 2:
        return rows[half]
    one, other = rows[half - 1 : half + 1]

    def geometric_mean(figure: Callable[[ComparedFigure], float]) -> float:
        return math.sqrt(figure(one) * figure(other))

    return replace(
        one,
        emissions_kg_co2e=geometric_mean(lambda row: row.emissions_kg_co2e),
        low_kg_co2e=geometric_mean(lambda row: row.low_kg_co2e),
        high_kg_co2e=geometric_mean(lambda row: row.high_kg_co2e),
        truth=replace(
            one.truth,
            low_kg_co2e=geometric_mean(lambda row: row.truth.low_kg_co2e),
            high_kg_co2e=geometric_mean(lambda row: row.truth.high_kg_co2e),
        ),
    )


def bootstrap(
    judged: Sequence[ComparedFigure], score: Callable[[Sequence[float]], float]
) -> tuple[float, float]:
    """(low, high) of the 95 % bootstrap interval of a score of ratios, resampled by maker."""
    makers: defaultdict[str, list[float]] = defaultdict(list)
    for one in judged:
        makers[one.truth.maker].append(one.ratio)
    source = random.Random(SEED)
    groups = list(makers.values())
    drawn = sorted(
        score([ratio for group in source.choices(groups, k=len(groups)) for ratio in group])
        for _ in range(RESAMPLES)
    )
    return drawn[round(0.025 * RESAMPLES)], drawn[round(0.975 * RESAMPLES) - 1]


def baseline(judged: Sequence[ComparedFigure]) -> list[float]:
    """Guessed divided by published footprint of each product, for the simplest guess there is.

    The guess is weight times the median published kg CO2e per kg of the sector's other makers;
    products of sectors without any are left out.
    """
    ratios = []
    for one in judged:
        per_kg = [
            other.truth.middle_kg_co2e / other.mass_kg
            for other in judged
            if other.truth.sector == one.truth.sector and other.truth.maker != one.truth.maker
        ]
        if per_kg:
            ratios.append(one.truth.ratio(statistics.median(per_kg) * one.mass_kg))
    return ratios


def _spearman(judged: Sequence[ComparedFigure]) -> float | None:
    """Spearman's rank correlation of computed and published; None where all of one are equal."""
    ours = _ranks([one.emissions_kg_co2e for one in judged])
    theirs = _ranks([one.truth.middle_kg_co2e for one in judged])
    try:
        return statistics.correlation(ours, theirs)
    except statistics.StatisticsError:
        return None


def _ranks(values: Sequence[float]) -> list[float]:
    """The rank of each value, from 0; equal values share the mean of their ranks."""
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    return [first[value] + (ordered.count(value) - 1) / 2 for value in values]
