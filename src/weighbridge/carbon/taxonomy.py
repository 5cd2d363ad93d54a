"""The categories that a product may be given, each subcategory with its UN CPC 2.1 code.

Read by the first step (as a closed list) and by the exporters (PACT asks for the code). The rows
come from `data/categories.csv` through `factor_sources/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from weighbridge.errors import CalculationError, FactorTableInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Subcategory:
    """One kind of product, with its place in the UN Central Product Classification 2.1."""

    name: str
    cpc_code: str  # 1 to 5 digits, as text: leading zeros count
    cpc_title: str


@dataclass(frozen=True, slots=True)
class Category:
    """A group of subcategories."""

    name: str
    subcategories: Mapping[str, Subcategory]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All categories, in the order of the file."""

    categories: Mapping[str, Category]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, Subcategory]]) -> Taxonomy:
        """Gather (category name, subcategory) rows; raises FactorTableInvalid when one comes
        twice.
        """
        gathered: dict[str, dict[str, Subcategory]] = {}
        for category, subcategory in rows:
            members = gathered.setdefault(category, {})
            if subcategory.name in members:
                raise FactorTableInvalid(
                    f"The subcategory {category!r} / {subcategory.name!r} is listed twice. Remove "
                    "one."
                )
            members[subcategory.name] = subcategory
        return cls(
            MappingProxyType(
                {name: Category(name, MappingProxyType(rows)) for name, rows in gathered.items()}
            )
        )

    def subcategory(self, category: str, subcategory: str) -> Subcategory:
        """The entry for a classification; raises CalculationError when there is none."""
        try:
            return self.categories[category].subcategories[subcategory]
        except KeyError:
            raise CalculationError(
                f"There is no subcategory {subcategory!r} in category {category!r}. "
                "The product was classified with another taxonomy. Ask about the product again (run with --redo)."
            ) from None
