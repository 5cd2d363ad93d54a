"""Which products a request is about."""

from __future__ import annotations

from pydantic import Field

from weighbridge.api.schemas.base import Schema


class FilterInput(Schema):
    """Selects all completed products of a category, or with a text in code or name, or both."""

    category: str = Field(
        default="", max_length=200, examples=["Furniture"], description="Or a subcategory."
    )
    search: str = Field(default="", max_length=200, description="In code or name.")


class SelectionInput(Schema):
    """Products by their codes, or by a filter: one of the two."""

    codes: list[str] | None = Field(
        default=None, min_length=1, max_length=1000, examples=[["PROD-001"]]
    )
    filter: FilterInput | None = Field(default=None, description="Instead of codes.")
