"""What the rows of a file are judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.domain.products import FieldLimits
from weighbridge.ingest.decisions import Decisions

if TYPE_CHECKING:
    from weighbridge.ingest.values.pictures import PictureFolder


@dataclass(frozen=True, slots=True)
class RowRules:
    """What rows are judged by.

    `folder` is where relative image paths lead; None where there is none.
    """

    limits: FieldLimits = field(default_factory=FieldLimits)
    decisions: Decisions = field(default_factory=Decisions)
    folder: PictureFolder | None = None
