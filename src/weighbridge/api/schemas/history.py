"""A product's earlier footprints, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from pydantic import Field

from weighbridge.api.schemas.base import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.service.desk.history import PastFootprint


class VersionView(Schema):
    """A footprint of a product, the time during which it was the current one, and why it differs
    from the one before.
    """

    calculated_at: datetime
    replaced_at: datetime | None = Field(description="null for the current version.")
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    mass_kg: float
    subcategory: str | None
    change: float | None = Field(
        description="Change from the version before, as a share: 0.25 means 25 % more."
    )
    causes: list[str] = Field(examples=[["corrected by ana: bill_of_materials.mass_kg"]])
    by: str | None = Field(
        description="Who corrected or recomputed the product; null if the queue processed it."
    )
    reason: str | None
    remark: str | None = Field(
        description="Why the figure moved the other way than what was changed; null where it did not."
    )
    method: str
    factors: str
    model: str
    simulated: bool


class ProductHistory(Schema):
    """The versions of a product's footprint, newest first; the last 20 earlier ones are kept."""

    code: str
    versions: list[VersionView]

    @classmethod
    def of(cls, code: str, past: Iterable[PastFootprint]) -> Self:
        """The history for the API, from the footprints that the service found."""
        return cls(
            code=code,
            versions=[
                VersionView(
                    calculated_at=one.version.calculated_at,
                    replaced_at=one.version.replaced_at,
                    emissions_kg_co2e=one.version.emissions_kg_co2e,
                    low_kg_co2e=one.version.low_kg_co2e,
                    high_kg_co2e=one.version.high_kg_co2e,
                    mass_kg=one.version.mass_kg,
                    subcategory=one.version.subcategory,
                    change=one.change,
                    causes=list(one.causes),
                    by=one.version.cause.by or None,
                    reason=one.version.cause.reason or None,
                    remark=one.version.cause.remark or None,
                    method=one.version.method,
                    factors=one.version.factors,
                    model=one.version.model,
                    simulated=one.version.simulated,
                )
                for one in past
            ],
        )


class MovementView(Schema):
    """A product whose figure changed between the two moments."""

    code: str
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    change: float = Field(description="Change as a share: 0.25 means 25 % more.")
    causes: list[str]
    quantity: float | None = Field(description="Pieces a year; null: counted as one in totals.")
    remark: str = Field(
        description="Why the figure moved the other way than what was changed; empty where it did not."
    )


class CauseView(Schema):
    """The products whose figures changed for the same reasons."""

    causes: list[str] = Field(examples=[["corrected by ana: bill_of_materials.mass_kg"]])
    products: int
    moved_kg_co2e: float = Field(alias="movedKgCo2e")


class Comparison(Schema):
    """What moved between two moments. Totals are of the products that have a figure at both: the
    figure of one unit times the present yearly quantity, or times one where none is known.
    """

    products: int = Field(description="Number of products with a figure at both moments.")
    moved: int = Field(description="Number of the compared products whose footprint changed.")
    without_quantity: int = Field(
        description="Number of products without a quantity, which count as one piece in totals."
    )
    added: list[str] = Field(
        description="Codes of products that got their first figure between the two moments."
    )
    gone: list[str] = Field(description="Codes of products with a figure at the first moment only.")
    unknown: list[str] = Field(
        description="Codes of products whose history does not reach back to the first moment."
    )
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    causes: list[CauseView]
    largest: list[MovementView] = Field(
        description="The 20 products with the largest change, as a share."
    )
