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
    from collections.abc import Mapping

    from weighbridge.domain.products import FieldLimits, Product
    from weighbridge.service.opening import Database

__all__ = ["CORRECTABLE", "CORRECTED", "correct_facts"]

CORRECTABLE: Final = ("name", "description", "weight", "countryOfOrigin")
_ATTRIBUTE: Final = {
    "name": "name",
    "description": "description",
    "weight": "weight_kg",
    "countryOfOrigin": "country_of_origin",
}


async def correct_facts(
    database: Database, code: str, given: Mapping[str, str], limits: FieldLimits
) -> dict[str, list[Any]]:
    """Store the fields that differ from what is stored; returns [before, after] of each, by field.

    If any differs, the product is processed again. `given` has every field of CORRECTABLE.

    Raises:
        NotFound: there is no such product.
        InputError: names each field that cannot be used; nothing was changed.
    """
    new = _checked_product(code, given, limits)
    async with database.transaction() as connection:
        row = await products.find(connection, code)
        if row is None:
            raise NotFound(f"There is no product {code}.")
        changed = {
            name: [row[attribute], getattr(new, attribute)]
            for name, attribute in _ATTRIBUTE.items()
            if row[attribute] != getattr(new, attribute)
        }
        if changed:
            await products.correct(
                connection, code, new.name, new.description, new.weight_kg, new.country_of_origin
            )
            await queue_state.announce(connection)
    return changed


def _checked_product(code: str, given: Mapping[str, str], limits: FieldLimits) -> Product:
    """The product with these facts; raises InputError if a row with them would be rejected."""
    record = {"code": code, **{name: given[name] or None for name in CORRECTABLE}}
    for chunk in check_records([record], limits=limits):
        if chunk.rejected:
            raise InputError("; ".join(f"{row.field}: {row.reason}" for row in chunk.rejected))
        for product in chunk.iterate_products():
            return product
    raise InputError("Give the product a name and a description.")
