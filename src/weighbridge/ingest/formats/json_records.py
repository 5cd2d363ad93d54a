"""Turns records given as JSON objects into columns of text.

Used by the JSON reader and for products that arrive over HTTP. Records need not have the same keys;
a field counts as present in the file as soon as one record has it. A list or object in a record is
read where it can only mean one thing (a list of pictures, a value with its unit). Elsewhere the
cell cannot be used; if its field is required, the row is rejected.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from weighbridge.domain.products import RejectedRow
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.base import CHUNK_ROWS, RawChunk, make_chunk
from weighbridge.ingest.columns.fields import REQUIRED, Field
from weighbridge.ingest.columns.matching import ColumnMap, Wanted, match_columns
from weighbridge.ingest.values.numbers import unambiguous
from weighbridge.ingest.values.wording import readable_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_KEYS: Final = 10_000
_NUMBERS: Final = frozenset(
    {
        Field.WEIGHT,
        Field.GROSS_WEIGHT,
        Field.PRICE,
        Field.QUANTITY,
        Field.PIECES_PER_PACK,
        Field.RECYCLED_SHARE,
        Field.SUPPLIER_FOOTPRINT,
    }
)
_PICTURE_KEYS: Final = ("src", "url", "href", "link", "path", "image", "imageUrl")
_VALUE_KEYS: Final = ("value", "amount", "quantity", "number")
_COUNTRY_KEYS: Final = (
    "code", "countryCode", "country_code", "isoCode", "iso", "alpha2", "country", "name",
)  # fmt: skip
_UNIT_KEYS: Final = ("unit", "unitCode", "uom", "currency", "currencyCode", "currency_code")
_LANGUAGES: Final = ("en", "en_US", "en-US", "en_GB", "en-GB", "de", "fr", "es", "it")


class NumberText(str):
    """A JSON number as it is written; its point can only be the decimal sign."""

    __slots__ = ()


class ChunkEnd(Enum):
    """Stands between records where the chunk has to end, because its records are large."""

    HERE = "here"


Entry = tuple[int, object] | RejectedRow | ChunkEnd
"""What is read from the file: (row number, record), a row that could not be read, or the end of a
chunk.
"""


def chunks_of_records(records: Iterable[Entry], wanted: Wanted) -> Iterator[RawChunk]:
    """Groups numbered records into chunks.

    A row that is no object is rejected, as are nested values of required fields.
    """
    headers: dict[str, None] = {}
    chunk: list[tuple[int, Mapping[str, object]]] = []
    rejected: list[RejectedRow] = []
    for entry in records:
        if isinstance(entry, ChunkEnd):
            pass
        elif isinstance(entry, RejectedRow):
            rejected.append(entry)
        elif _is_object(entry[1]):
            headers.update(dict.fromkeys(entry[1]))
            chunk.append((entry[0], entry[1]))
        else:
            reason = "this is not a JSON object; each product must be written as {…}"
            rejected.append(RejectedRow(entry[0], "row", reason))
        if len(headers) > MAX_KEYS:
            raise UnreadableFile(
                f"The records have more than {MAX_KEYS:,} different keys. Give every product the "
                "same keys, such as code, name and description."
            )
        rows = len(chunk) + len(rejected)
        if rows >= CHUNK_ROWS or (entry is ChunkEnd.HERE and rows):
            yield _chunk(chunk, rejected, list(headers), wanted)
            chunk, rejected = [], []
    if chunk or rejected:
        yield _chunk(chunk, rejected, list(headers), wanted)


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)


def _chunk(
    records: list[tuple[int, Mapping[str, object]]],
    rejected: list[RejectedRow],
    headers: list[str],
    wanted: Wanted,
) -> RawChunk:
    """A chunk of the records; one with an unreadable nested value is added to `rejected`."""
    columns = match_columns(headers, wanted)
    keys = {name: headers[i] for name, i in columns.columns().items()}
    values: dict[str, list[str | None]] = {name: [] for name in keys}
    stored: dict[str, set[int]] = {name: set() for name in keys if name in _NUMBERS}
    numbers: list[int] = []
    for row, record in records:
        try:
            texts = {name: _text(record.get(key), name) for name, key in keys.items()}
        except _NestedValue as nested:
            rejected.append(_reject_nested(row, record, nested.field, columns, headers))
            continue
        numbers.append(row)
        for name, text in texts.items():
            values[name].append(text)
            if name in stored and isinstance(record.get(keys[name]), (int, float, NumberText)):
                stored[name].add(row)
    return make_chunk(columns, numbers, values, rejected, stored_numbers=stored)


class _NestedValue(Exception):
    """A required field holds a list or an object that cannot be read as one value."""

    def __init__(self, name: str) -> None:
        self.field = name


def _text(value: object, name: str) -> str | None:
    """The cell's text, None for null. 3.0 becomes "3"; number fields get "1.2340" for 1.234.

    Raises:
        _NestedValue: a list or object that cannot be read as one value.
    """
    match value:
        case NumberText():
            return unambiguous(value) if name in _NUMBERS else value
        case None | str():
            return value
        case False if name.partition("+")[0] not in _NUMBERS:
            return None  # how Odoo and PHP write an empty text
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            whole = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
            return unambiguous(whole) if name in _NUMBERS else whole
        case _:
            return _text_of_nested(value, name)


def _text_of_nested(value: object, name: str) -> str | None:
    """The cell's text for a list or an object, where it can only mean one thing; else its JSON.

    Raises:
        _NestedValue: the field is required and the value means no single text.
    """
    field = name.partition("+")[0]
    if field == Field.IMAGE:
        found = _pictures(value)
        if found is not None:
            return found
    elif field in REQUIRED:
        found = _in_one_language(value) if field != Field.CODE else None
        if found is None:
            raise _NestedValue(field)
        return found
    elif isinstance(value, dict) and field == Field.COUNTRY:
        found = next((one for key in _COUNTRY_KEYS if isinstance(one := value.get(key), str)), None)
        if found is not None:
            return found
    elif isinstance(value, dict) and field in _NUMBERS:
        found = _number_and_unit(value)
        if found is not None:
            return found
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _pictures(value: object) -> str | None:
    """The addresses of pictures in a text, list or object, one a line; None if there is none."""
    match value:
        case list():
            found = [one for one in map(_pictures, value) if one]
            return "\n".join(found) or None
        case dict():
            return next(
                (value[key] for key in _PICTURE_KEYS if isinstance(value.get(key), str)), None
            )
        case str():
            return value
        case _:
            return None


def _number_and_unit(value: dict[str, Any]) -> str | None:
    """{"value": 1.5, "unit": "kg"} as "1.5 kg"; None for an object without a number."""
    number = next(
        (value[key] for key in _VALUE_KEYS if isinstance(value.get(key), str | int | float)), None
    )
    unit = next((value[key] for key in _UNIT_KEYS if isinstance(value.get(key), str)), "")
    if number is None:
        return None
    text = _text(number, Field.WEIGHT)
    return f"{text} {unit}".strip()


def _in_one_language(value: object) -> str | None:
    """One text of {"en": "Chair", "de": "Stuhl"}: the first of _LANGUAGES, or of the object.

    None for anything that is not an object of texts by language.
    """
    if not isinstance(value, dict) or not value:
        return None
    if not all(isinstance(one, str) and len(key) in (2, 5) for key, one in value.items()):
        return None
    chosen = next((value[key] for key in _LANGUAGES if value.get(key)), next(iter(value.values())))
    return str(chosen)


def _reject_nested(
    row: int, record: Mapping[str, object], name: str, columns: ColumnMap, headers: list[str]
) -> RejectedRow:
    """The rejected row for a record whose required field `name` is a list or an object."""
    position = columns.positions.get(Field.CODE)
    code = record.get(headers[position]) if position is not None else None
    reason = "the value is a list or an object; give one text or number"
    return RejectedRow(row, name, reason, readable_code(code) if isinstance(code, str) else None)
