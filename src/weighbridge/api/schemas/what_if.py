"""What figures would be, as clients ask for it and see it."""

from __future__ import annotations

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.api.schemas.selection import SelectionInput


class WhatIfInput(SelectionInput):
    """What is to be otherwise: at least one of materials, country and share."""

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
    """One product as it is and as it would be. `change` 0.25: a quarter more."""

    code: str
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    difference_kg_co2e: float = Field(alias="differenceKgCo2e")
    change: float
    notes: list[str]


class WhatIfDone(Schema):
    """Totals are for one unit of each product; those of a year go by the known quantities."""

    products: list[SupposedView]
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    difference_kg_co2e: float = Field(alias="differenceKgCo2e")
    products_with_quantity: int
    yearly_difference_kg_co2e: float | None = Field(alias="yearlyDifferenceKgCo2e")
    notes: list[str] = Field(
        description="On the supposition itself: which names were taken for which keys."
    )
