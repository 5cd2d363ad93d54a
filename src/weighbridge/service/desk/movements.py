"""What moved between two states of a catalogue: by product, in total, and by cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

LARGEST: Final = 20
_LEAST_CHANGE: Final = 1e-9
"""Share of a figure below which a change is rounding."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One product before and after. None: there was no figure then."""

    code: str
    before_kg_co2e: float | None
    after_kg_co2e: float | None
    causes: tuple[str, ...] = ()

    @property
    def moved_kg_co2e(self) -> float:
        """By how much the figure moved; 0 where one of the two is missing."""
        if self.before_kg_co2e is None or self.after_kg_co2e is None:
            return 0.0
        return self.after_kg_co2e - self.before_kg_co2e

    @property
    def change(self) -> float:
        """The same as a part of the figure before: 0.25 is a quarter more."""
        return self.moved_kg_co2e / (abs(self.before_kg_co2e or 0.0) or 1.0)

    def as_document(self) -> dict[str, Any]:
        """As `--json` and the API give it."""
        return {
            "code": self.code,
            "beforeKgCo2e": self.before_kg_co2e,
            "afterKgCo2e": self.after_kg_co2e,
            "change": self.change,
            "causes": list(self.causes),
        }


@dataclass(slots=True)
class CauseTotal:
    """How many products moved by the same causes, and by how much in total."""

    products: int = 0
    moved_kg_co2e: float = 0.0


@dataclass(slots=True)
class Movements:
    """All products together. Totals are for one unit of each that has a figure in both states."""

    tolerance: float = _LEAST_CHANGE
    products: int = 0
    added: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Products whose figure at the first moment is no longer stored."""
    before_kg_co2e: float = 0.0
    after_kg_co2e: float = 0.0
    moved: list[Movement] = field(default_factory=list)
    causes: dict[tuple[str, ...], CauseTotal] = field(default_factory=dict)

    def add(self, one: Movement) -> None:
        """Count a product."""
        if one.before_kg_co2e is None or one.after_kg_co2e is None:
            if one.after_kg_co2e is not None:
                self.added.append(one.code)
            elif one.before_kg_co2e is not None:
                self.gone.append(one.code)
            return
        self.products += 1
        self.before_kg_co2e += one.before_kg_co2e
        self.after_kg_co2e += one.after_kg_co2e
        if abs(one.change) > self.tolerance:
            self.moved.append(one)
            total = self.causes.setdefault(one.causes, CauseTotal())
            total.products += 1
            total.moved_kg_co2e += one.moved_kg_co2e

    @property
    def largest(self) -> list[Movement]:
        """Those that moved most, as a part of themselves."""
        return sorted(self.moved, key=lambda one: -abs(one.change))[:LARGEST]

    def as_document(self) -> dict[str, Any]:
        """As `--json` gives it."""
        totals = sorted(self.causes.items(), key=lambda item: -abs(item[1].moved_kg_co2e))
        return {
            "products": self.products,
            "moved": len(self.moved),
            "added": self.added,
            "gone": self.gone,
            "unknown": self.unknown,
            "beforeKgCo2e": self.before_kg_co2e,
            "afterKgCo2e": self.after_kg_co2e,
            "causes": [
                {
                    "causes": list(causes),
                    "products": total.products,
                    "movedKgCo2e": total.moved_kg_co2e,
                }
                for causes, total in totals
            ],
            "largest": [one.as_document() for one in self.largest],
        }
