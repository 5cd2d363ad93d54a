"""Checked rows on their way to the store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.domain.facts import ProductFacts
from weighbridge.domain.products import Product, RejectedRow, RowNote, picture_from_stored
from weighbridge.ingest.base import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weighbridge.ingest.values.pictures import PictureFile

PRODUCT_SCHEMA: Final = pl.Schema(
    {
        ROW: pl.Int64(),
        "code": pl.String(),
        "name": pl.String(),
        "description": pl.String(),
        "weight_kg": pl.Float64(),
        "image_url": pl.String(),
        "picture_sha256": pl.String(),
        "more_pictures": pl.String(),  # JSON, a list of `picture_as_stored`; null: none
        "country_of_origin": pl.String(),
        "facts": pl.String(),  # JSON, as `ProductFacts.as_stored`; null: none
        "notes": pl.String(),  # JSON, a list of `RowNote.as_stored`; null: none
    }
)
NOTE_SCHEMA: Final = pl.Schema(
    {
        ROW: pl.Int64(),
        "field": pl.String(),
        "reason": pl.String(),
        "code": pl.String(),
        "sheet": pl.String(),
        "column_name": pl.String(),
        "found": pl.String(),
    }
)
"""The columns of notes, in the order of RowNote's fields."""


@dataclass(frozen=True, slots=True)
class CheckedChunk:
    """Rows that can become products, and those that cannot.

    `products` has the columns of PRODUCT_SCHEMA, `notes` those of NOTE_SCHEMA in file order.
    `given` names the optional product columns and facts that the file has columns for: an import
    leaves the stored values of all others as they are. `pictures` are the files that
    `picture_sha256` and `more_pictures` name, each once per chunk. `passed_over` counts the rows
    that hold no product and are not faulty, by their kind.
    """

    products: pl.DataFrame
    rejected: tuple[RejectedRow, ...] = ()
    given: frozenset[str] = frozenset()
    pictures: tuple[PictureFile, ...] = ()
    notes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NOTE_SCHEMA))
    passed_over: Mapping[str, int] = field(default_factory=dict)

    def iterate_products(self) -> Iterator[Product]:
        """The products as records, for estimates and tests; imports use the columns themselves."""
        pictures = {file.picture.sha256: file.picture for file in self.pictures}
        for (
            _,
            code,
            name,
            description,
            weight_kg,
            url,
            sha256,
            more,
            country,
            facts,
            _,
        ) in self.products.iter_rows():
            picture = pictures[sha256] if sha256 else None
            told = ProductFacts.from_stored(json.loads(facts)) if facts else ProductFacts()
            further = tuple(picture_from_stored(one) for one in json.loads(more or "[]"))
            yield Product(code, name, description, weight_kg, url, picture, country, told, further)

    def pieces(self, size_bytes: int) -> Iterator[CheckedChunk]:
        """The chunk cut into smaller ones of about `size_bytes` each.

        The first one has all rejected rows.
        """
        height = self.products.height
        size = int(self.products.estimated_size() + self.notes.estimated_size())
        rows = max(1, height * size_bytes // max(size, 1))
        if rows >= height:
            yield self
            return
        for start in range(0, height, rows):
            numbers = self.products[ROW].slice(start, rows).implode()
            part = self.products.slice(start, rows)
            first = start == 0
            yield CheckedChunk(
                part,
                self.rejected if first else (),
                self.given,
                self.pictures_of(part),
                self.notes.filter(self.notes[ROW].is_in(numbers)),
                self.passed_over if first else {},
            )

    def pictures_of(self, products: pl.DataFrame) -> tuple[PictureFile, ...]:
        """The chunk's picture files that these of its products name."""
        if not self.pictures:
            return ()
        used = set(products["picture_sha256"].drop_nulls())
        for more in products["more_pictures"].drop_nulls():
            used |= {one.get("sha256") for one in json.loads(more)}
        return tuple(file for file in self.pictures if file.picture.sha256 in used)

    def iterate_notes(self) -> Iterator[RowNote]:
        """The notes as records."""
        for row in self.notes.iter_rows():
            yield RowNote(*row)
