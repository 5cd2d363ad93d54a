"""Records given as JSON objects become columns of text.

Used by the JSON reader and for products that arrive over HTTP. Records need not have the same keys; a field counts as
present in the file as soon as one record has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeGuard

from weighbridge.domain.products import RejectedRow
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.base import CHUNK_ROWS, RawChunk, make_chunk
from weighbridge.ingest.columns import ColumnMap, Field, Wanted, match_columns
from weighbridge.ingest.wording import readable_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_KEYS: Final = 10_000


def chunks_of_records(
    records: Iterable[tuple[int, object] | RejectedRow], wanted: Wanted
) -> Iterator[RawChunk]:
    """Groups numbered records into chunks. A row that is no object is rejected, as are nested values of our fields."""
    headers: dict[str, None] = {}
    chunk: list[tuple[int, Mapping[str, object]]] = []
    rejected: list[RejectedRow] = []
    for entry in records:
        if isinstance(entry, RejectedRow):
            rejected.append(entry)
        elif _is_object(entry[1]):
            headers.update(dict.fromkeys(entry[1]))
            chunk.append((entry[0], entry[1]))
        else:
            reason = "this is no JSON object; each product must be written as {…}"
            rejected.append(RejectedRow(entry[0], "row", reason))
        if len(headers) > MAX_KEYS:
            raise UnreadableFile(
                f"The records have more than {MAX_KEYS:,} different keys; this is no catalogue."
            )
        if len(chunk) + len(rejected) >= CHUNK_ROWS:
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
    columns = match_columns(headers, wanted)
    keys = {name: headers[i] for name, i in columns.positions.items()}
    values: dict[Field, list[str | None]] = {name: [] for name in keys}
    numbers: list[int] = []
    for row, record in records:
        try:
            texts = {name: _text(record.get(key), name) for name, key in keys.items()}
        except _Nested as nested:
            rejected.append(_reject_nested(row, record, nested.field, columns, headers))
            continue
        numbers.append(row)
        for name, text in texts.items():
            values[name].append(text)
    return make_chunk(columns, numbers, values, rejected)


class _Nested(Exception):
    def __init__(self, name: Field) -> None:
        self.field = name


def _text(value: object, name: Field) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case _:
            raise _Nested(name)


def _reject_nested(
    row: int, record: Mapping[str, object], name: Field, columns: ColumnMap, headers: list[str]
) -> RejectedRow:
    position = columns.positions.get(Field.CODE)
    code = record.get(headers[position]) if position is not None else None
    reason = "the value is a list or an object; give one text or number"
    return RejectedRow(
        row, name.value, reason, readable_code(code) if isinstance(code, str) else None
    )
