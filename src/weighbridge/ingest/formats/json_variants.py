"""Turns products with their variants inside, as in a shop's `products.json`, into one record for
each variant.

The form of https://shopify.dev/docs/api/admin-rest/latest/resources/product. The records get the
headers of the same shop's CSV export, so that `ingest/shops/` treats both alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.products import RejectedRow
from weighbridge.ingest.formats.json_records import ChunkEnd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from weighbridge.ingest.formats.json_records import Entry

_OF_PRODUCT: Final = {"handle": "Handle", "title": "Title", "body_html": "Body (HTML)"}
_OF_VARIANT: Final = {"sku": "Variant SKU", "grams": "Variant Grams", "price": "Variant Price"}
_OPTIONS: Final = 3


def one_for_each_variant(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, with a product that has variants replaced by a record for each of them.

    Each variant counts as a row; the records behind it are renumbered. An entry that cannot be read
    keeps its place in the file.
    """
    more = 0
    for entry in entries:
        if isinstance(entry, ChunkEnd | RejectedRow):
            yield entry
            continue
        row, value = entry
        records: list[object] = [*_variants(value)] or [value]
        for i, record in enumerate(records):
            yield row + more + i, record
        more += len(records) - 1


def _variants(value: object) -> Iterator[dict[str, object]]:
    """A record for each variant, with what its product says; none for any other kind of object."""
    if not isinstance(value, dict) or "title" not in value:
        return
    variants = value.get("variants")
    if not isinstance(variants, list) or not all(isinstance(one, dict) for one in variants):
        return
    if "handle" not in value and not all("sku" in one for one in variants):
        return
    options = _list_of_objects(value.get("options"))
    pictures = _list_of_objects(value.get("images"))
    for variant in variants:
        record: dict[str, object] = {name: value.get(key) for key, name in _OF_PRODUCT.items()}
        record["Handle"] = value.get("handle") or value.get("id")
        record |= {name: variant.get(key) for key, name in _OF_VARIANT.items()}
        if variant.get("grams") is None and variant.get("weight") is not None:
            record["Variant Grams"] = f"{variant['weight']} {variant.get('weight_unit') or 'g'}"
        for number in range(1, _OPTIONS + 1):
            named = options[number - 1].get("name") if number <= len(options) else None
            record[f"Option{number} Name"] = named
            record[f"Option{number} Value"] = variant.get(f"option{number}")
        record["Variant Image"] = _picture_of(variant, pictures)
        record["Image Src"] = [one.get("src") for one in pictures]
        yield record


def _picture_of(variant: Mapping[str, Any], pictures: list[dict[str, Any]]) -> object:
    """The address of a variant's own picture; None if it has none."""
    wanted = variant.get("image_id")
    own = (one.get("src") for one in pictures if wanted and one.get("id") == wanted)
    featured = variant.get("featured_image")
    return next(own, featured.get("src") if isinstance(featured, dict) else None)


def _list_of_objects(value: object) -> list[dict[str, Any]]:
    """The objects in a list; [] for anything that is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
