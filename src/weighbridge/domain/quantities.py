"""A physical value that remembers where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """How a value came to be known."""

    GIVEN = "given"  # by the owner of the product
    INFERRED = "inferred"  # by the model
    DEFAULT = "default"  # by us, for want of better
    CORRECTED = "corrected"  # by a person; found when it is shown, never stored with a footprint


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit, its origin and, where known, a 95 % range in the same unit."""

    value: float
    unit: str
    origin: Origin
    low: float | None = None
    high: float | None = None
    source: str | None = None
