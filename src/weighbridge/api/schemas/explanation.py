"""The figure of a product as a tree, as clients see it."""

from __future__ import annotations

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.domain.results import ContributionKind, RouteName


class TermView(Schema):
    """One multiplication, and the factor row behind it."""

    label: str
    kind: ContributionKind
    arithmetic: str = Field(examples=["0.35 kg × 4.41 kg CO2e/kg = 1.544 kg CO2e"])
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    share: float = Field(description="Share of the figure that this contribution decides, 0 to 1.")
    marks: list[str] = Field(
        description="How the amount is known: stated (in the catalogue), inferred (by the model), published (a figure of similar products) or primary data (the supplier's own figure). proxy: no factor is published for this material or process, so that of a similar one is used."
    )
    activity: float
    activity_unit: str
    factor: float
    factor_key: str
    source: str
    source_id: str
    year: str
    region: str
    licence: str


class LineView(Schema):
    """A material with what is done to it, a part counted by its own measure, or a maker's
    figures.
    """

    title: str
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    share: float
    terms: list[TermView]


class ExplainedRouteView(Schema):
    """One of the two ways to the figure."""

    name: RouteName
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    weight: float = Field(
        description="Weight of this route in the figure, 0 to 1: the figure is the weighted geometric mean of the routes."
    )
    basis: str
    lines: list[LineView]


class NarrowingView(Schema):
    """A source of doubt."""

    what: str
    range_factor: float | None = Field(
        description="The range that remains once this doubt is settled: the figure divided and multiplied by this factor; null where the range does not include this doubt."
    )


class ExplanationTree(Schema):
    """From the total to the factor rows."""

    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    range_factor: float | None = Field(
        description="The figure divided and multiplied by this gives its 95 % range; null for a range that reaches 0."
    )
    arithmetic: str = Field(description="How the figure is calculated from the routes.")
    mass: str
    routes: list[ExplainedRouteView]
    narrowing: list[NarrowingView] = Field(
        description="What would narrow the range, the most effective first."
    )


class ProductExplanation(Schema):
    """Why a product's figure is what it is."""

    code: str
    name: str
    category: str
    subcategory: str
    country_of_origin: str | None
    boundary: str
    decided_by: str
    explanation: ExplanationTree
    notes: list[str]
    method: str
    factors: str
    model: str
    simulated: bool
