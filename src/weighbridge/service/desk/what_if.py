"""Computes what figures would be with another material, country or recycled share. Nothing is
stored, and no call is made.

Each product is computed twice from its corrected answers: as it is, and with the supposition. Both
times with the present method and factors, so that only the supposition makes a difference.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses, Subject
from weighbridge.domain.corrections import CORRECTED, NOT_APPLIED, Change, Correction
from weighbridge.domain.results import RouteName
from weighbridge.errors import InputError
from weighbridge.ingest.values.countries import read_country
from weighbridge.plain_text import counted, listed
from weighbridge.service.desk.correcting import refuse_unanswered
from weighbridge.service.desk.stored_products import StoredWeigher
from weighbridge.store import corrections
from weighbridge.weighing.correcting import corrected
from weighbridge.weighing.directions import FigureState, against_the_change
from weighbridge.weighing.near_matches import WHOLE_LIST, did_you_mean, find_key
from weighbridge.weighing.understanding import said_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asyncpg import Record

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.results import Footprint
    from weighbridge.steps import Steps
    from weighbridge.store.database import Database

_PORTION: Final = 500
_MOST_NOTES: Final = 5
_OF_BILLS: Final = (
    " `weighbridge explain CODE` shows the materials of a product's bill. To replace a whole family "
    "of materials, name one of these:"
)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Supposition:
    """What is supposed to be different.

    `materials` has the replacement of each material, or family of materials, in the bill;
    `recycled_share` is from 0 to 1. None: as it is.
    """

    materials: Mapping[str, str] = field(default_factory=dict)
    country: str | None = None
    recycled_share: float | None = None


@dataclass(frozen=True, slots=True)
class SupposedFigure:
    """The figure of one product as it is, and with the supposition; `notes` are new with it."""

    code: str
    before_kg_co2e: float
    after_kg_co2e: float
    quantity: float | None
    notes: tuple[str, ...]

    @property
    def difference_kg_co2e(self) -> float:
        """The figure with the supposition minus the present one; below 0: what would be saved."""
        return self.after_kg_co2e - self.before_kg_co2e

    @property
    def change(self) -> float:
        """The difference as a share of the present figure: 0.25 is a quarter more."""
        return self.difference_kg_co2e / (abs(self.before_kg_co2e) or 1.0)


@dataclass(frozen=True, slots=True)
class Supposed:
    """The figures of all products, with totals; `notes` are on the supposition itself."""

    products: tuple[SupposedFigure, ...]
    notes: tuple[str, ...] = ()

    @property
    def before_kg_co2e(self) -> float:
        """The present figures of one unit of each product, added up."""
        return math.fsum(one.before_kg_co2e for one in self.products)

    @property
    def after_kg_co2e(self) -> float:
        """The figures with the supposition of one unit of each product, added up."""
        return math.fsum(one.after_kg_co2e for one in self.products)

    @property
    def with_quantity(self) -> int:
        """How many of the products have a quantity: the pieces sold or bought in a year."""
        return sum(one.quantity is not None for one in self.products)

    @property
    def yearly_difference_kg_co2e(self) -> float | None:
        """The difference times the quantity, added up over products with one; None without any."""
        if not self.with_quantity:
            return None
        return math.fsum(one.difference_kg_co2e * (one.quantity or 0.0) for one in self.products)


async def what_if(
    database: Database,
    factors: FactorTable,
    steps: Steps,
    codes: Sequence[str],
    supposed: Supposition,
) -> Supposed:
    """The figures of these products as they are, and with the supposition.

    Raises:
        InputError: says what of the supposition cannot be, or that no product has the material.
        NotFound: there is no such product.
        Conflict: a product has no answers at present.
    """
    work = _Supposing(factors, steps, supposed)
    found: list[SupposedFigure] = []
    async with database.pool.acquire() as connection:
        for portion in _portions(codes):
            rows = await corrections.weighable(connection, portion)
            refuse_unanswered(rows, portion)
            active = await corrections.active(connection, [row["id"] for row in rows])
            found += await asyncio.to_thread(work.weigh_twice, rows, active)
    work.refuse_unused()
    return Supposed(tuple(found), work.notes)


def _portions(codes: Sequence[str]) -> Iterator[list[str]]:
    """The codes, each once, in lists of at most `_PORTION`."""
    waiting = iter(dict.fromkeys(codes))
    while portion := list(islice(waiting, _PORTION)):
        yield portion


class _Supposing:
    """Computes figures with a supposition; remembers which of its materials no product had."""

    def __init__(self, factors: FactorTable, steps: Steps, supposed: Supposition) -> None:
        """Check the supposition against the factors.

        Raises:
            InputError: it is empty, its material or country is unknown, or its share impossible.
        """
        self._work = StoredWeigher(factors, steps)
        self._steps = steps
        self._factors = factors
        self._country_code = None if supposed.country is None else _country_code(supposed.country)
        self._recycled_share = _valid_share(supposed.recycled_share)
        names = {key: factor.name for key, factor in factors.materials.items()}
        families = {factor.family: factor.family for factor in factors.materials.values()}
        self._materials: dict[str, str] = {}
        taken: dict[str, str] = {}
        for old, new in supposed.materials.items():
            before = _key_of(old, names | families, f"{_OF_BILLS} {listed(sorted(families), 60)}.")
            after = _key_of(new, names)
            self._materials[before] = after
            taken |= {text: key for text, key in ((old, before), (new, after)) if text != key}
        self.notes = said_of(taken)
        self._unused = set(self._materials)
        self._seen: dict[str, None] = {}
        if not (self._materials or self._country_code or self._recycled_share is not None):
            raise InputError(
                "No change is given. Name a material to replace, a country or a recycled share."
            )

    def weigh_twice(
        self, rows: Sequence[Record], active: Mapping[int, Sequence[Correction]]
    ) -> list[SupposedFigure]:
        return [self._figure(row, active.get(row["id"], ())) for row in rows]

    def refuse_unused(self) -> None:
        """Raises InputError if a material to replace was in no product's bill."""
        if self._unused:
            raise InputError(
                f"None of these products has {', '.join(sorted(self._unused))} in its bill of "
                f"materials. Their bills have: {listed(list(self._seen), 20)}."
            )

    def _figure(self, row: Record, active: Sequence[Correction]) -> SupposedFigure:
        """The figure of a product as it is and with the supposition, and the notes that are new."""
        answered = self._work.read(row)
        product = answered.stored.product
        before = self._work.weigh(answered, active).detail.footprint
        facts = product.facts
        if self._recycled_share is not None:
            facts = replace(facts, recycled_share=self._recycled_share)
        other = replace(
            product, facts=facts, country_of_origin=self._country_code or product.country_of_origin
        )
        subject = Subject(product, corrected(product, answered.given, active, self._steps).answers)
        exchanged = (*active, *self._exchanges(subject))
        supposed = answered._replace(stored=replace(answered.stored, product=other))
        after = self._work.weigh(supposed, exchanged).detail.footprint
        remark = against_the_change(FigureState.of(before), FigureState.of(after))
        notes = (
            *([remark] if remark else ()),
            *self._unmoved_by_country(subject, after),
            *self._as_supposed(_new_notes(before, after)),
        )
        return SupposedFigure(
            product.code,
            before.emissions_kg_co2e,
            after.emissions_kg_co2e,
            product.facts.quantity,
            notes,
        )

    def _unmoved_by_country(self, subject: Subject, after: Footprint) -> Iterator[str]:
        """Notes on what another country of origin does not change."""
        if self._country_code is None or after.supplier is not None:
            return
        published = next((r for r in after.routes if r.name is RouteName.CLASS), None)
        if published is not None and published.weight > 0:
            yield (
                f"unchanged: published figures of such products ({published.weight:.0%} of "
                "the figure) are the same wherever the product is made; the country changes only the "
                "figure by the bill of materials"
            )
        made = subject.answer(ManufacturingProcesses)
        known = [use for use in made.uses if use.known.country] if made else []
        if known:
            where = sorted({use.known.country or "" for use in known})
            yield (
                f"unchanged: {counted(len(known), 'process', 'processes')} with a country of its "
                f"own ({', '.join(where)})"
            )
        elif made and not made.uses:
            yield (
                "unchanged: no manufacturing processes are listed; the country changes only their "
                "energy"
            )

    def _as_supposed(self, notes: Sequence[str]) -> list[str]:
        """The notes with the supposed recycled share no longer called one of the catalogue."""
        if self._recycled_share is None:
            return list(notes)
        return [
            note.replace(" in the catalogue: ", " supposed: ")
            if note.startswith("recycled share")
            else note
            for note in notes
        ]

    def _exchanges(self, subject: Subject) -> Iterator[Correction]:
        """A correction for each line of the bill whose material is to be replaced."""
        bill = subject.answer(BillOfMaterials)
        for number, line in enumerate(bill.lines if bill else (), start=1):
            self._seen[line.material] = None
            for old, new in self._materials.items():
                if old in (line.material, self._factors.material(line.material).family):
                    self._unused.discard(old)
                    yield _exchange(number, line.material, new)
                    break


