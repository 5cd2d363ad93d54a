"""The checks every row must pass: raw text in, products and rejected rows out.

The hot path of an import: whole columns are checked at once with polars expressions, and only the rows that fail are
looked at one by one, to say what was found and what to do. A row is rejected for its first failing field only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.domain.products import Product, RejectedRow
from weighbridge.errors import InputError
from weighbridge.ingest.base import ROW, RawChunk
from weighbridge.ingest.columns import REQUIRED, Field
from weighbridge.ingest.countries import BY_SPELLING, NO_COUNTRY
from weighbridge.ingest.weights import MAX_WEIGHT_KG, PLAIN_NUMBER, read_weight
from weighbridge.ingest.wording import quote, readable_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weighbridge.domain.products import FieldLimits
    from weighbridge.ingest.images import PictureFile, PictureFolder


PRODUCT_SCHEMA: Final = pl.Schema(
    {
        ROW: pl.Int64(),
        "code": pl.String(),
        "name": pl.String(),
        "description": pl.String(),
        "weight_kg": pl.Float64(),
        "image_url": pl.String(),
        "picture_sha256": pl.String(),
        "country_of_origin": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class CheckedChunk:
    """Rows that can become products, and those that cannot.

    `products` has the columns of PRODUCT_SCHEMA. `given` names those optional product columns that the file has at all
    (weight_kg, image_url, country_of_origin): what is not given leaves stored values as they are. `pictures` are the
    ones that `picture_sha256` names, each once per chunk.
    """

    products: pl.DataFrame
    rejected: tuple[RejectedRow, ...] = ()
    given: frozenset[str] = frozenset()
    pictures: tuple[PictureFile, ...] = ()

    def iterate_products(self) -> Iterator[Product]:
        """The products as records, for estimates and tests; the import itself stays in columns."""
        pictures = {file.picture.sha256: file.picture for file in self.pictures}
        for (
            _,
            code,
            name,
            description,
            weight_kg,
            image_url,
            sha256,
            country,
        ) in self.products.iter_rows():
            picture = pictures[sha256] if sha256 else None
            yield Product(code, name, description, weight_kg, image_url, picture, country)


@dataclass(frozen=True, slots=True)
class _Check:
    """A column of booleans that is true where the field is bad, and the words for it."""

    field: Field
    fails: pl.Expr
    reason: Callable[[str], str]


_HTTP_URL: Final = r"^(?i:https?)://(?:[^\s/?#@:\\\[\]\"<>]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][^\s\"<>\\]*)?$"
_HTTP_WITH_USER: Final = r"^(?i:https?)://[^/?#]*@"
_OTHER_ADDRESS: Final = r"^(?:[A-Za-z][A-Za-z0-9+.-]+:|//)"
_CONTROL: Final = r"[\p{Cc}\x{FFFD}]"
_CONTROL_BUT_LAYOUT: Final = r"[\p{Cc}\x{FFFD}&&[^\t\n]]"
_OPTIONAL: Final = {
    Field.WEIGHT: "weight_kg",
    Field.IMAGE: "image_url",
    Field.COUNTRY: "country_of_origin",
}


def check_rows(raw: RawChunk, limits: FieldLimits, folder: PictureFolder | None) -> CheckedChunk:
    """Judges every row of a chunk. `folder` is where relative image paths lead; None where there is none."""
    frame = _tidy(raw.frame)
    frame = frame.hstack(_weights(frame, raw))
    checks = _checks(limits)
    problem = pl.coalesce(
        pl.when(check.fails).then(pl.lit(i, dtype=pl.Int8)) for i, check in enumerate(checks)
    )
    frame = frame.with_columns(problem=problem)
    rejected = [*raw.rejected, *_explain(frame.filter(pl.col("problem").is_not_null()), checks)]
    good = frame.filter(pl.col("problem").is_null())
    pictures, files, refused = _find_pictures(good, folder)
    if refused:
        rejected += refused
        good = good.filter(~pl.col(ROW).is_in([row.row for row in refused]))
    rejected.sort(key=lambda row: row.row)
    return CheckedChunk(
        _as_products(good, pictures),
        tuple(rejected),
        frozenset(_OPTIONAL[name] for name in _OPTIONAL if name in raw.columns.positions),
        files,
    )


def _tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Every field as a column: outer white space removed, nothing left is null, one kind of line break."""
    present = [name for name in Field if name in frame.columns]
    absent = [name for name in Field if name not in frame.columns]
    stripped = frame.select(
        ROW,
        *(pl.col(name).str.strip_chars() for name in present),
        *(pl.lit(None, dtype=pl.String).alias(name) for name in absent),
    )
    if stripped[Field.DESCRIPTION].str.contains("\r", literal=True).any():
        unix = pl.col(Field.DESCRIPTION).str.replace_many(
            ["\r\n", "\r"], ["\n", "\n"], leftmost=True
        )
        stripped = stripped.with_columns(unix)
    return stripped.with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in present
    )


