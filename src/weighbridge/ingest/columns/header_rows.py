"""Headers that take two rows: units below the names, or a group's title above them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.errors import MissingColumn
from weighbridge.ingest.columns.fields import REQUIRED, Field, normalise
from weighbridge.ingest.columns.headers import TYPES, read_header
from weighbridge.ingest.columns.matching import (
    ColumnMap,
    Wanted,
    find_header,
    match_columns,
)
from weighbridge.ingest.columns.meanings import count_known
from weighbridge.ingest.values.units import UNIT_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_WORD: Final = 40
_RULE: Final = re.compile(
    r"[\[(](?:[-–—%]|[^\W\d_]{1,8}[²³23]?)[\])]$"
    r"|(?:required|optional|mandatory|pflicht(?:feld|angabe)?|obligatoire|facultatif|optionnel|obligatorio|opcional"
    r"|obbligatorio|facoltativo|verplicht|optioneel|wymagane|opcjonalne|obligatoriskt?|valgfri|valfri)\b",
    re.IGNORECASE,
)
"""Matches what a template for catalogues says about a column in the row below its header."""
_SURELY_HEADERS: Final = 3


@dataclass(frozen=True, slots=True)
class HeaderRows:
    """Where a table begins: `header` and `data` are the indexes of its header and its first row of
    data.
    """

    header: int
    data: int
    columns: ColumnMap


def find_head(rows: Sequence[Sequence[str]], wanted: Wanted) -> HeaderRows:
    """The header, of one or two rows, among the first rows of a table.

    Raises MissingColumn when no row has the required columns.
    """
    index, columns = find_header(rows, wanted)
    columns = _with_unit_column(rows[index + 1 :], columns, wanted)
    head = HeaderRows(index, index + 1, columns)
    below = rows[index + 1] if index + 1 < len(rows) else []
    if _is_second_header(below, columns):
        return _second_header(HeaderRows(index, index + 2, columns), below, wanted)
    if below and _continues_header(below, columns):
        joined = _join_rows(rows[index], below)
        return _choose_headers(head, HeaderRows(index, index + 2, columns), joined, wanted)
    if index:
        return _choose_headers(
            head, head, _join_rows(rows[index - 1], rows[index], only_above=False), wanted
        )
    return head


def _with_unit_column(
    rows: Sequence[Sequence[str]], columns: ColumnMap, wanted: Wanted
) -> ColumnMap:
    """The columns, with the one right behind a weight as its units where it has no header of its
    own (an empty one, or a merged cell over both) and holds units alone.
    """
    weight = columns.positions.get(Field.WEIGHT, columns.positions.get(Field.GROSS_WEIGHT, -1))
    behind = weight + 1
    if weight < 0 or columns.units or Field.WEIGHT_UNIT in columns.positions:
        return columns
    headers = [*columns.headers, ""][: max(len(columns.headers), behind + 1)]
    own = headers[behind].strip()
    cells = {_cell_at(row, behind).strip().casefold() for row in rows} - {""}
    if own not in ("", headers[weight].strip()) or not cells or not cells <= UNIT_NAMES.keys():
        return columns
    headers[behind] = f"{headers[weight].strip()} unit"
    return match_columns(headers, wanted)


def _choose_headers(
    plain: HeaderRows, head: HeaderRows, headers: list[str], wanted: Wanted
) -> HeaderRows:
    """The better of two readings of the header: one row alone (`plain`), or the joined texts of two
    rows (`headers`, at the rows in `head`).

    Joined headers are used where they name more columns. Otherwise the plain columns stay, and the
    joined rows still count as header, not as products. Where joined headers lack a required column,
    `plain` is returned.
    """
    try:
        columns = match_columns(headers, wanted)
    except MissingColumn:
        return plain
    if _count_recognised(columns) > _count_recognised(plain.columns):
        return HeaderRows(head.header, head.data, columns)
    return HeaderRows(head.header, head.data, plain.columns)


def _count_recognised(columns: ColumnMap) -> int:
    """How many fields and units the columns name."""
    return len(columns.positions) + len(columns.units)


def _continues_header(row: Sequence[str], columns: ColumnMap) -> bool:
    """Whether a row below the header belongs to it: words, and nothing where a product has code,
    name and description.
    """
    filled = [cell.strip() for cell in row if cell.strip()]
    if any(
        _cell_at(row, columns.positions[name]).strip()
        for name in REQUIRED
        if name in columns.positions
    ):
        told = [cell for cell in filled if cell.strip("-–—")]
        return len(filled) > 1 and bool(told) and all(map(_says_what_a_column_holds, told))
    return bool(filled) and all(
        len(cell) <= _LONGEST_WORD and not any(map(str.isdigit, cell.replace("2", "")))
        for cell in filled
    )


def _says_what_a_column_holds(cell: str) -> bool:
    """A type, a unit or a rule: (text), [g], [-], EUR, "Required, max. 200 characters"."""
    return normalise(cell) in TYPES or _RULE.match(cell) is not None or _is_unit(cell)


def _is_unit(cell: str) -> bool:
    """Whether a cell is a unit of mass or a currency."""
    said = read_header(f"weight ({cell.strip('()[]')})")
    return said.unit is not None or said.currency is not None


def _is_second_header(row: Sequence[str], columns: ColumnMap) -> bool:
    """Whether a row below the header is one itself, in the words of a program: `item_sku` below
    "Seller SKU".
    """
    required = [
        _cell_at(row, columns.positions[name]) for name in REQUIRED if name in columns.positions
    ]
    filled = [_cell_at(row, position) for position in columns.positions.values()]
    return all(required) and count_known(required) >= 2 and count_known(filled) >= _SURELY_HEADERS


def _second_header(head: HeaderRows, row: Sequence[str], wanted: Wanted) -> HeaderRows:
    """`head` with the columns of whichever of its two header rows is better; `row` is the second.

    A row by which a shop's program is recognised is better than one without; else the row that
    names more columns.
    """
    try:
        columns = match_columns(row, wanted)
    except MissingColumn:
        return head
    plain = head.columns
    is_better = bool(columns.shop) > bool(plain.shop) or (
        bool(columns.shop) == bool(plain.shop)
        and _count_recognised(columns) > _count_recognised(plain)
    )
    return HeaderRows(head.header, head.data, columns) if is_better else head


def _join_rows(above: Sequence[str], below: Sequence[str], *, only_above: bool = True) -> list[str]:
    """One row of headers made of two; `only_above` as in `_join_cells`."""
    width = max(len(above), len(below))
    return [
        _join_cells(_cell_at(above, i).strip(), _cell_at(below, i).strip(), only_above=only_above)
        for i in range(width)
    ]


def _join_cells(above: str, below: str, *, only_above: bool) -> str:
    """One header made of two cells, one above the other.

    A unit goes behind the name above it; any other word goes before it: "net" below "weight" gives
    "net weight". If `only_above`, a header may also stand in the upper row alone.
    """
    if not above or not below or above == below:
        return below or (above if only_above else "")
    if not below.strip("[]() -–—"):
        return above
    if _is_unit(below):
        return f"{above} ({below.strip('()[]')})"
    if not only_above and read_header(below).keys and count_known([below]):
        return below
    joined = f"{below} {above}"
    return above if count_known([above]) and not count_known([joined]) else joined


def _cell_at(row: Sequence[str], position: int) -> str:
    return row[position] if position < len(row) else ""
