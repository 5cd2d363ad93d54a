"""Reads CSV: any of the usual separators and encodings, as a stream, whatever the size of the file.

Sniffs encoding and separator, lets `csv_records.py` cut records, and turns them into columns of
text.
"""

from __future__ import annotations

import csv
import io
import re
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from weighbridge.domain.products import RejectedRow
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.base import (
    NO_CHOICES,
    CatalogueFormat,
    Choices,
    RawChunk,
    Reader,
    Source,
    make_chunk,
)
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.header_rows import find_head
from weighbridge.ingest.columns.matching import HEADER_SEARCH_ROWS, ColumnMap, Wanted
from weighbridge.ingest.columns.meanings import count_known
from weighbridge.ingest.formats.csv_records import Block, RecordCutter
from weighbridge.ingest.formats.text_encoding import find_encoding
from weighbridge.ingest.values.wording import readable_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DELIMITERS: Final = ",;\t|^"
_RULED: Final = re.compile(r"[-=+:\s]*-{3}[-=+:\s]*")
_SAMPLE_CHARACTERS: Final = 1 << 16
_DELIMITER_NAMES: Final = {
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "vertical bar",
    "^": "caret",
}


class CsvReader(Reader):
    """A CSV file.

    Rows are numbered as a spreadsheet shows them: the first is row 1, quoted line breaks do not
    count.
    """

    def __init__(self, path: Path, choices: Choices = NO_CHOICES) -> None:
        self._path = path
        self._found = find_encoding(path, choices.encoding)
        self._encoding = self._found.codec
        with self._open() as file:
            sample = file.read(_SAMPLE_CHARACTERS)
        if not sample.strip():
            raise UnreadableFile("The file is empty.")
        self._delimiter = _declared_delimiter(sample) or sniff_delimiter(sample)

    def _open(self) -> io.TextIOWrapper:
        return self._path.open(encoding=self._encoding, errors="replace", newline="")

    @override
    def source(self, wanted: Wanted) -> Source:
        with self._open() as file:
            first = next(iter(RecordCutter(file, self._delimiter)))
        head = find_head(first.records[: HEADER_SEARCH_ROWS + 1], wanted)
        return Source(
            CatalogueFormat.CSV,
            self._found.name,
            self._found.certainty,
            _DELIMITER_NAMES[self._delimiter],
            header_row=head.header + 1,
        )

    @override
    def chunks(self, wanted: Wanted) -> Iterator[RawChunk]:
        with self._open() as file:
            blocks = iter(RecordCutter(file, self._delimiter))
            first = next(blocks)
            head = find_head(first.records[: HEADER_SEARCH_ROWS + 1], wanted)
            width = max(len(first.records[head.header]), len(head.columns.headers))
            for number, block in enumerate(chain([first], blocks)):
                yield self._chunk(block, head.columns, width, head.data if number == 0 else 0)

    def _chunk(self, block: Block, columns: ColumnMap, width: int, skip: int) -> RawChunk:
        """The wanted cells of a block's records from index `skip` on, as a chunk.

        `width` is the number of fields that a record must have.
        """
        if self._delimiter == "|":
            _empty_ruled_lines(block.records)
        records: Sequence[list[str]] = block.records[skip:]
        numbers: Sequence[int] = range(block.first + skip, block.first + len(block.records))
        rejected: list[RejectedRow] = []
        if set(map(len, records)) != {width}:
            records, numbers, rejected = self._to_width(block, columns, width, skip)
        values = {name: list(map(itemgetter(i), records)) for name, i in columns.columns().items()}
        if "" in values.get(
            Field.CODE, [""]
        ):  # perhaps a row of empty cells, which is nothing to report
            kept = [i for i, record in enumerate(records) if any(map(str.strip, record))]
            numbers = [numbers[i] for i in kept]
            values = {name: [texts[i] for i in kept] for name, texts in values.items()}
        return make_chunk(columns, numbers, values, rejected)

    def _to_width(
        self, block: Block, columns: ColumnMap, width: int, skip: int
    ) -> tuple[list[list[str]], list[int], list[RejectedRow]]:
        """(records of exactly `width` fields, their row numbers, rejected rows) of a block.

        Short rows are filled up: programs leave out empty fields at the end. A row with too many
        fields is rejected: it has a separator inside a text, so every field behind it is the wrong
        one.
        """
        records: list[list[str]] = []
        numbers: list[int] = []
        rejected: list[RejectedRow] = []
        for index in range(skip, len(block.records)):
            record, number = block.records[index], block.first + index
            if index in block.broken:
                rejected.append(RejectedRow(number, "row", block.broken[index]))
            elif any(map(str.strip, record[width:])):
                position = columns.positions.get(Field.CODE, 0)
                reason = (
                    f"the row has {len(record):,} fields and the header {width:,}; put quotation "
                    f"marks around a text that contains a {_DELIMITER_NAMES[self._delimiter]}"
                )
                rejected.append(RejectedRow(number, "row", reason, readable_code(record[position])))
            elif record:
                records.append(record + [""] * (width - len(record)))
                numbers.append(number)
        return records, numbers, rejected


def _empty_ruled_lines(records: list[list[str]]) -> None:
    """Empty the records that are lines of dashes, as lists printed by SAP and Markdown have
    them.
    """
    for index, record in enumerate(records):
        if record and _RULED.fullmatch("".join(record)):
            records[index] = []


def sniff_delimiter(sample: str) -> str:
    """The separator that splits the first rows best.

    What counts first is how many known fields the header has, then how many rows have as many cells
    as the header, then the number of these cells.
    """
    end = sample.rfind("\n") + 1 or len(sample)
    return max(DELIMITERS, key=lambda delimiter: _split_quality(sample[:end], delimiter))


def _split_quality(sample: str, delimiter: str) -> tuple[int, float, int]:
    """How well the text splits at this delimiter; larger is better.

    Returns (header names known, share of rows as wide as the header, its width). The header is
    the row with the most known names, then the widest.
    """
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) >= 2 * HEADER_SEARCH_ROWS:
                break
    except csv.Error:
        pass  # a broken row further down; what was read before it is enough to judge
    if not rows:
        return 0, 0.0, 0
    known, width = max((count_known(row), len(row)) for row in rows[:HEADER_SEARCH_ROWS])
    if width < 2:
        return known, 0.0, width
    return known, sum(len(row) == width for row in rows) / len(rows), width


def _declared_delimiter(sample: str) -> str | None:
    """The separator named by a first line such as `sep=;`, which Excel writes; None without one."""
    line = sample.split("\n", 1)[0].rstrip("\r").strip('"')
    return (
        line[4] if line[:4].lower() == "sep=" and len(line) == 5 and line[4] in DELIMITERS else None
    )
