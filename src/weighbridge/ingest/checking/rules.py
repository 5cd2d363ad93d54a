"""The rules by which the rows of a file are checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.domain.products import FieldLimits
from weighbridge.ingest.decisions import Decisions

if TYPE_CHECKING:
    from weighbridge.ingest.values.pictures import PictureFolder


@dataclass(frozen=True, slots=True)
class RowRules:
    """The rules by which rows are checked: limits of lengths, and how the columns are read.

    `folder` is where relative image paths lead; None if they are refused.
    """

    limits: FieldLimits = field(default_factory=FieldLimits)
    decisions: Decisions = field(default_factory=Decisions)
    folder: PictureFolder | None = None
