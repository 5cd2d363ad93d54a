"""What became of a file of the desk."""

from __future__ import annotations

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
