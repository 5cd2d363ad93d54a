"""Answers to uploads of own bills of materials and of own factors."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.api.schemas.corrections import CorrectedProduct


class ReviewDone(Schema):
    """The products whose figures were computed anew by a review workbook."""

    corrected: list[CorrectedProduct]
    left_out: list[str] = Field(
        description="A sentence for each edited cell that was ignored, because its column is read-only."
    )


class BillsDone(Schema):
    """What an upload of own bills of materials did."""

    corrected: list[CorrectedProduct] = Field(
        description="Products whose footprint was recomputed with the bill."
    )
    waiting: list[str] = Field(
        description="Codes of products not processed yet; their bill is used once they are processed."
    )
    unchanged: list[str] = Field(description="Codes of products that had this bill already.")
    notes: list[str] = Field(description="Which key each name in the file was read as.")


class FactorUploadView(Schema):
    """One upload of own factors."""

    number: int
    name: str
    taken_back: bool = Field(
        description="Whether this entry is the withdrawal of the file, not its upload."
    )
    made_by: str
    made_at: datetime


class FactorsView(Schema):
    """The factors that this server computes with."""

    name: str = Field(examples=["weighbridge-2026.11 + ours.csv"])
    version: str = Field(
        description="Version of the factors; it changes whenever one of their numbers does."
    )
    current: FactorUploadView | None = Field(
        description="The upload in use; null if none is in use."
    )
    replaced: list[str] = Field(
        description="Factors that the server would use without the upload and that it replaces, each as kind and key.",
        examples=[["material steel_bar"]],
    )
    added: list[str] = Field(description="Factors that the upload adds, each as kind and key.")
    uploads: list[FactorUploadView] = Field(description="The latest uploads, newest first.")
