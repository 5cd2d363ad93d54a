"""Checks every row of a chunk.

The hot path of an import: whole columns are checked at once, single cells only where they are odd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.domain.products import RejectedRow
from weighbridge.ingest.base import ROW
from weighbridge.ingest.checking import facts
from weighbridge.ingest.checking.chunks import PRODUCT_SCHEMA, CheckedChunk
from weighbridge.ingest.checking.notes import NoteBook
from weighbridge.ingest.checking.optional import read_countries, read_masses
from weighbridge.ingest.checking.pictures import BETWEEN_PICTURES, further_as_json, read_pictures
from weighbridge.ingest.checking.required import (
    checks,
    explain,
    null_expression,
    without_empty_markup,
)
from weighbridge.ingest.columns.fields import REQUIRED, Field
from weighbridge.ingest.columns.matching import fallback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.ingest.base import RawChunk
    from weighbridge.ingest.checking.required import Check
    from weighbridge.ingest.checking.rules import RowRules
    from weighbridge.ingest.values.pictures import PictureFile

_OPTIONAL: Final = {
    Field.WEIGHT: "weight_kg",
    Field.GROSS_WEIGHT: "weight_kg",
    Field.IMAGE: "image_url",
    Field.COUNTRY: "country_of_origin",
}


_BREAKS: Final = r"[ \t]*[\t\n\r\x0b\x0c\x{85}\x{2028}\x{2029}]\s*"
_BROKEN: Final = "name was broken"


def check_rows(raw: RawChunk, rules: RowRules) -> CheckedChunk:
    """The products, rejected rows and notes of a chunk."""
    frame, taken_from = _tidy(raw)
    frame, repeated = _without_repeated_headers(frame, raw)
    remarks = {(one.row, one.column): one.remark for one in raw.remarks}
    found = checks(rules.limits)
    frame = frame.with_columns(problem=_first_problem(found, remarks))
    bad = frame.filter(pl.col("problem").is_not_null())
    rejected = [*raw.rejected, *repeated, *explain(bad, found, raw, remarks)]
    good = frame.filter(pl.col("problem").is_null())
    notes = NoteBook(good, raw, remarks)
    if taken_from:
        notes.add_fallbacks(taken_from)
    notes.add_inherited()
    notes.add_doubtful_texts()
    notes.add_broken_names(good[_BROKEN])
    notes.add_hidden()
    products, files = _products(good, raw, rules, notes)
    given = {_OPTIONAL[name] for name in _OPTIONAL if name in raw.columns.positions}
    return CheckedChunk(
        products.hstack([notes.per_row()]).select(PRODUCT_SCHEMA.names()),
        tuple(sorted(rejected, key=lambda row: row.row)),
        frozenset(given | facts.given(raw.columns)),
        tuple({file.picture.sha256: file for file in files.values()}.values()),
        notes.frame(),
        raw.passed_over,
    )


def _without_repeated_headers(
    frame: pl.DataFrame, raw: RawChunk
) -> tuple[pl.DataFrame, list[RejectedRow]]:
    """The frame without rows that repeat the header, and these as rejected rows.

    Files put together from several, and lists printed by page, have their header more than once.
    """
    headers = {name: raw.columns.header(name) for name in REQUIRED if name in raw.columns.positions}
    same = [
        pl.col(name).str.to_lowercase() == " ".join((header or "").split()).lower()
        for name, header in headers.items()
    ]
    if not same or not frame.select(same[0].any()).item():
        return frame, []
    is_header = pl.all_horizontal(same).fill_null(value=False)
    reason = "the row repeats the header and holds no product"
    rows = frame.filter(is_header)[ROW]
    return frame.filter(~is_header), [
        RejectedRow(row, "row", reason, sheet=raw.sheet) for row in rows
    ]


def _first_problem(found: Sequence[Check], remarks: Mapping[tuple[int, str], str]) -> pl.Expr:
    """A polars expression: the index of the first check that a row fails; null if it fails none.

    A row with a reader's remark on a required field fails the first check of that field.
    """
    numbered = [
        pl.when(check.fails).then(pl.lit(i, dtype=pl.Int8)) for i, check in enumerate(found)
    ]
    remarked: list[pl.Expr] = []
    for name in REQUIRED:
        rows = [row for row, column in remarks if column == name]
        if rows:
            number = next(i for i, check in enumerate(found) if check.field is name)
            remarked.append(pl.when(pl.col(ROW).is_in(rows)).then(pl.lit(number, dtype=pl.Int8)))
    return pl.coalesce(*remarked, *numbered)


def _tidy(raw: RawChunk) -> tuple[pl.DataFrame, tuple[Field, ...]]:
    """(the chunk with every field as a tidy column, the fields that have further columns).

    Outer white space is removed, empty cells are null, and line breaks are of one kind. Where a
    field that has further columns is empty, the first of these that is filled is taken, and its
    number stands in the column `…_from`; further columns of pictures are joined to the first.
    Line breaks and tabs in names become spaces; the column _BROKEN says where.
    """
    frame = raw.frame
    texts = [name for name in frame.columns if name != ROW]
    absent = [name for name in Field if name not in texts]
    frame = frame.select(
        ROW,
        *(pl.col(name).str.strip_chars() for name in texts),
        *(pl.lit(None, dtype=pl.String).alias(name) for name in absent),
    )
    frame = frame.with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in texts
    )
    frame = frame.with_columns(
        null_expression(name).alias(name) for name in texts if name.partition("+")[0] in REQUIRED
    )
    frame = frame.with_columns(
        without_empty_markup(name).alias(name)
        for name in texts
        if name.partition("+")[0] == Field.DESCRIPTION
    )
    used = tuple(name for name in raw.columns.fallbacks if name is not Field.IMAGE)
    if more := raw.columns.fallbacks.get(Field.IMAGE):
        cells = [Field.IMAGE, *(fallback(Field.IMAGE, i + 1) for i in range(len(more)))]
        joined = pl.concat_str(cells, separator=BETWEEN_PICTURES, ignore_nulls=True)
        frame = frame.with_columns(pl.when(joined != "").then(joined).alias(Field.IMAGE))
    for name in used:
        columns = [name, *(fallback(name, i + 1) for i in range(len(raw.columns.fallbacks[name])))]
        which = [
            pl.when(pl.col(column).is_not_null()).then(pl.lit(i))
            for i, column in enumerate(columns)
        ]
        frame = frame.with_columns(
            pl.coalesce(columns).alias(name), pl.coalesce(which).alias(f"{name}_from")
        )
    broken = frame[Field.NAME].str.contains(_BREAKS)
    frame = frame.with_columns(broken.alias(_BROKEN))
    if broken.any():
        frame = frame.with_columns(pl.col(Field.NAME).str.replace_all(_BREAKS, " "))
    if frame[Field.DESCRIPTION].str.contains("\r", literal=True).any():
        unix = pl.col(Field.DESCRIPTION).str.replace_many(
            ["\r\n", "\r"], ["\n", "\n"], leftmost=True
        )
        frame = frame.with_columns(unix)
    return frame, used


def _products(
    good: pl.DataFrame, raw: RawChunk, rules: RowRules, notes: NoteBook
) -> tuple[pl.DataFrame, dict[str, PictureFile]]:
    """The good rows as columns for the store, and their picture files by path.

    `weight_kg` is the net weight; the gross weight stands in where the net one is missing. A
    picture that lies beside the catalogue has a `picture_sha256` instead of an `image_url`.
    """
    decisions, given = rules.decisions, raw.columns.positions
    gross = None
    masses: list[pl.Series] = []
    for name in (Field.WEIGHT, Field.GROSS_WEIGHT):
        if name in given:
            column = read_masses(good, name, decisions.rule(name))
            notes.add(name, column)
            masses.append(column.values)
            gross = column.values if name is Field.GROSS_WEIGHT else gross
    net = masses[0] if Field.WEIGHT in given else None
    pictures, files = read_pictures(good[Field.IMAGE], rules.limits.image_url, rules.folder)
    notes.add(Field.IMAGE, pictures)
    origins = read_countries(good[Field.COUNTRY])
    notes.add(Field.COUNTRY, origins)
    hashes = {text: file.picture.sha256 for text, file in files.items()}
    each = pictures.values.str.split(BETWEEN_PICTURES)
    first = each.list.first()
    sha256 = first.replace_strict(hashes, default=None, return_dtype=pl.String)
    url = pl.DataFrame({"url": first, "sha": sha256}).select(
        pl.when(pl.col("sha").is_null()).then("url")
    )
    nothing = pl.Series([None] * good.height, dtype=pl.Float64)
    weights = pl.DataFrame(
        {
            "net": net if net is not None else nothing,
            "gross": gross if gross is not None else nothing,
        }
    )
    products = good.select(ROW, Field.CODE, Field.NAME, Field.DESCRIPTION).hstack(
        [
            weights.select(pl.coalesce("net", "gross").alias("weight_kg")).to_series(),
            url.to_series().alias("image_url"),
            sha256.alias("picture_sha256"),
            further_as_json(pictures.values, files).alias("more_pictures"),
            origins.values.alias("country_of_origin"),
            facts.as_json(good, raw, rules, notes, weights).alias("facts"),
        ]
    )
    return products, files
