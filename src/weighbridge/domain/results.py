"""A footprint and everything that it was computed from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from weighbridge.domain.answers import StepName
from weighbridge.domain.facts import FootprintUnit
from weighbridge.domain.quantities import Quantity
from weighbridge.domain.recordings import RECORDED


class RouteName(StrEnum):
    """The ways to a figure: two that are computed, and what the supplier says."""

    BILL = "bill of materials"
    CLASS = "class figure"
    SUPPLIER = "supplier's figure"


class ContributionKind(StrEnum):
    """What a contribution is.

    CLASS_REFERENCE belongs to the class route, SUPPLIER_FIGURE to the supplier's, all others to the
    bill.
    """

    MATERIAL = "material"
    PROCESS_ELECTRICITY = "process electricity"
    PROCESS_HEAT = "process heat"
    PROCESS_DIRECT = "process direct"
    COMPONENT = "component"
    CLASS_REFERENCE = "class reference"
    SUPPLIER_FIGURE = "supplier's figure"


class Contribution(NamedTuple):
    """activity × factor: one term of a footprint, with its source.

    `activity` is in `activity_unit` (kg or kWh), `factor` in kg CO2e per that unit, and
    `emissions_kg_co2e` is their product. `low` and `high` are the factor's own 95 % range, times
    the activity. The fields before `label` are the same for every product from one country.
    """

    kind: ContributionKind
    factor_key: str
    activity_unit: str
    factor: float
    source: str
    source_id: str
    year: str
    region: str
    licence: str
    is_proxy: bool
    label: str  # "Polypropylene resin", "Injection moulding of …, electricity"
    activity: float
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float

    @property
    def route(self) -> RouteName:
        """The route that it is a term of."""
        return _ROUTES.get(self.kind, RouteName.BILL)


_ROUTES: Final = {
    ContributionKind.CLASS_REFERENCE: RouteName.CLASS,
    ContributionKind.SUPPLIER_FIGURE: RouteName.SUPPLIER,
}
"""Kinds of contributions that do not belong to the bill route → their route."""


@dataclass(frozen=True, slots=True)
class DataQuality:
    """PACT's three ratings, 1 (best) to 3, averaged over the inputs above 5 % of the footprint."""

    technological: float
    geographical: float
    temporal: float

    @property
    def overall(self) -> float:
        """The plain mean of the three ratings."""
        return (self.technological + self.geographical + self.temporal) / 3


_ANSWERED_WITH: Final = "answered with "
"""First words of the reason that `shown_in_part_reason` gives; such a reason is recognised by them.
"""

_FROM_THE_TEXT: Final = "answered from the text alone, without the picture"
"""First words of a note on a product none of whose pictures was seen."""


def shown_in_part_reason(pictures: int, missing: Sequence[str]) -> str:
    """What `AnswerProvenance.without_picture` says where only some of several pictures were shown;
    `missing` has the reason for each of the others.
    """
    reasons = "; ".join(dict.fromkeys(missing))
    return f"{_ANSWERED_WITH}{pictures - len(missing)} of {pictures} pictures: {reasons}"


def picture_note(without_picture: str) -> str:
    """What a footprint's notes say of pictures that the model did not see."""
    if without_picture.startswith(_ANSWERED_WITH):
        return without_picture
    return f"{_FROM_THE_TEXT}: {without_picture}"


def outward_note(note: str) -> str:
    """The note as a receiver outside the company gets it: without the reason why a picture was not
    seen, which names the server that it was fetched from.
    """
    if note.startswith((_ANSWERED_WITH, _FROM_THE_TEXT)):
        return note.partition(":")[0]
    return note


@dataclass(frozen=True, slots=True)
class AnswerProvenance:
    """Where one answer came from.

    Recorded when the answer is accepted, and kept with it from then on.
    """

    step_version: str  # version of prompt and schema
    provider: str
    model: str  # as the provider names the model that answered
    simulated: bool
    answered_at: datetime | None  # aware, UTC; None in footprints from before this was kept
    variant_of: str | None = None  # the code of the product that was asked; None: this product
    without_picture: str | None = None  # why the model did not see all of the product's pictures
    reused: bool = False  # given earlier, to the same text, and not paid for here

    @property
    def recorded(self) -> bool:
        """Whether a recording was replayed. `model` then says who answered, and when."""
        return self.provider == RECORDED


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that went into a footprint: the same versions and answers give the same figure.

    Who answered is known for each answer: the steps of one product may have been answered by
    several models.
    """

    method: str  # version of the arithmetic in carbon/
    factors: str  # name and version of the factor table
    answers: Mapping[StepName, AnswerProvenance]

    @property
    def steps(self) -> dict[StepName, str]:
        """The version of each answered step."""
        return {step: answer.step_version for step, answer in self.answers.items()}

    @property
    def provider(self) -> str:
        """The provider; "step: provider" for each step where there were several."""
        return _one_or_each({step: answer.provider for step, answer in self.answers.items()})

    @property
    def model(self) -> str:
        """The model; "step: model" for each step where there were several."""
        return _one_or_each({step: answer.model for step, answer in self.answers.items()})

    @property
    def variant_of(self) -> str | None:
        """Code of the variant whose answers this product uses; None if it was asked itself."""
        return next((a.variant_of for a in self.answers.values() if a.variant_of), None)

    @property
    def simulated(self) -> bool:
        """Whether any answer came from the simulator."""
        return any(answer.simulated for answer in self.answers.values())

    @property
    def recorded(self) -> bool:
        """Whether any answer was replayed from a recording."""
        return any(answer.recorded for answer in self.answers.values())


def _one_or_each(by_step: Mapping[StepName, str]) -> str:
    """The one name that all steps have, or else "step: name" for each step."""
    if len(set(by_step.values())) == 1:
        return next(iter(by_step.values()))
    return "; ".join(f"{step}: {name}" for step, name in by_step.items())


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the figure: its own result, and what it counts for in the footprint.

    `emissions_kg_co2e` is the sum of the route's contributions. `log_sigma` is its stated
    uncertainty, from which `weight` follows; `range_log_sigma` is the standard deviation of the
    logarithm behind `low` and `high`.
    """

    name: RouteName
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    log_sigma: float
    range_log_sigma: float
    weight: float
    basis: str  # "3 makers, 7 published products", "12 lines, chips and display counted"


