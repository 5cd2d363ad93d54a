"""How a file is read: the report that people see before anything is stored or paid.

`ReportBuilder` watches the checked chunks go by, wherever they go.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.errors import AmbiguousColumn
from weighbridge.ingest.base import ROW, SheetUse, Source
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.leftovers import UnusedColumn, unused_columns
from weighbridge.ingest.columns.matching import MINOR_UNITS, minor_weight
from weighbridge.ingest.columns.meanings import MASSES
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from weighbridge.domain.products import RejectedRow, RowNote
    from weighbridge.ingest.checking.chunks import CheckedChunk
    from weighbridge.ingest.columns.matching import ColumnMap
    from weighbridge.ingest.decisions import Assumption, Decisions, Doubt

SHOWN: Final = 20
"""How many rejected rows, and how many notes, the report shows one by one."""


@dataclass(frozen=True, slots=True)
class Head:
    """All that is known of a file before its rows are checked."""

    name: str
    source: Source
    columns: ColumnMap
    decisions: Decisions


def refuse_doubts(head: Head) -> None:
    """Raises AmbiguousColumn if only the file's owner can say how to read one of its columns."""
    if head.decisions.doubts:
        messages = " ".join(doubt.message for doubt in head.decisions.doubts)
        raise AmbiguousColumn(f"{quote(head.name)}: {messages}")


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column of the file, the field it is used for, and why.

    `filled` is how many of its cells are not empty.
    """

    column: str
    field: Field
    why: str
    filled: int
    samples: tuple[str, ...]
    unit: str | None = None
    unit_why: str | None = None
    decimal_sign: str | None = None
    decimal_why: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """How many rows or cells have the same problem, which has "…" where it quoted the cell."""

    field: str
    reason: str
    count: int
    first_row: int


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """The whole report.

    `rows` counts all rows that hold data: products, rejected rows and those passed over.
    """

    file: str
    format: str
    encoding: str | None
    encoding_certainty: str | None
    delimiter: str | None
    header_row: int | None
    sheets: tuple[SheetUse, ...]
    shop: str | None
    columns: tuple[ColumnUse, ...]
    unused: tuple[UnusedColumn, ...]
    questions: tuple[Doubt, ...]
    assumptions: tuple[Assumption, ...]
    rows: int
    products: int
    noted_products: int
    rejected_rows: int
    passed_over: Mapping[str, int]
    rejections: tuple[Reason, ...]
    notes: tuple[Reason, ...]
    first_rejected: tuple[RejectedRow, ...] = ()
    first_notes: tuple[RowNote, ...] = ()


@dataclass(slots=True)
class _ReasonTally:
    """How many rows or cells have one problem, and the first row with it."""

    count: int
    first_row: int


@dataclass(slots=True)
class ReportBuilder:
    """Counts the products, rejected rows and notes of checked chunks.

    `report` gives the report on the chunks counted so far.
    """

    head: Head
    _products: int = 0
    _noted: int = 0
    _rejected: int = 0
    _passed_over: Counter[str] = field(default_factory=Counter)
    _rejections: dict[tuple[str, str], _ReasonTally] = field(default_factory=dict)
    _notes: dict[tuple[str, str], _ReasonTally] = field(default_factory=dict)
    _first_rejected: list[RejectedRow] = field(default_factory=list)
    _first_notes: list[RowNote] = field(default_factory=list)

    def watch(self, chunks: Iterable[CheckedChunk]) -> Iterator[CheckedChunk]:
        """Count each chunk, and yield it unchanged."""
        for chunk in chunks:
            self.count(chunk)
            yield chunk

    def count(self, chunk: CheckedChunk) -> None:
        """Count the rows and notes of one chunk."""
        self._products += chunk.products.height
        self._rejected += len(chunk.rejected)
        self._passed_over.update(chunk.passed_over)
        for row in chunk.rejected:
            _add_to_tally(self._rejections, (row.field, without_cells(row.reason)), 1, row.row)
        self._first_rejected += chunk.rejected[: SHOWN - len(self._first_rejected)]
        if chunk.notes.height:
            self._count_notes(chunk)

    def _count_notes(self, chunk: CheckedChunk) -> None:
        """Count the chunk's notes by field and reason, and keep the first ones as they are."""
        self._noted += chunk.notes[ROW].n_unique()
        grouped = chunk.notes.group_by(
            "field", pl.col("reason").str.replace_all(_CELL, "…"), maintain_order=True
        ).agg(pl.len(), pl.col(ROW).min().alias("first"))
        for name, reason, count, first in grouped.iter_rows():
            _add_to_tally(self._notes, (name, reason), count, first)
        if len(self._first_notes) < SHOWN:
            self._first_notes += list(chunk.iterate_notes())[: SHOWN - len(self._first_notes)]

    def report(self) -> CatalogueReport:
        """The report on all chunks counted so far."""
        head, source = self.head, self.head.source
        return CatalogueReport(
            file=head.name,
            format=source.format.value,
            encoding=source.encoding,
            encoding_certainty=source.encoding_certainty,
            delimiter=source.delimiter,
            header_row=source.header_row,
            sheets=source.sheets,
            shop=head.columns.shop.name if head.columns.shop else None,
            columns=_column_uses(head),
            unused=unused_columns(head.columns),
            questions=head.decisions.doubts,
            assumptions=head.decisions.assumptions,
            rows=self._products + self._rejected + self._passed_over.total(),
            products=self._products,
            noted_products=self._noted,
            rejected_rows=self._rejected,
            passed_over=dict(self._passed_over),
            rejections=_most_frequent_first(self._rejections),
            notes=_most_frequent_first(self._notes),
            first_rejected=tuple(self._first_rejected),
            first_notes=tuple(self._first_notes),
        )


