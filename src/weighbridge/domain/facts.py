"""What a catalogue tells of a product besides its description: facts that make a better footprint;
and what somebody knows of a process that is done to one of its materials.

All are optional. Those of a product: `ingest/` recognises and checks them, `store/` keeps them in
one jsonb column (`products.facts`, the names below, absent where unknown), `steps/` shows the model
those that describe the product, and exports carry all. Units are fixed here: whatever the file
wrote has been converted.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, NamedTuple

from weighbridge.errors import AnswerMalformed, ImplausibleAnswer


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
    """How many pieces are sold under one product code."""
    gross_weight_kg: float | None = None
    """Weight with packaging."""
    weight_is_gross: bool | None = None
    """True: the catalogue has no net weight, and `Product.weight_kg` includes the packaging."""
    process_hints: str | None = None
    """How it is made, in its owner's words: "injection moulded, powder coated"."""
    variant: str | None = None
    """How it differs from the other variants of its product: "Size: 50 cm, Colour: red"."""
    parent_code: str | None = None
    """The product that it is a variant of, as the catalogue names it."""
    quantity: float | None = None
    """How many are sold or bought in a year, in pieces."""
    price: float | None = None
    """Price of one product, in `currency`."""
    currency: str | None = None
    """Currency of `price`, as an ISO 4217 code."""
    supplier: str | None = None
    """Who sells it to the catalogue's owner, or makes it."""
    supplier_footprint_kg_co2e: float | None = None
    """The footprint that the supplier itself states, per `supplier_footprint_per`."""
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
        return self._known_among(_NAMES)

    def shown(self) -> dict[str, Any]:
        """The known facts that tell what the product is made of and how, by name: these go to the
        model.
        """
        return self._known_among(SHOWN_FACTS)

    def _known_among(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of the named facts that are known, by name."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


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
"""The facts that the model is shown: when one of these changes, it is asked again."""

WEIGHED_FACTS: Final = (
    *SHOWN_FACTS,
    "supplier_footprint_kg_co2e",
    "supplier_footprint_per",
    "supplier_footprint_boundary",
)
"""The facts that a footprint depends on: when one of these changes, the footprint is computed
again, without a call where the question is the same. A change of any other fact changes the totals
at most.
"""

NO_FACTS: Final = ProductFacts()


class ProcessFacts(NamedTuple):
    """Where a process is done to a material, and with how much energy of which kind.

    None: not known. The factor table then says how much, and the product's country of origin which
    grid.
    """

    country: str | None = None
    """Where the process is done, as an ISO 3166 alpha-2 code; that country's grid supplies the
    electricity.
    """
    electricity_kwh_per_kg: float | None = None
    """Electricity per kg of what the process puts out; for machining, per kg of what it takes away.
    """
    heat_kwh_per_kg: float | None = None
    """Heat per kg of the same mass as `electricity_kwh_per_kg`."""
    electricity_kg_co2e_per_kwh: float | None = None
    """Emissions of the electricity that the process uses; replaces the factor of the grid."""
    heat_kg_co2e_per_kwh: float | None = None
    """Emissions of the heat that the process uses; replaces the heat factor of the table."""
    energy_source: str | None = None
    """Where the four figures of energy and emissions come from: "meter readings 2025"."""

    def known(self) -> dict[str, Any]:
        """The facts that are known, by name, as JSON values."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> ProcessFacts:
        """The facts in a record that may have other names beside them."""
        found = {name: stored[name] for name in cls._fields if stored.get(name) is not None}
        return cls(**found) if found else NOTHING_KNOWN


NOTHING_KNOWN: Final = ProcessFacts()

ENERGY_FIGURES: Final[Mapping[str, float]] = {
    "electricity_kwh_per_kg": 10_000.0,
    "heat_kwh_per_kg": 10_000.0,
    "electricity_kg_co2e_per_kwh": 3.0,
    "heat_kg_co2e_per_kwh": 3.0,
}
"""The facts of a process that are numbers, each with the highest value that is accepted. No grid
and no fuel comes to 3 kg CO2e per kWh.
"""
ENERGY_USED: Final = ("electricity_kwh_per_kg", "heat_kwh_per_kg")
"""Facts that cannot be given as one value for several processes: it would not say whether each of
them uses that much, or all together.
"""
_UNITS: Final = {"kwh_per_kg": "kWh per kg", "kg_co2e_per_kwh": "kg CO2e per kWh"}
"""How the name of a fact ends → its unit as messages write it."""
_LONGEST_SOURCE: Final = 200
"""How many characters of `energy_source` are kept, at most."""


def process_fact(name: str, value: Any, countries: Container[str]) -> Any:
    """What to store as the fact `name` of `ProcessFacts`; `countries` are those with an electricity
    factor.

    Raises:
        AnswerMalformed: the value is not of the right kind, or there is no such fact.
        ImplausibleAnswer: no process has that.
    """
    if name not in ProcessFacts._fields:
        raise AnswerMalformed(
            f"there is no such value. Choose one of: {', '.join(ProcessFacts._fields)}."
        )
    if value is None:
        return None
    if name in ENERGY_FIGURES:
        return _checked_energy_figure(name, value)
    if not isinstance(value, str):
        raise AnswerMalformed(f"{name} must be text.")
    if name == "country":
        if value not in countries:
            raise ImplausibleAnswer(
                f"there is no electricity factor for {value[:40]!r}; give a two-letter country code, such as DE."
            )
        return value
    return " ".join(value.split())[:_LONGEST_SOURCE] or None


def _checked_energy_figure(name: str, value: Any) -> float:
    """The number as a float.

    Raises:
        AnswerMalformed: it is no number.
        ImplausibleAnswer: it is below 0 or above what `ENERGY_FIGURES` accepts.
    """
    unit = next(words for end, words in _UNITS.items() if name.endswith(end))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AnswerMalformed(f"{name} must be a number, in {unit}.")
    highest = ENERGY_FIGURES[name]
    if not 0 <= value <= highest:  # compared as it is: a whole number may be too long for a float
        raise ImplausibleAnswer(
            f"{str(value)[:20].removesuffix('.0')} {unit} is not possible; give a number from 0 to {highest:,.0f}."
        )
    return float(value)
