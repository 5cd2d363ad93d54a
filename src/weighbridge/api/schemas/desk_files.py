"""What became of a file of the desk."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.api.schemas.corrections import CorrectedProduct


class BillsDone(Schema):
    """Own bills of materials that were given to products."""

    corrected: list[CorrectedProduct] = Field(
        description="Products whose footprint was recomputed with the bill."
    )
    waiting: list[str] = Field(
        description="Codes of products not processed yet; their bill is used once they are."
    )
    unchanged: list[str] = Field(description="Codes of products that had this bill already.")
    notes: list[str] = Field(description="Which names of the file were taken for which keys.")


class FactorUploadView(Schema):
    """One upload of own factors."""

    number: int
    name: str
    taken_back: bool = Field(description="Whether it took the file of this name back.")
    made_by: str
    made_at: datetime


class FactorsView(Schema):
    """The factors that this server computes with."""

    name: str = Field(examples=["weighbridge-2026.11 + ours.csv"])
    version: str = Field(description="Changes with every number in any of them.")
    current: FactorUploadView | None = Field(description="The upload that counts.")
    replaced: list[str] = Field(
        description="Factors of the server's settings that the upload replaces: kind and key.",
        examples=[["material steel_bar"]],
    )
    added: list[str] = Field(description="Factors that it adds: kind and key.")
    uploads: list[FactorUploadView] = Field(description="The latest, newest first.")