def _weights(frame: pl.DataFrame, raw: RawChunk) -> pl.DataFrame:
    """Two columns: weight_kg, and weight_problem where a cell cannot be used.

    Plain numbers are converted as a column. What is left is read once per distinct text.
    """
    unit = raw.columns.weight_unit
    cells = frame[Field.WEIGHT]
    if frame[Field.WEIGHT_UNIT].null_count() < frame.height:
        cells = frame.select(_with_unit()).to_series()
    plain = cells.str.contains(PLAIN_NUMBER)
    numbers = frame.select(pl.when(plain).then(cells)).to_series().cast(pl.Float64)
    # In numpy, because polars divides by multiplying with the reciprocal, which rounds differently.
    scaled = numbers.to_numpy() * unit.kg_multiplier / unit.kg_divisor
    mass_kg = pl.Series(scaled, dtype=pl.Float64).fill_nan(None)
    usable = (mass_kg > 0) & (mass_kg <= MAX_WEIGHT_KG)
    rest = cells.filter(cells.is_not_null() & ~usable.fill_null(value=False)).unique()
    columns = pl.DataFrame({"cell": cells, "weight_kg": mass_kg})
    if rest.is_empty():
        return columns.select("weight_kg", pl.lit(None, dtype=pl.String).alias("weight_problem"))
    readings = [read_weight(cell, unit, comma_is_decimal=raw.comma_is_decimal) for cell in rest]
    read = pl.DataFrame(
        {
            "cell": rest,
            "read_kg": pl.Series([reading.mass_kg for reading in readings], dtype=pl.Float64),
            "weight_problem": pl.Series([reading.problem for reading in readings], dtype=pl.String),
            "is_read": True,
        }
    )
    joined = columns.join(read, on="cell", how="left", maintain_order="left")
    chosen = pl.when("is_read").then("read_kg").otherwise("weight_kg")
    return joined.select(chosen.alias("weight_kg"), "weight_problem")


def _with_unit() -> pl.Expr:
    """The weight with the unit of the neighbouring column behind it, unless it names one itself."""
    cell, unit = pl.col(Field.WEIGHT), pl.col(Field.WEIGHT_UNIT)
    needs_unit = unit.is_not_null() & ~cell.str.contains(r"\p{Alphabetic}")
    return pl.when(needs_unit).then(pl.concat_str(cell, pl.lit(" "), unit)).otherwise(cell)


def _checks(limits: FieldLimits) -> list[_Check]:
    image, country = pl.col(Field.IMAGE), pl.col(Field.COUNTRY)
    lengths = {
        Field.CODE: limits.code,
        Field.NAME: limits.name,
        Field.DESCRIPTION: limits.description,
    }
    checks: list[_Check] = []
    for name in REQUIRED:
        checks += _text_checks(name, lengths[name])
    is_address = image.str.contains(_HTTP_URL)
    return [
        *checks,
        _Check(Field.WEIGHT, pl.col("weight_problem").is_not_null(), lambda text: text),
        _Check(Field.IMAGE, _longer(image, limits.image_url), _length_reason(limits.image_url)),
        _Check(
            Field.IMAGE,
            image.str.contains(_HTTP_WITH_USER),
            lambda _: "the address contains a user name or password; use one that works without",
        ),
        _Check(
            Field.IMAGE,
            ~is_address & (image.str.contains(_OTHER_ADDRESS) | image.str.contains(_CONTROL)),
            lambda text: (
                f"{quote(text)} is no address that can be fetched; use http(s)://…, with %20 for a space, or a path beside the catalogue"
            ),
        ),
        _Check(
            Field.COUNTRY,
            country.is_not_null() & ~country.str.to_lowercase().is_in([*BY_SPELLING, *NO_COUNTRY]),
            lambda text: (
                f"{quote(text)} is no country known here; use its two-letter code (ISO 3166-1), such as DE or CN"
            ),
        ),
    ]


