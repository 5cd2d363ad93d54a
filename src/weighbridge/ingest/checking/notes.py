"""The notes of a chunk: collected by column, kept as a table, and given to each product as JSON."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

import ftfy
import polars as pl
from ftfy.badness import is_bad

from weighbridge.ingest.base import ROW
from weighbridge.ingest.checking.chunks import NOTE_SCHEMA
from weighbridge.ingest.columns.fields import REQUIRED, Field
from weighbridge.ingest.columns.matching import inherited
from weighbridge.ingest.values.wording import SHOWN_CHARACTERS, quote, safe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.ingest.base import RawChunk
    from weighbridge.ingest.checking.optional import ReadColumn

_MOJIBAKE: Final = r"[ÂÃÄÅâãЂЃР°С€вЂ�][^\x00-\x7f]|[ÃÂ][ -/:-@]"
"""Matches characters that are typical of UTF-8 decoded wrongly; only texts with such a match are
given to ftfy.
"""
_LIKE_A_DATE: Final = (
    r"^(?:[0-9]{1,2}(?:[-. ]|\. )(?i:jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-z]{0,6}\.?(?:[- ][0-9]{2,4})?"
    r"|(?i:jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[-. ][0-9]{2,4}"
    r"|(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?: [0-9:]{5,8})?|[0-3]?[0-9][./][01]?[0-9][./](?:19|20)[0-9]{2})$"
)
_UNSEEN: Final = r"[\x{ad}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}\x{feff}]"
_ODD_CODE: Final = rf"{_UNSEEN}|^[0-9]{{4,}}[.,]0$|^(?i:null|nil|none|nan|undefined|n/a|n\.a\.|unknown|unbekannt|[-–—?.]+)$"
_DIGITS: Final = frozenset("0123456789")
_MANY: Final = 0.5
"""If a larger share than this of a chunk's codes look like dates, that is no accident, and these
codes get no note.
"""


class NoteBook:
    """Collects notes about the good rows of one chunk.

    `remarks` are the reader's, by row number and name of the column.
    """

    def __init__(
        self, good: pl.DataFrame, raw: RawChunk, remarks: Mapping[tuple[int, str], str]
    ) -> None:
        self._good = good
        self._raw = raw
        self._remarks = remarks
        self._parts: list[pl.DataFrame] = []

    def add(self, name: Field, column: ReadColumn) -> None:
        """Note the problems of a column; a reader's remark on a cell replaces the cell's
        problem.
        """
        problems = column.problems
        remarked = (
            [self._remarks.get((row, name)) for row in self._good[ROW]]
            if self._has_remarks(name)
            else None
        )
        if remarked is not None:
            said = pl.DataFrame(
                {"remark": pl.Series(remarked, dtype=pl.String), "problem": problems}
            )
            problems = said.select(pl.coalesce("remark", "problem")).to_series()
        self._note_rows(name, problems, self._good[name])

    def _has_remarks(self, name: Field) -> bool:
        return any(column == name for _, column in self._remarks)

    def _note_rows(
        self, name: Field, problems: pl.Series, found: pl.Series, header: str | None = None
    ) -> None:
        """Note each row where `problems` has a text, with the cell in `found`.

        The cell is shown shortened, without control characters or a password in an address.
        `header` is the column's where it is not that of the field `name`.
        """
        rows = self._good.select(ROW, Field.CODE).with_columns(reason=problems, found=found)
        noted = rows.filter(pl.col("reason").is_not_null())
        if noted.is_empty():
            return
        shown = (
            pl.col("found")
            .str.slice(0, SHOWN_CHARACTERS)
            .str.replace_all(r"//[^/@\s]*@", "//…@")
            .str.replace_all(r"\p{Cc}", " ")
        )
        column_name = safe(header) if header else self._raw.columns.shown_header(name)
        self._parts.append(
            noted.select(
                ROW,
                pl.lit(name.value).alias("field"),
                "reason",
                pl.col(Field.CODE).alias("code"),
                pl.lit(self._raw.sheet, dtype=pl.String).alias("sheet"),
                pl.lit(column_name, dtype=pl.String).alias("column_name"),
                shown.alias("found"),
            )
        )

    def add_fallbacks(self, names: Sequence[Field]) -> None:
        """Note each row where one of these fields was empty and was taken from another column."""
        columns = self._raw.columns
        for name in names:
            reasons = {
                number: f"the {name} is empty; taken from the column {quote(columns.headers[position])}"
                for number, position in enumerate(columns.fallbacks[name], start=1)
            }
            problems = self._good[f"{name}_from"].replace_strict(
                reasons, default=None, return_dtype=pl.String
            )
            self._note_rows(name, problems, pl.Series([None] * self._good.height, dtype=pl.String))

    def add_inherited(self) -> None:
        """Note each row with a text that was empty and was taken from the row that it names as its
        parent.
        """
        header = self._raw.columns.header(Field.PARENT_CODE)
        for name in REQUIRED:
            if inherited(name) in self._good.columns:
                parents = self._good[inherited(name)]
                said = pl.lit(
                    f"the {name} is empty; taken from the row that is named as its parent"
                )
                problems = self._good.select(pl.when(parents.is_not_null()).then(said)).to_series()
                self._note_rows(name, problems, parents, header)

    def add_hidden(self) -> None:
        """Note each row that is hidden in the sheet: its owner may not know that it was read."""
        if self._raw.hidden:
            is_hidden = self._good[ROW].is_in([*self._raw.hidden])
            reason = pl.DataFrame({"hidden": is_hidden}).select(
                pl.when("hidden").then(
                    pl.lit("the row is hidden in the sheet; it was read all the same")
                )
            )
            self._note_rows(Field.CODE, reason.to_series(), self._good[Field.CODE])

    def add_doubtful_texts(self) -> None:
        """Note texts that were wrongly decoded before we got them, and codes that look like dates,
        because a spreadsheet may have turned them into some.
        """
        for name in (Field.NAME, Field.DESCRIPTION, Field.MATERIALS):
            cells = self._good[name]
            odd = cells.filter(cells.str.contains(_MOJIBAKE)).unique()
            reasons = {cell: _mojibake_reason(cell) for cell in odd if is_bad(cell)}
            if reasons:
                self._note_rows(
                    name, cells.replace_strict(reasons, default=None, return_dtype=pl.String), cells
                )
        self._note_doubtful_codes()

    def add_broken_names(self, broken: pl.Series) -> None:
        """Note names that were written over several lines: their line breaks became spaces."""
        if broken.any():
            reason = "the name contained line breaks or tabs, which were read as spaces"
            problems = pl.DataFrame({"broken": broken}).select(
                pl.when("broken").then(pl.lit(reason))
            )
            self._note_rows(Field.NAME, problems.to_series(), self._good[Field.NAME])

    def _note_doubtful_codes(self) -> None:
        """Note codes that are not what they seem: some that look like dates, others with characters
        that nobody sees, with the end of a fraction, or a word for no value.
        """
        codes = self._good[Field.CODE]
        odd = codes.filter(codes.str.contains(_ODD_CODE)).unique()
        if odd.len():
            odd_reasons = {code: _odd_code_reason(code) for code in odd}
            self._note_rows(
                Field.CODE,
                codes.replace_strict(odd_reasons, default=None, return_dtype=pl.String),
                codes,
            )
        dates = codes.str.contains(_LIKE_A_DATE)
        if dates.any() and (dates.sum() or 0) <= max(1, _MANY * codes.len()):
            reasons = {code: _date_reason(code) for code in codes.filter(dates)}
            self._note_rows(
                Field.CODE,
                codes.replace_strict(reasons, default=None, return_dtype=pl.String),
                codes,
            )

    def frame(self) -> pl.DataFrame:
        """All notes in file order, as NOTE_SCHEMA."""
        if not self._parts:
            return pl.DataFrame(schema=NOTE_SCHEMA)
        return pl.concat(self._parts).select(NOTE_SCHEMA.names()).sort(ROW, maintain_order=True)

    def per_row(self) -> pl.Series:
        """The notes of each row as a JSON list, null for a row without notes; the column
        `notes`.
        """
        notes = self.frame()
        if notes.is_empty():
            return pl.Series("notes", [None] * self._good.height, dtype=pl.String)
        renamed = notes.select(
            pl.col(ROW),
            pl.struct(
                pl.col(ROW).alias("row"),
                "sheet",
                pl.col("column_name").alias("column"),
                "field",
                "found",
                "reason",
            )
            .struct.json_encode()
            .alias("note"),
        )
        lists = renamed.group_by(ROW, maintain_order=True).agg(pl.col("note").str.join(","))
        whole = lists.select(ROW, pl.format("[{}]", "note").alias("notes"))
        return self._good.select(ROW).join(whole, on=ROW, how="left", maintain_order="left")[
            "notes"
        ]


def _mojibake_reason(text: str) -> str:
    better = ftfy.fix_encoding(text)
    return f"{quote(text)} looks like text that was wrongly decoded (perhaps {quote(better)}); export it again as UTF-8"


def _date_reason(code: str) -> str:
    return f"{quote(code)} looks like a date; if a spreadsheet has turned the code into one, export the column as text"


def _odd_code_reason(code: str) -> str:
    """What is odd about a code that _ODD_CODE matches, and what to do."""
    if code[0] in _DIGITS and code[-2:] in (".0", ",0"):
        return f"{quote(code)} may have got its ending {code[-2:]} from a program that took the code for a number; if so, export the column as text"
    if len(code) > 1 and any(unicodedata.category(c) == "Cf" for c in code):
        return f"{quote(code)} contains an invisible character; remove it, or a search for the code as it looks will not find the product"
    return (
        f"{quote(code)} was taken as the code; if it stands for no value, give the product a code"
    )
