"""Cuts the text of a CSV file into records, however long the file and however broken single rows
are.

Used by `csv_reader.py`. The file is read in blocks; each block is parsed by the csv module in
strict mode. Where that fails (a quote that is never closed, text after a closing quote) only the
line where the record began is given up, and reading goes on with the next line: one stray quote
must not swallow the rest of the file.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_CHARACTERS: Final = 1 << 20
MAX_LINE_CHARACTERS: Final = 1 << 20
"""The most characters of a line; a longer one is skipped, so that it cannot fill the memory."""

_MOST_MENDED_LINES: Final = 100
_LINE_END: Final = re.compile(r"\r\n?|\n")
_TOO_LONG: Final = (
    f"the line is longer than {MAX_LINE_CHARACTERS:,} characters; check the line breaks of the file"
)
_REASONS: Final = (
    (
        "unexpected end of data",
        "a quotation mark opens a field and never closes it; close it, or double it if it belongs to the text",
    ),
    (
        "expected after",
        "there is text after a closing quotation mark; double a quotation mark that belongs to the text",
    ),
    (
        "field limit",
        "a field is longer than 131,072 characters; probably a quotation mark is never closed: close it",
    ),
)


@dataclass(slots=True)
class Block:
    """Some records of the file, in its order; `first` is the number of the first, counted from 1.

    `broken` has the reasons of records that could not be read, by their index in `records`, where
    they are empty lists.
    """

    first: int
    records: list[list[str]]
    broken: dict[int, str]


class RecordCutter:
    """Iterates over the blocks of one open file (opened with newline="")."""

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self._file = file
        self._delimiter = delimiter
        self._next_record = 1
        self._records: list[list[str]] = []
        self._broken: dict[int, str] = {}

    def __iter__(self) -> Iterator[Block]:
        carry = ""
        while text := self._file.read(BLOCK_CHARACTERS):
            text = carry + text
            end = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
            carry = self._parse(text[:end], at_end=False) + text[end:]
            if len(carry) > MAX_LINE_CHARACTERS:
                carry = self._skip_line(carry)
            if self._records:
                yield self._take_block()
        self._parse(carry, at_end=True)
        if self._records:
            yield self._take_block()

    def _parse(self, text: str, *, at_end: bool) -> str:
        """Appends the records of the text; returns the beginning of a record that is not complete.

        At the end of the file an incomplete record is broken, and "" is returned.
        """
        lines = list(io.StringIO(text, newline=""))
        begin = first_whole = 0  # lines before the second were mended already
        while begin < len(lines):
            # A range instead of a slice: a block of broken lines must not be copied once for each
            # of them.
            window = map(lines.__getitem__, range(begin, len(lines)))
            reader = csv.reader(window, delimiter=self._delimiter, strict=True)
            done = 0
            try:
                for record in reader:
                    self._records.append(record)
                    done = reader.line_num
            except csv.Error as error:
                last = begin + reader.line_num
                begin += done
                mended_to = min(last, len(lines), max(begin, first_whole) + _MOST_MENDED_LINES)
                if self._double_quotes_of_lines(lines, max(begin, first_whole), mended_to):
                    first_whole = mended_to  # a line is mended once, whatever it looks like then
                    continue
                unfinished = "unexpected end of data" in str(error)
                rest = "".join(lines[begin:]) if unfinished and not at_end else ""
                if rest and len(rest) <= MAX_LINE_CHARACTERS:
                    return rest
                self._add_broken(_reason(error))
                begin += 1
            else:
                break
        return ""

    def _double_quotes_of_lines(self, lines: list[str], begin: int, end: int) -> bool:
        """Double the quotes in lines[begin:end] that are escaped with backslashes; whether
        any was.
        """
        mended = False
        for index in range(begin, end):
            line = _with_doubled_quotes(lines[index], self._delimiter)
            mended = mended or line != lines[index]
            lines[index] = line
        return mended

    def _add_broken(self, reason: str) -> None:
        """Append a record that could not be read, with the reason."""
        self._broken[len(self._records)] = reason
        self._records.append([])

    def _skip_line(self, line: str) -> str:
        """Reads to the end of a line that is too long, and drops it; returns what follows it."""
        self._add_broken(_TOO_LONG)
        while line:
            end = _LINE_END.search(line)
            if end is not None:
                return line[end.end() :]
            line = self._file.read(BLOCK_CHARACTERS)
        return ""

    def _take_block(self) -> Block:
        """The records read so far; the next block begins empty."""
        block = Block(self._next_record, self._records, self._broken)
        self._next_record += len(self._records)
        self._records, self._broken = [], {}
        return block


def _reason(error: csv.Error) -> str:
    """Why a record cannot be read and what to do, in our words for the csv module's error."""
    found = str(error)
    return next(
        (reason for mark, reason in _REASONS if mark in found), f"the row cannot be read ({found})"
    )


def _with_doubled_quotes(line: str, delimiter: str) -> str:
    """The line with \\" written as "", except where the quote ends its field.

    MySQL and PHP write quotes within texts with a backslash.
    """
    if '\\"' not in line:
        return line
    mark = re.escape(delimiter)
    end = rf'(?:{mark}(?=["0-9.{mark}\r\n-]|$)|\r|\n|$)'
    return re.sub(rf'\\"(?!{end})|\\"(?="{end})', '""', line)
