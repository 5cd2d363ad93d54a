"""Footprints against what was published, as figures: errors, bias, coverage, rank, with a bootstrap
over makers.
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
SEED: Final = 20_261_127


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One product: what was computed, with its range, and what was published."""

    kind: str
    mass_kg: float
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    decided_by: str
    truth: Truth

    @property
    def ratio(self) -> float:
        """Computed over published."""
        return self.truth.ratio(self.emissions_kg_co2e)

    @property
    def is_covered(self) -> bool:
        """Whether the 95 % range meets what was published."""
        return (
            self.low_kg_co2e <= self.truth.high_kg_co2e
            and self.truth.low_kg_co2e <= self.high_kg_co2e
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """How far a set of products is off."""

    name: str
    products: int
    median_error: float
    within_2: float
    bias: float  # geometric mean of computed / published
    covered: float
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
    """The share that is at least half and at most twice what was published."""
    return statistics.fmean(0.5 <= ratio <= 2 for ratio in ratios)


def by_group(
    judged: Sequence[ComparedFigure], group: Callable[[ComparedFigure], str]
) -> list[Scores]:
    """The scores of each group, in order of their names. Products without one are left out."""
    groups: defaultdict[str, list[ComparedFigure]] = defaultdict(list)
    for one in judged:
        if name := group(one):
            groups[name].append(one)
    return [scores(name, groups[name]) for name in sorted(groups)]


def distinct(judged: Sequence[ComparedFigure]) -> list[ComparedFigure]:
    """Each product of a maker once: of several rows of one kind and mass (later years, most often)
    the middle one, or of an even number the geometric mean of the two in the middle.
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

    def mean(value: Callable[[ComparedFigure], float]) -> float:
        return math.sqrt(value(one) * value(other))

    return replace(
        one,
        emissions_kg_co2e=mean(lambda row: row.emissions_kg_co2e),
        low_kg_co2e=mean(lambda row: row.low_kg_co2e),
        high_kg_co2e=mean(lambda row: row.high_kg_co2e),
        truth=replace(
            one.truth,
            low_kg_co2e=mean(lambda row: row.truth.low_kg_co2e),
            high_kg_co2e=mean(lambda row: row.truth.high_kg_co2e),
        ),
    )


def bootstrap(
    judged: Sequence[ComparedFigure], score: Callable[[Sequence[float]], float]
) -> tuple[float, float]:
    """The 95 % interval of a score when other makers had been drawn."""
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
    """Ratios of the simplest guess: weight × the sector's median kg CO2e per kg, own maker left
    out.
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
    ours = _ranks([one.emissions_kg_co2e for one in judged])
    theirs = _ranks([one.truth.middle_kg_co2e for one in judged])
    try:
        return statistics.correlation(ours, theirs)
    except statistics.StatisticsError:
        return None


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    return [first[value] + (ordered.count(value) - 1) / 2 for value in values]
