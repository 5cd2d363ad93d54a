"""Schemas of what-if: what figures would be under other assumptions."""

from __future__ import annotations

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.api.schemas.selection import SelectionInput


class WhatIfInput(SelectionInput):
    """The assumptions to change: at least one of materials, country and recycled share."""

    materials: dict[str, str] = Field(
        default_factory=dict,
        max_length=50,
        description="A material of the bill of materials (its key, name or family), and the material to put in its place.",
        examples=[{"virgin aluminium": "recycled aluminium"}],
    )
    country_of_origin: str | None = Field(default=None, max_length=100, examples=["DE"])
    recycled_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of the mass that is recycled material, 0 to 1.",
        examples=[0.5],
    )


class SupposedView(Schema):
    """A product's figure as it is and as it would be; `change` 0.25 means 25 % more."""

    code: str
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    difference_kg_co2e: float = Field(alias="differenceKgCo2e")
    change: float
    notes: list[str]


class WhatIfDone(Schema):
    """What figures would be. Totals are for one unit of each product;
    `yearlyDifferenceKgCo2e` multiplies by the known quantities.
    """

    products: list[SupposedView]
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    difference_kg_co2e: float = Field(alias="differenceKgCo2e")
    products_with_quantity: int
    yearly_difference_kg_co2e: float | None = Field(alias="yearlyDifferenceKgCo2e")
    notes: list[str] = Field(
        description="Remarks on the request: which key each given name was read as."
    )
