"""What became of a file of the desk."""

from __future__ import annotations

from pydantic import Field

from weighbridge.api.schemas.base import Schema
from weighbridge.api.schemas.corrections import CorrectedProduct


class BillsDone(Schema):
    """Own bills of materials that were given to products."""

    corrected: list[CorrectedProduct] = Field(description="Computed anew.")
    waiting: list[str] = Field(description="Codes whose bill counts once they are processed.")
    unchanged: list[str] = Field(description="Codes that had this bill already.")
