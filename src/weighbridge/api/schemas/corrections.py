"""Corrections of answers, as clients send and see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.api.schemas.selection import SelectionInput

_TARGET = "bill_of_materials.lines.2.material"


class ChangeInput(Schema):
    """One value of an answer, and the value that replaces it."""

    target: str = Field(
        max_length=200,
        description="The value to change, as STEP.VALUE: classification.subcategory, "
        "bill_of_materials.mass_kg, bill_of_materials.attributes.NAME, bill_of_materials.lines, "
        "bill_of_materials.lines.N.material (or .mass_kg, .component), manufacturing.lines.N. "
        "N is the number of the line, from 1.",
        examples=[_TARGET],
    )
    value: Any = Field(examples=["stainless_304_cold_rolled"])


class CorrectionsInput(SelectionInput):
    """The same changes for all selected products: all are made, or none."""

    changes: list[ChangeInput] = Field(min_length=1, max_length=100)
    reason: str = Field(default="", max_length=1000, examples=["the supplier's drawing"])
    replace: bool = Field(
        default=False, description="Also replace values that somebody else has corrected."
    )


class CorrectedProduct(Schema):
    """A corrected product, with its figure before and after."""

    code: str
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    variants: list[str] = Field(
        description="Variants that use this product's answers. A correction of this product does not change them."
    )
    notes: list[str] = Field(
        description="Remarks on the correction: what to check, which parts of it are stored but do not count, why a figure "
        "did not change, and which key each given name was read as."
    )


class CorrectionsDone(Schema):
    """The products whose figures were computed anew."""

    corrected: list[CorrectedProduct]


class RecomputeInput(Schema):
    """Which products' figures to compute anew."""

    codes: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Only products with these codes; without codes, all completed products.",
        examples=[["PROD-001"]],
    )
    dry_run: bool = Field(default=False, description="Report what would change, and store nothing.")


class RecomputedView(Schema):
    """A product whose figure changed; `change` 0.25 means 25 % more."""

    code: str
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    change: float
    causes: list[str] = Field(examples=[["method 2 → 3", "a correction"]])


class RecomputeDone(Schema):
    """What a recomputation changed. Totals are for one unit of each product."""

    products: int = Field(description="Products that were recomputed.")
    moved: int = Field(description="Products whose figure changed.")
    median_change: float = Field(
        description="Median size of these changes, up or down; 0.25 means 25 %."
    )
    before_kg_co2e: float = Field(alias="beforeKgCo2e")
    after_kg_co2e: float = Field(alias="afterKgCo2e")
    causes: dict[str, int] = Field(description="Number of figures that changed, by cause.")
    largest: list[RecomputedView] = Field(description="The products whose figures changed most.")
    without_figure: int = Field(
        description="Products that could not be recomputed and keep their figure; problems says why."
    )
    problems: list[str]


class ApprovalInput(Schema):
    """Products that a person has checked, or whose mark is to be removed."""

    codes: list[str] = Field(min_length=1, max_length=1000, examples=[["PROD-001"]])
    approved: bool = Field(
        default=True, description="true marks the products as checked, false removes the mark."
    )


class ApprovalDone(Schema):
    """The number of products that were marked, or whose mark was removed."""

    modified_count: int
    unknown_codes: list[str] = Field(description="Codes that no product has.")
    unfinished_codes: list[str] = Field(
        description="Codes of products that were not marked as checked, because they have no figure yet."
    )


class CorrectionView(Schema):
    """A correction: what was changed by whom, when and why, and whether it was taken back."""

    number: int
    target: str = Field(examples=[_TARGET])
    before: Any
    after: Any
    made_by: str
    reason: str
    made_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None


class CorrectionList(Schema):
    """The corrections of a product, also those that were taken back, newest first."""

    corrections: list[CorrectionView]
