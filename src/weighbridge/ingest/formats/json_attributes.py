"""Flattens products whose attributes stand in lists by language and channel, as in Akeneo's API.

The form of https://api.akeneo.com/concepts/products.html#focus-on-the-product-values. The records
get the headers of the same program's CSV export (`name-en_US-ecommerce`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from weighbridge.domain.products import RejectedRow
from weighbridge.ingest.formats.json_records import ChunkEnd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from weighbridge.ingest.formats.json_records import Entry


def without_scopes(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, with each product's attributes as keys of its own; others stay as they are."""
    for entry in entries:
        if isinstance(entry, ChunkEnd | RejectedRow):
            yield entry
            continue
        row, record = entry
        yield row, flatten(record) if isinstance(record, dict) else record


def flatten(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The product with its attributes as keys of its own; any other record as it is."""
    attributes = record.get("values")
    if not isinstance(attributes, dict) or not all(map(_are_values, attributes.values())):
        return record
    flat = {key: value for key, value in record.items() if key != "values"}
    for attribute, values in attributes.items():
        for value in values:
            parts = (attribute, value.get("locale"), value.get("scope"))
            flat.setdefault("-".join(str(part) for part in parts if part), value["data"])
    return flat


def _are_values(values: object) -> TypeGuard[list[Mapping[str, object]]]:
    """Whether this is a list of objects that each have the key "data"."""
    return isinstance(values, list) and all(
        isinstance(value, dict) and "data" in value for value in values
    )
