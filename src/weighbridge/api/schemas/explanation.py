"""Schemas of the explanation of a product's figure: a tree from the total to the factors."""

from __future__ import annotations

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.domain.results import ContributionKind, RouteName


class TermView(Schema):
    """One term of the figure: an amount times an emission factor, with the factor's source."""

    label: str
    kind: ContributionKind
    arithmetic: str = Field(examples=["0.35 kg × 4.41 kg CO2e/kg = 1.544 kg CO2e"])
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    share: float = Field(description="Share of the figure that this contribution decides, 0 to 1.")
    marks: list[str] = Field(
        description="How the amount is known: stated (in the catalogue), inferred (by the model), corrected (by a person), published (a figure of similar products) or primary data (the supplier's own figure). proxy: no factor is published for this material or process, so that of a similar one is used."
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
    """The terms of one line: a material with its processes, a part with a factor of its own, or
    published figures of one maker.
    """

    title: str
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    share: float
    terms: list[TermView]


class ExplainedRouteView(Schema):
    """One of the two routes by which the figure is computed."""

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
    """A source of uncertainty, and the range without it."""

    what: str
    range_factor: float | None = Field(
        description="The range that remains without this uncertainty: the figure divided and multiplied by this factor; null where the range does not include this uncertainty."
    )


class ExplanationTree(Schema):
    """The explanation of a figure, from the total to the single terms."""

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
    """How a product's figure is computed."""

    code: str
    name: str
    category: str
    subcategory: str
    country_of_origin: str | None
    boundary: str
    decided_by: str
    explanation: ExplanationTree
    remark: str = Field(
        description="Why the last correction or recomputation moved the figure the other way than what was changed; empty where it did not.",
        examples=[
            "The figure rises although the bill of materials comes to less (0.9 → 0.4 kg CO2e): the bill now counts for 50 % of the figure, for 100 % before, and published figures of such products (2 kg CO2e) count now."
        ],
    )
    notes: list[str]
    method: str
    factors: str
    model: str
    simulated: bool
