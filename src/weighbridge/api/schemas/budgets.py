"""Schemas of the caps on money."""

from __future__ import annotations

from pydantic import Field

from weighbridge.api.schemas.base import Schema


class BudgetView(Schema):
    """One cap on spending. Calls in flight count with the most that they can cost."""

    name: str = Field(
        description="`day` or `month` (in UTC), or `catalogue` followed by the first characters of the file's SHA-256.",
        examples=["day"],
    )
    cap_usd: float = Field(ge=0, examples=[10.0])
    committed_usd: float = Field(
        ge=0,
        description="What counts against the cap: the money spent so far, plus the most that calls in flight can cost.",
        examples=[3.52],
    )
    left_usd: float = Field(ge=0, examples=[6.48])


class BudgetsDocument(Schema):
    """The caps on spending in force."""

    budgets: list[BudgetView]
