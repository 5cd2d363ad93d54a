"""What a catalogue tells of a product besides its description: facts that make a better footprint.

All are optional. `ingest/` recognises and checks them, `store/` keeps them in one jsonb column
(`products.facts`, the names below, absent where unknown), `steps/` shows the model those that
describe the product, and exports carry all. Units are fixed here: whatever the file wrote has been
converted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final


class FootprintBoundary(StrEnum):
    """Which part of the life cycle a supplier's figure covers."""

    CRADLE_TO_GATE = "cradle-to-gate"
    CRADLE_TO_GRAVE = "cradle-to-grave"
    GATE_TO_GATE = "gate-to-gate"


class FootprintUnit(StrEnum):
    """What a supplier's figure is for."""

    PIECE = "piece"
    KG = "kg"


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """The facts of one product. None means that the catalogue does not say."""

    materials: str | None = None
    """Composition as its owner writes it: "80 % cotton, 20 % polyester"."""
    recycled_share: float | None = None
    """Part of the mass that is recycled material, 0 to 1."""
    pieces_per_pack: float | None = None
    """How many pieces one product code holds."""
    gross_weight_kg: float | None = None
    """With packaging."""
    weight_is_gross: bool | None = None
    """True: the catalogue has no net weight, and `Product.weight_kg` includes the packaging."""
    process_hints: str | None = None
    """How it is made, in its owner's words: "injection moulded, powder coated"."""
    variant: str | None = None
    """What sets it apart from its siblings: "Size: 50 cm, Colour: red"."""
    parent_code: str | None = None
    """The product that it is a variant of, as the catalogue names it."""
    quantity: float | None = None
    """How many are sold or bought in a year, in pieces."""
    price: float | None = None
    """Of one product, in `currency`."""
    currency: str | None = None
    """ISO 4217."""
    supplier: str | None = None
    """Who sells it to the catalogue's owner, or makes it."""
    supplier_footprint_kg_co2e: float | None = None
    """The supplier's own figure, per `supplier_footprint_per`."""
    supplier_footprint_per: FootprintUnit | None = None
    supplier_footprint_boundary: FootprintBoundary | None = None

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> ProductFacts:
        """Reads what `as_stored` wrote. Names that a newer program added are passed over."""
        if not stored:
            return NO_FACTS
        values = {name: value for name, value in stored.items() if name in _NAMES}
        for name, kind in _ENUMS.items():
            if values.get(name) is not None:
                values[name] = kind(values[name])
        return cls(**values)

    def as_stored(self) -> dict[str, Any]:
        """The facts that are known, by name, as JSON values."""
        return self._known(_NAMES)

    def shown(self) -> dict[str, Any]:
        """The facts that tell what the product is made of and how: these go to the model."""
        return self._known(SHOWN_FACTS)

    def _known(self, names: Iterable[str]) -> dict[str, Any]:
        known = ((name, getattr(self, name)) for name in names)
        return {name: value for name, value in known if value is not None}


_NAMES: Final = tuple(one.name for one in fields(ProductFacts))

_ENUMS: Final[Mapping[str, type[StrEnum]]] = {
    "supplier_footprint_per": FootprintUnit,
    "supplier_footprint_boundary": FootprintBoundary,
}

SHOWN_FACTS: Final = (
    "materials",
    "recycled_share",
    "pieces_per_pack",
    "gross_weight_kg",
    "weight_is_gross",
    "process_hints",
    "variant",
)
"""What the model is shown.

A change of one of these asks again; a change of the others only recounts.
"""

NO_FACTS: Final = ProductFacts()
