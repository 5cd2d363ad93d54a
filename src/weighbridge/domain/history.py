"""The earlier footprints of a product, and why each was replaced."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.corrections import target_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class CauseKind(StrEnum):
    """Who or what computed a footprint anew."""

    PROCESSED = "processed"  # by the queue, from new answers or a changed catalogue
    CORRECTED = "corrected"
    TAKEN_BACK = "correction taken back"
    RECOMPUTED = "recomputed"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a version of a footprint was computed; stored with the version.

    `targets` are the values that were corrected, as `Change.target` writes them.
    """

    kind: CauseKind
    by: str = ""
    reason: str = ""
    targets: tuple[str, ...] = ()
    is_alone: bool = False
    """True: the method or the factors had changed too since the version before, but did not change
    the figure. False: they had not, or they did change it, or that is not known.
    """
    remark: str = ""
    """Why the figure moved the other way than what was changed; "" where it did not."""

    def as_stored(self) -> dict[str, Any]:
        """The cause as a JSON object."""
        return {
            "kind": self.kind.value,
            "by": self.by,
            "reason": self.reason,
            "targets": list(self.targets),
            **({"is_alone": True} if self.is_alone else {}),
            **({"remark": self.remark} if self.remark else {}),
        }

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any] | None) -> Cause:
        """Reads what `as_stored` wrote. None is stored where the queue computed the footprint."""
        if stored is None:
            return PROCESSED
        return cls(
            CauseKind(stored["kind"]),
            stored["by"],
            stored["reason"],
            tuple(stored["targets"]),
            bool(stored.get("is_alone")),
            stored.get("remark", ""),
        )


PROCESSED = Cause(CauseKind.PROCESSED)
"""The cause of every footprint that the queue computed."""
WITH_OWN_FACTORS: Final = " with factors of this product"
"""Last words of a factor table's name after a correction has changed its factors for one product.
"""
_LEAST_CHANGE: Final = 1e-9
"""A change by no more than this share of the figure is rounding."""


@dataclass(frozen=True, slots=True)
class Version:
    """A footprint as it was from one moment until another. `replaced_at` None: it is the present
    one.
    """

    calculated_at: datetime
    replaced_at: datetime | None
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    mass_kg: float
    subcategory: str | None
    model: str
    simulated: bool
    method: str
    factors: str
    answered_at: str  # ISO 8601, of its latest answer; "" where that is not known
    primary_data: bool
    cause: Cause


def has_moved(before: Version, after: Version) -> bool:
    """Whether the figure is another one."""
    moved = abs(after.emissions_kg_co2e - before.emissions_kg_co2e)
    return moved > _LEAST_CHANGE * (abs(before.emissions_kg_co2e) or 1.0)


def computed_otherwise(before: Version, after: Version) -> list[str]:
    """The changes of method and of factors between two versions, such as "method 8 → 9"."""
    found = []
    if before.method != after.method:
        found.append(f"method {before.method} → {after.method}")
    tables = [version.factors.removesuffix(WITH_OWN_FACTORS) for version in (before, after)]
    if tables[0] != tables[1]:
        found.append(f"factors {tables[0]} → {tables[1]}")
    return found


def causes_between(before: Version | None, after: Version) -> tuple[str, ...]:
    """Why `after` may have another figure than the version before it, in words, one string a
    reason.
    """
    if before is None:
        return (f"first computed, answers by {after.model}",)
    found = []
    cause = after.cause
    if cause.kind in (CauseKind.CORRECTED, CauseKind.TAKEN_BACK):
        named = f": {', '.join(map(target_in_words, cause.targets))}" if cause.targets else ""
        found.append(f"{cause.kind.value} by {cause.by}{named}")
    if not cause.is_alone:
        unmoved = "" if has_moved(before, after) else " (the figure did not move)"
        found += [f"{one}{unmoved}" for one in computed_otherwise(before, after)]
    if before.model != after.model:
        found.append(f"model {before.model} → {after.model}")
    elif before.answered_at != after.answered_at:
        found.append(f"processed again with {after.model}")
    if before.primary_data != after.primary_data:
        found.append(
            "a supplier's figure" if after.primary_data else "the supplier's figure is gone"
        )
    if found:
        return tuple(found)
    if cause.kind is CauseKind.RECOMPUTED:
        return ("recomputed",)
    return ("a change in the catalogue",)