def _text_checks(name: Field, limit: int) -> list[_Check]:
    column = pl.col(name)
    control = _CONTROL_BUT_LAYOUT if name is Field.DESCRIPTION else _CONTROL
    return [
        _Check(name, column.is_null(), lambda _: f"the {name} is empty; every product needs one"),
        _Check(name, _longer(column, limit), _length_reason(limit)),
        _Check(name, column.str.contains(control), _control_reason),
    ]


def _longer(column: pl.Expr, limit: int) -> pl.Expr:
    # Counting bytes is free, counting characters is not: only texts that might be too long are counted.
    return (column.str.len_bytes() > limit) & (column.str.len_chars() > limit)


def _length_reason(limit: int) -> Callable[[str], str]:
    return lambda text: (
        f"{quote(text)} has {len(text):,} characters, more than {limit:,}; shorten it"
    )


def _control_reason(text: str) -> str:
    if "\ufffd" in text:
        return (
            f"{quote(text)} contains a character that could not be decoded; save the file as UTF-8"
        )
    return f"{quote(text)} contains an unprintable control character; remove it"


def _explain(bad: pl.DataFrame, checks: list[_Check]) -> Iterator[RejectedRow]:
    for record in bad.iter_rows(named=True):
        check = checks[record["problem"]]
        found = record["weight_problem"] if check.field is Field.WEIGHT else record[check.field]
        yield RejectedRow(
            record[ROW],
            check.field.value,
            check.reason(found or ""),
            readable_code(record[Field.CODE]),
        )


def _find_pictures(
    good: pl.DataFrame, folder: PictureFolder | None
) -> tuple[pl.DataFrame, tuple[PictureFile, ...], list[RejectedRow]]:
    """Looks up the image cells that are paths. Returns path → sha256, the files, and the rows that have none."""
    image = pl.col(Field.IMAGE)
    with_path = good.filter(image.is_not_null() & ~image.str.contains(_HTTP_URL))
    found: dict[str, PictureFile] = {}
    refused: list[RejectedRow] = []
    for row, code, path in with_path.select(ROW, Field.CODE, Field.IMAGE).iter_rows():
        try:
            found[path] = _find_picture(path, folder)
        except InputError as error:
            refused.append(
                RejectedRow(row, Field.IMAGE.value, f"{quote(path)}: {error}", readable_code(code))
            )
    paths = pl.DataFrame(
        {
            Field.IMAGE: list(found),
            "picture_sha256": [file.picture.sha256 for file in found.values()],
        },
        schema={Field.IMAGE: pl.String, "picture_sha256": pl.String},
    )
    files = {file.picture.sha256: file for file in found.values()}
    return paths, tuple(files.values()), refused


def _find_picture(path: str, folder: PictureFolder | None) -> PictureFile:
    if folder is None:
        raise InputError(
            "a path means nothing without the catalogue's folder; use an http(s) address, or upload the picture to the product"
        )
    return folder.find(path)


def _as_products(good: pl.DataFrame, pictures: pl.DataFrame) -> pl.DataFrame:
    country = pl.col(Field.COUNTRY).str.to_lowercase()
    return (
        good.join(pictures, on=Field.IMAGE, how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("picture_sha256").is_null()).then(Field.IMAGE).alias("image_url"),
            country.replace_strict(BY_SPELLING, default=None, return_dtype=pl.String).alias(
                "country_of_origin"
            ),
        )
        .select(PRODUCT_SCHEMA.names())
    )