def _exchange(number: int, old: str, new: str) -> Correction:
    """A correction that replaces the material of a line; it is never stored."""
    change = Change(BillOfMaterials.step, ("lines", str(number), "material"), new)
    return Correction(0, change, None, old, new, "", "", _NEVER)


def _new_notes(before: Footprint, after: Footprint) -> tuple[str, ...]:
    """The notes that only the figure with the supposition has, most important first; at most 5."""
    notes = [n for n in after.notes if n not in before.notes and not n.startswith(CORRECTED)]
    if after.supplier is not None:
        notes.insert(0, "unchanged: the supplier's own figure is used, not the bill of materials")
    refused = [note for note in notes if note.startswith(NOT_APPLIED)]
    return tuple([*refused, *(note for note in notes if note not in refused)][:_MOST_NOTES])


def _key_of(text: str, names: Mapping[str, str], more: str = "") -> str:
    """The key of a material or family by key or name; raises InputError if it is not known.

    `more` is what the message says besides the likeliest keys.
    """
    found = find_key(text, names)
    if found is None:
        meant = did_you_mean([text], names) or WHOLE_LIST
        raise InputError(f"There is no material {text!r}.{meant}{more}")
    return found


def _country_code(text: str) -> str:
    """The code of a country; raises InputError if it is not known."""
    read = read_country(text)
    if read.code is None:
        raise InputError(
            f"{text!r} is not a known country; use its two-letter code, such as DE or CN."
        )
    return read.code


def _valid_share(value: float | None) -> float | None:
    """The share as it is; raises InputError unless it is from 0 to 1 or None."""
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"The recycled share is {value:g}; it must be from 0 to 1.")
    return value


def as_document(found: Supposed) -> dict[str, Any]:
    """The figures as JSON for the API and `--json`."""
    return {
        "products": [
            {
                "code": one.code,
                "beforeKgCo2e": one.before_kg_co2e,
                "afterKgCo2e": one.after_kg_co2e,
                "differenceKgCo2e": one.difference_kg_co2e,
                "change": one.change,
                "notes": list(one.notes),
            }
            for one in found.products
        ],
        "beforeKgCo2e": found.before_kg_co2e,
        "afterKgCo2e": found.after_kg_co2e,
        "differenceKgCo2e": found.after_kg_co2e - found.before_kg_co2e,
        "productsWithQuantity": found.with_quantity,
        "yearlyDifferenceKgCo2e": found.yearly_difference_kg_co2e,
        "notes": list(found.notes),
    }