@dataclass(frozen=True, slots=True)
class SupplierFigure:
    """A supplier's own figure that is the footprint: primary data.

    `estimate_…` is what the computed routes give together, kept for comparison.
    """

    stated_kg_co2e: float  # per `per`
    per: FootprintUnit
    units: float  # how many `per` one unit of the product is: 1 piece, or its mass in kg
    estimate_kg_co2e: float
    estimate_low_kg_co2e: float
    estimate_high_kg_co2e: float
    estimate_weights: tuple[float, ...]  # of the computed routes in the estimate, in their order

    @property
    def emissions_kg_co2e(self) -> float:
        """The figure for one unit of the product."""
        return self.stated_kg_co2e * self.units


@dataclass(frozen=True, slots=True)
class Footprint:
    """kg CO2e of one unit, cradle-to-gate, GWP100: the weighted geometric mean of its routes, or
    the supplier's own figure.

    `low` and `high` bound 95 % of the distribution, model error included. `contributions` are those
    of all routes; within a route they add up to its own figure.
    """

    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    mass: Quantity
    data_quality: DataQuality
    contributions: tuple[Contribution, ...]
    boundary: str = "cradle-to-gate"
    notes: tuple[str, ...] = ()  # what a reader should know: "mass inferred by the model", …
    routes: tuple[Route, ...] = ()  # empty only in footprints of method 2 and before
    dominance: str = (
        ""  # which route decides: "class figure", "both agree", "routes disagree x3.2", …
    )

    supplier: SupplierFigure | None = None
    """Set where the figure is the supplier's own. Then no other route has a weight."""

    @property
    def primary_data(self) -> str | None:
        """The part of the figure that is primary data, in words; None where nothing is."""
        return None if self.supplier is None else RouteName.SUPPLIER.value

    @property
    def estimate_kg_co2e(self) -> float | None:
        """The computed figure that a supplier's figure has replaced; None where there is no
        supplier's figure.
        """
        return None if self.supplier is None else self.supplier.estimate_kg_co2e

    @property
    def disagreement(self) -> float | None:
        """The highest figure of the routes divided by the lowest; None if only one route counts.

        With a supplier's figure: the same for that figure and the estimate.
        """
        if self.supplier is not None:
            return _highest_by_lowest(
                self.supplier.emissions_kg_co2e, self.supplier.estimate_kg_co2e
            )
        figures = [route.emissions_kg_co2e for route in self.routes if route.weight > 0]
        if len(figures) < 2:
            return None
        return _highest_by_lowest(*figures)

    @property
    def shares(self) -> tuple[float, ...]:
        """What part of the figure each contribution decides, in their order. They add up to 1.

        A contribution that grows by 1 % makes the figure grow by its share of 1 %: within its route
        it counts by its emissions, and the route by its weight. Without a total above 0 there are
        no shares: all are 0.
        """
        total = math.fsum(one.emissions_kg_co2e for one in self.contributions)
        routes = self.routes or (None,)
        per_kg = {
            route and route.name: _share_per_kg(
                route.emissions_kg_co2e if route else total, route.weight if route else 1.0
            )
            for route in routes
        }
        return tuple(
            one.emissions_kg_co2e * per_kg.get(one.route if self.routes else None, 0.0)
            for one in self.contributions
        )

    @property
    def counted_kg_co2e(self) -> tuple[float, ...]:
        """How many kg CO2e of the figure come from each contribution, in their order. They add up
        to the figure.

        A contribution's part of its route, times the weight of the route, times the figure. Where
        one route alone has all the weight: its contributions as they are.
        """
        per_kg = {
            route.name: _counted_per_kg(route, self.emissions_kg_co2e) for route in self.routes
        }
        return tuple(
            one.emissions_kg_co2e * (per_kg.get(one.route, 0.0) if self.routes else 1.0)
            for one in self.contributions
        )


def _counted_per_kg(route: Route, figure_kg_co2e: float) -> float:
    """How many kg of the figure one kg of this route's emissions stands for."""
    if route.weight >= 1:
        return 1.0
    return _share_per_kg(route.emissions_kg_co2e, route.weight) * figure_kg_co2e


def _highest_by_lowest(*figures: float) -> float | None:
    """The highest figure divided by the lowest; None where one is not above 0."""
    return max(figures) / min(figures) if min(figures) > 0 else None


def _share_per_kg(emissions_kg_co2e: float, weight: float) -> float:
    """The share of the figure that one kg of a route decides; 0 where the route has no usable
    total.
    """
    usable = emissions_kg_co2e > 0 and math.isfinite(emissions_kg_co2e)
    return weight / emissions_kg_co2e if usable else 0.0