_CELL: Final = r'"(?:[^"]|"[^ .,;)])*"'
"""Matches the text of a cell, in quotation marks, within the reason of a note or a rejected row."""


def without_cells(reason: str) -> str:
    """The reason with "…" for each cell that it quotes, so that the same problem reads the same in
    every row.
    """
    return str(pl.Series([reason]).str.replace_all(_CELL, "…")[0])


def _add_to_tally(
    tallies: dict[tuple[str, str], _ReasonTally], key: tuple[str, str], count: int, row: int
) -> None:
    """Add `count` to the tally under this key (field, reason); `row` may be its first row."""
    tally = tallies.get(key)
    if tally is None:
        tallies[key] = _ReasonTally(count, row)
    else:
        tally.count += count
        tally.first_row = min(tally.first_row, row)


def _most_frequent_first(tallies: Mapping[tuple[str, str], _ReasonTally]) -> tuple[Reason, ...]:
    """The reasons, the most frequent first."""
    found = [Reason(name, reason, t.count, t.first_row) for (name, reason), t in tallies.items()]
    return tuple(sorted(found, key=lambda one: (-one.count, one.first_row)))


def _column_uses(head: Head) -> tuple[ColumnUse, ...]:
    """The columns that are used for fields, from left to right."""
    columns, decisions = head.columns, head.decisions
    uses = []
    for name, position in sorted(columns.positions.items(), key=lambda item: item[1]):
        rule = decisions.rules.get(name)
        uses.append(
            ColumnUse(
                column=columns.headers[position],
                field=name,
                why=_why_chosen(columns, name),
                filled=decisions.filled.get(name, 0),
                samples=decisions.samples.get(name, ()),
                unit=rule.unit.name if rule and rule.unit else None,
                unit_why=rule.unit_why or None if rule and name in MASSES else None,
                decimal_sign=rule.decimal if rule else None,
                decimal_why=rule.decimal_why if rule else None,
            )
        )
    for name in MASSES:
        rest = columns.helpers.get(minor_weight(name))
        if rest is not None and columns.units[name].name in MINOR_UNITS:
            why = (
                f"added to the weights in {columns.shown_header(name)}; if both columns state the "
                f'same weight, use --map "{name}={columns.headers[rest]}"'
            )
            unit = MINOR_UNITS[columns.units[name].name][0]
            uses.append(ColumnUse(columns.headers[rest], name, why, 0, (), unit))
    return tuple(uses)


def _why_chosen(columns: ColumnMap, name: Field) -> str:
    """Why this column was taken for the field, in words for the report."""
    if name in columns.by_hand:
        return "as you said"
    position = columns.positions[name]
    if name is Field.DESCRIPTION and position == columns.positions.get(Field.NAME):
        return "there is no column with a description"
    if columns.shop is not None:
        return f"as {columns.shop.name} exports it"
    return "by its header"
