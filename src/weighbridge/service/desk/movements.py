"""How figures differ between two states of a catalogue: by product, in total, and by cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

LARGEST: Final = 20
"""How many of the largest changes are listed."""
_LEAST_CHANGE: Final = 1e-9
"""A change of a product's figure by no more than this share counts as rounding."""


@dataclass(frozen=True, slots=True)
class Movement:
    """The figure of one product in both states (None: it had no figure), and the causes of the
    difference.
    """

    code: str
    before_kg_co2e: float | None
    after_kg_co2e: float | None
    causes: tuple[str, ...] = ()
    quantity: float | None = None  # pieces a year, as they are known now; None: counted as one
    remark: str = ""
    """Why the figure moved the other way than what was changed; "" where it did not, or where
    nobody can tell.
    """

    @property
    def moved_kg_co2e(self) -> float:
        """The difference between the two figures; 0 if one of them is missing."""
        if self.before_kg_co2e is None or self.after_kg_co2e is None:
            return 0.0
        return self.after_kg_co2e - self.before_kg_co2e

    @property
    def pieces(self) -> float:
        """By how many pieces the product counts in totals."""
        return 1.0 if self.quantity is None else self.quantity

    @property
    def change(self) -> float:
        """The difference as a share of the figure before: 0.25 is a quarter more."""
        return self.moved_kg_co2e / (abs(self.before_kg_co2e or 0.0) or 1.0)

    def as_document(self) -> dict[str, Any]:
        """The movement as JSON for `--json` and the API."""
        return {
            "code": self.code,
            "beforeKgCo2e": self.before_kg_co2e,
            "afterKgCo2e": self.after_kg_co2e,
            "change": self.change,
            "causes": list(self.causes),
            "quantity": self.quantity,
            "remark": self.remark,
        }


@dataclass(slots=True)
class CauseTotal:
    """How many products' figures changed by the same causes, and by how much in total."""

    products: int = 0
    moved_kg_co2e: float = 0.0


@dataclass(slots=True)
class Movements:
    """All products together. Totals are of those that have a figure in both states: the figure of
    one unit times the same quantity before and after, or times one where none is known.

    `added` and `gone` are codes of products with a figure only after or only before. Changes by a
    share of the figure up to `tolerance` do not count as moved.
    """

    tolerance: float = _LEAST_CHANGE
    products: int = 0
    without_quantity: int = 0
    added: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Codes of products whose figure in the earlier state is no longer stored."""
    before_kg_co2e: float = 0.0
    after_kg_co2e: float = 0.0
    moved: list[Movement] = field(default_factory=list)
    causes: dict[tuple[str, ...], CauseTotal] = field(default_factory=dict)

    def add(self, one: Movement) -> None:
        """Add one product."""
        if one.before_kg_co2e is None or one.after_kg_co2e is None:
            if one.after_kg_co2e is not None:
                self.added.append(one.code)
            elif one.before_kg_co2e is not None:
                self.gone.append(one.code)
            return
        self.products += 1
        self.without_quantity += one.quantity is None
        self.before_kg_co2e += one.before_kg_co2e * one.pieces
        self.after_kg_co2e += one.after_kg_co2e * one.pieces
        if abs(one.change) > self.tolerance:
            self.moved.append(one)
            total = self.causes.setdefault(one.causes, CauseTotal())
            total.products += 1
            total.moved_kg_co2e += one.moved_kg_co2e * one.pieces

    @property
    def largest(self) -> list[Movement]:
        """The products whose figures changed most, as a share of the figure before."""
        return sorted(self.moved, key=lambda one: -abs(one.change))[:LARGEST]

    def as_document(self) -> dict[str, Any]:
        """All movements as JSON for `--json`."""
        totals = sorted(self.causes.items(), key=lambda item: -abs(item[1].moved_kg_co2e))
        return {
            "products": self.products,
            "moved": len(self.moved),
            "withoutQuantity": self.without_quantity,
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
