"""Corrects a product's name, description, weight or country: checked like a row of a catalogue; the
product is then processed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.errors import InputError, NotFound
from weighbridge.ingest.catalogue import check_records
from weighbridge.store import products, queue_state
from weighbridge.store.listing import CORRECTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.products import FieldLimits, Product
    from weighbridge.service.opening import Database

__all__ = ["CORRECTABLE", "CORRECTED", "correct_facts", "facts_as_text"]

CORRECTABLE: Final = ("name", "description", "weight", "countryOfOrigin")
_ATTRIBUTE: Final = {
    "name": "name",
    "description": "description",
    "weight": "weight_kg",
    "countryOfOrigin": "country_of_origin",
}


def facts_as_text(product: Mapping[str, Any]) -> dict[str, str]:
    """The facts of a product (its row) as a form shows them, by the names in `CORRECTABLE`."""
    weight_kg = product["weight_kg"]
    return {
        "name": product["name"],
        "description": product["description"],
        "weight": "" if weight_kg is None else f"{weight_kg:.12g}",
        "countryOfOrigin": product["country_of_origin"] or "",
    }


async def correct_facts(
    database: Database,
    code: str,
    given: Mapping[str, str],
    shown: Mapping[str, str],
    limits: FieldLimits,
) -> dict[str, list[Any]]:
    """Store the fields that were edited in a form; returns [before, after] of each that changed.

    If any changed, the product is processed again. `given` has every field of `CORRECTABLE`, and
    `shown` what they contained when the form was drawn: fields with the same text stay as they are
    stored by now.

    Raises:
        NotFound: there is no such product.
        InputError: names each field that cannot be used, or that has changed since the form was
            drawn; nothing was changed.
    """
    async with database.transaction() as connection:
        row = await products.find(connection, code)
        if row is None:
            raise NotFound(f"There is no product {code}.")
        now = facts_as_text(dict(row))
        edited = [
            name for name in CORRECTABLE if not _same(given[name], shown.get(name, now[name]))
        ]
        _refuse_outdated(edited, shown, now)
        new = _checked_product(code, {**now, **{name: given[name] for name in edited}}, limits)
        facts = {attribute: row[attribute] for attribute in _ATTRIBUTE.values()}
        facts |= {_ATTRIBUTE[name]: getattr(new, _ATTRIBUTE[name]) for name in edited}
        changed = {
            name: [row[attribute], facts[attribute]]
            for name, attribute in _ATTRIBUTE.items()
            if row[attribute] != facts[attribute]
        }
        if changed:
            await products.correct(connection, code, *facts.values())
            await queue_state.announce(connection)
    return changed


def _same(one: str, other: str) -> bool:
    """Whether two texts are equal but for white space: browsers write line ends anew."""
    return one.split() == other.split()


def _refuse_outdated(
    edited: Sequence[str], shown: Mapping[str, str], now: Mapping[str, str]
) -> None:
    """Raises InputError for edited fields that somebody has changed since the form was drawn."""
    outdated = [name for name in edited if not _same(shown.get(name, now[name]), now[name])]
    if outdated:
        raise InputError(
            "; ".join(
                f"{name}: it was {shown[name] or 'empty'} when the page was opened, and is "
                f"{now[name] or 'empty'} now. Save again to put your value in its place"
                for name in outdated
            )
            + "."
        )


def _checked_product(code: str, given: Mapping[str, str], limits: FieldLimits) -> Product:
    """The product with these facts.

    Raises InputError if a row with them would be rejected, or imported without one of them.
    """
    record = {"code": code, **{name: given[name] or None for name in CORRECTABLE}}
    for chunk in check_records([record], limits=limits):
        if chunk.rejected:
            raise InputError("; ".join(f"{row.field}: {row.reason}" for row in chunk.rejected))
        reasons = {note.field: note.reason for note in chunk.iterate_notes()}
        for product in chunk.iterate_products():
            left_out = [
                f"{name}: {reasons.get(name, 'it cannot be used')}"
                for name, attribute in _ATTRIBUTE.items()
                if given[name] and getattr(product, attribute) is None
            ]
            if left_out:
                raise InputError("; ".join(left_out))
            return product
    raise InputError("Give the product a name and a description.")
