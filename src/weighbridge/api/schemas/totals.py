"""What a catalogue adds up to, as clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.domain.totals import TotalBy

if TYPE_CHECKING:
    from weighbridge.domain.totals import CatalogueTotals

_RANGE = "If all figures were at this end of their ranges."


class GroupTotalView(Schema):
    """One category, material, supplier or country."""

    name: str
    products: int
    total_kg_co2e: float = Field(alias="totalKgCo2e")
    low_kg_co2e: float | None = Field(
        alias="lowKgCo2e", description=f"{_RANGE} null: of a material."
    )
    high_kg_co2e: float | None = Field(
        alias="highKgCo2e", description=f"{_RANGE} null: of a material."
    )
    share: float | None = Field(description="Of the total, 0 to 1.")
    mass_kg: float | None = Field(description="Of a material: what goes into the products.")


class RankedProductView(Schema):
    """A product with what it adds to the total."""

    code: str
    name: str
    category: str | None
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e", description="Of one unit.")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    quantity: float | None = Field(
        description="Pieces a year. null if unknown; the total then counts one piece."
    )
    total_kg_co2e: float = Field(alias="totalKgCo2e")
    range_kg_co2e: float = Field(alias="rangeKgCo2e", description="High less low, times quantity.")
    share: float | None


class MissingProductView(Schema):
    """A failed product, which the total does not include."""

    code: str
    name: str
    error: str | None


class TotalsView(Schema):
    """Footprints times quantities. A product without a quantity counts as one."""

    products: int
    completed: int
    failed: int = Field(description="Missing from the total.")
    waiting: int = Field(
        description="Products that are not processed yet. The total does not include them."
    )
    without_quantity: int = Field(description="Of the completed: counted as one piece.")
    mass_inferred: int
    simulated: int
    recorded: int
    total_kg_co2e: float = Field(alias="totalKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e", description=_RANGE)
    high_kg_co2e: float = Field(alias="highKgCo2e", description=_RANGE)
    by: TotalBy
    groups: list[GroupTotalView] = Field(description="The largest first.")
    groups_left_out: int = Field(description="Smaller groups that are not listed.")
    hotspots: list[RankedProductView] = Field(description="By total, the largest first.")
    check_first: list[RankedProductView] = Field(description="By range times quantity.")
    missing: list[MissingProductView] = Field(description="The first failed products, by code.")

    @classmethod
    def of(cls, totals: CatalogueTotals, by: TotalBy, limit: int) -> Self:
        """The totals with groups of one kind."""
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
