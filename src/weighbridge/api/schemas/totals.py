"""Schemas of the totals of a catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.domain.totals import TotalBy

if TYPE_CHECKING:
    from weighbridge.domain.totals import CatalogueTotals

_LOW = "The total if all figures were at the low end of their 95 % ranges."
_HIGH = "The total if all figures were at the high end of their 95 % ranges."


class GroupTotalView(Schema):
    """The total of one group: a category, material, supplier or country."""

    name: str
    products: int
    total_kg_co2e: float = Field(alias="totalKgCo2e")
    low_kg_co2e: float | None = Field(
        alias="lowKgCo2e", description=f"{_LOW} null if the group is a material."
    )
    high_kg_co2e: float | None = Field(
        alias="highKgCo2e", description=f"{_HIGH} null if the group is a material."
    )
    share: float | None = Field(description="Share of the total, 0 to 1.")
    mass_kg: float | None = Field(
        description="If the group is a material: how much of it the products contain, in kg; otherwise null."
    )


class RankedProductView(Schema):
    """A product with its share of the total."""

    code: str
    name: str
    category: str | None
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e", description="Footprint of one unit.")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    quantity: float | None = Field(
        description="Pieces a year; null if unknown, and then the total counts one piece."
    )
    total_kg_co2e: float = Field(alias="totalKgCo2e")
    range_kg_co2e: float = Field(
        alias="rangeKgCo2e",
        description="Width of the 95 % range (high minus low) times the quantity.",
    )
    share: float | None


class MissingProductView(Schema):
    """A failed product, which the total does not include."""

    code: str
    name: str
    error: str | None


class TotalsView(Schema):
    """The sum of all footprints times quantities. A product without a quantity counts as one
    piece.
    """

    products: int
    completed: int
    failed: int = Field(description="Failed products. The total does not include them.")
    waiting: int = Field(
        description="Products that are not processed yet. The total does not include them."
    )
    without_quantity: int = Field(
        description="Completed products without a quantity, counted as one piece each."
    )
    mass_inferred: int = Field(
        description="Completed products without a usable weight, whose mass was inferred."
    )
    simulated: int = Field(description="Completed products with an answer of the simulator.")
    recorded: int = Field(
        description="Completed products with at least one answer that was recorded earlier, not asked of a model now."
    )
    total_kg_co2e: float = Field(alias="totalKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e", description=_LOW)
    high_kg_co2e: float = Field(alias="highKgCo2e", description=_HIGH)
    by: TotalBy
    groups: list[GroupTotalView] = Field(
        description="The groups with the largest totals, largest first."
    )
    groups_left_out: int = Field(description="Smaller groups that are not listed.")
    hotspots: list[RankedProductView] = Field(
        description="The products with the largest totals, largest first."
    )
    check_first: list[RankedProductView] = Field(
        description="The products with the largest rangeKgCo2e: a better figure for these makes the total more certain."
    )
    missing: list[MissingProductView] = Field(description="The first failed products, by code.")

    @classmethod
    def of(cls, totals: CatalogueTotals, by: TotalBy, limit: int) -> Self:
        """The totals for the API, with the groups of one kind, at most `limit` of them."""
        groups = totals.groups[by]
        names = set(cls.model_fields) - {"by", "groups", "groups_left_out"}
        return cls.model_validate(
            {
                **{name: getattr(totals, name) for name in names},
                "by": by,
                "groups": groups[:limit],
                "groups_left_out": max(len(groups) - limit, 0),
            },
            from_attributes=True,
        )
