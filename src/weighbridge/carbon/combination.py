"""Two routes to a figure, one footprint.

    bill of materials x factors ──► A, σA ─┐
                                           ├──► A^(1-w) x B^w,   w = σA² / (σA² + σB²)
    products of the same kind ────► B, σB ─┘

A is the sum of everything that the bill names, and what the bill cannot name is missing from it: σA
says how much (completeness.py). B is what others found for whole products, and no product is the
average of its kind: σB is the spread of the references, at least 0.5. Each counts by its precision.
A bill of complete articles is a class figure already and is not mixed with another; without
references the bill stands alone.

The range takes both routes' ranges as wrong together (one model error), weighted as the figures
are, and adds what their disagreement tells: with weights w and 1 - w, two figures ln(B / A) apart
have the variance w (1 - w) ln²(B / A), of which a quarter is counted, because the mean of the two
is better than either.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.carbon.data_quality import WORST, Rating, overall_quality
from weighbridge.carbon.uncertainty import MODEL_ERROR_GSD
from weighbridge.domain.results import DataQuality, Route, RouteName
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.class_route import ClassFigure
    from weighbridge.carbon.completeness import Completeness
    from weighbridge.domain.answers import BillOfMaterials

AGREE_WITHIN: Final = 1.5
"""Two routes to a footprint agree when the higher figure is at most this many times the lower."""
DISAGREE_BEYOND: Final = 3.0
"""Two routes disagree when the higher figure is more than this many times the lower."""
_DOMINANT: Final = 2 / 3
"""A route is said to decide the combined figure if its weight is at least this."""
_DISAGREEMENT_COUNTED: Final = 0.25
"""The share of the variance between the two routes that is added to the variance of the combined
figure.
"""
_CLASS_ERROR: Final = 0.3
"""Logarithmic spread of an error that all published figures of a kind may have in common."""
_RATING_FOR_MISSING_PART: Final = 0.25
"""What is added to the technological rating for each part that the bill lacks."""
_RATING_FOR_DISAGREEMENT: Final = 0.5
"""What is added to the technological rating where the routes disagree."""
_Z95: Final = 1.96


class Combined(NamedTuple):
    """The footprint's figure and range."""

    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float


def bill_route(
    emissions_kg_co2e: float,
    low: float,
    high: float,
    judged: Completeness,
    weight: float,
    basis: str,
) -> Route:
    """The route of the bill, from its sum and range, which includes the model error."""
    sigma = math.log(high / low) / (2 * _Z95) if 0 < low < high else math.log(MODEL_ERROR_GSD)
    return Route(
        RouteName.BILL, emissions_kg_co2e, low, high, judged.log_sigma, sigma, weight, basis
    )


def class_route(figure: ClassFigure, weight: float) -> Route:
    """The route of the class. The spread of its references is taken as how far one product may be
    from their mean.
    """
    sigma = math.hypot(figure.log_spread, _CLASS_ERROR)
    emissions_kg_co2e = math.fsum(one.emissions_kg_co2e for one in figure.contributions)
    range_factor = math.exp(_Z95 * sigma)
    return Route(
        RouteName.CLASS,
        emissions_kg_co2e,
        emissions_kg_co2e / range_factor,
        emissions_kg_co2e * range_factor,
        figure.log_spread,
        sigma,
        weight,
        figure.basis,
    )


def class_weight(judged: Completeness, figure: ClassFigure | None, bill_kg_co2e: float) -> float:
    """The weight of the class route, 0 to 1 (w in the module's docstring); the bill route has the
    rest.
    """
    if figure is None or judged.complete_articles:
        return 0.0
    if bill_kg_co2e <= 0:  # a credit has no logarithm
        return 0.0
    return judged.log_sigma**2 / (judged.log_sigma**2 + figure.log_spread**2)


def combine(routes: Sequence[Route]) -> Combined:
    """The weighted geometric mean of the routes, and its range."""
    counted = [route for route in routes if route.weight > 0]
    if len(counted) == 1:
        (only,) = counted
        return Combined(only.emissions_kg_co2e, only.low_kg_co2e, only.high_kg_co2e)
    logs = [math.log(route.emissions_kg_co2e) for route in counted]
    emissions_kg_co2e = math.exp(
        math.fsum(route.weight * log for route, log in zip(counted, logs, strict=True))
    )
    shared = math.fsum(route.weight * route.range_log_sigma for route in counted)
    apart = math.prod(route.weight for route in counted) * (logs[1] - logs[0]) ** 2
    range_factor = math.exp(_Z95 * math.sqrt(shared**2 + _DISAGREEMENT_COUNTED * apart))
    return Combined(
        emissions_kg_co2e, emissions_kg_co2e / range_factor, emissions_kg_co2e * range_factor
    )


def dominance(routes: Sequence[Route]) -> str:
    """Which route decides the figure, in the words that are shown."""
    counted = [route for route in routes if route.weight > 0]
    if len(counted) < 2:
        return f"{counted[0].name} alone"
    figures = [route.emissions_kg_co2e for route in counted]
    apart = max(figures) / min(figures)
    if apart > DISAGREE_BEYOND:
        return f"routes disagree ×{significant(apart)}"
    if apart <= AGREE_WITHIN:
        return "both agree"
    heaviest = max(counted, key=lambda route: route.weight)
    return str(heaviest.name) if heaviest.weight >= _DOMINANT else "both"


def footprint_quality(
    terms: Sequence[Rating],
    figure: ClassFigure | None,
    routes: Sequence[Route],
    bill: BillOfMaterials,
    judged: Completeness,
) -> DataQuality:
    """The mean of the routes' ratings, by their weights. Parts that the bill lacks, and routes that
    disagree, worsen the technological rating.
    """
    quality = overall_quality(terms, bill)
    weight = routes[1].weight if figure is not None else 0.0
    if figure is not None and weight > 0:
        other = overall_quality(figure.ratings, bill)
        quality = DataQuality(
            *(
                (1 - weight) * getattr(quality, name) + weight * getattr(other, name)
                for name in ("technological", "geographical", "temporal")
            )
        )
    missing = _RATING_FOR_MISSING_PART * len(judged.missing) * (1 - weight)
    figures = [route.emissions_kg_co2e for route in routes if route.weight > 0]
    disagree = (
        _RATING_FOR_DISAGREEMENT
        if min(figures) > 0 and max(figures) > DISAGREE_BEYOND * min(figures)
        else 0.0
    )
    technological = min(quality.technological + missing + disagree, WORST)
    return DataQuality(technological, quality.geographical, quality.temporal)
