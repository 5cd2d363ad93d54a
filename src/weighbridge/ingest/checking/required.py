"""Code, name and description: the only fields that can reject a row.

Whole columns are checked at once with polars expressions, and only the rows that fail are looked at
one by one, to say what was found and what to do. A row is rejected for its first failing field
only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.domain.products import RejectedRow
from weighbridge.ingest.base import ROW
from weighbridge.ingest.columns.fields import REQUIRED, Field
from weighbridge.ingest.values.nothing import DUMPED_NULLS, SPREADSHEET_ERRORS
from weighbridge.ingest.values.wording import quote, readable_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from weighbridge.domain.products import FieldLimits
    from weighbridge.ingest.base import RawChunk


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that can be wrong with a required field.

    `fails` is true for the rows where it is wrong; `reason` makes the message from the cell.
    """

    field: Field
    fails: pl.Expr
    reason: Callable[[str], str]


CONTROL: Final = r"[\p{Cc}\x{FFFD}]"
CONTROL_BUT_LAYOUT: Final = r"[\p{Cc}\x{FFFD}&&[^\t\n]]"
_SCIENTIFIC: Final = r"^[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{1,3}$"
_EMPTY_MARKUP: Final = r"(?i)^(?:\s|&nbsp;|&#160;|\x{200b}|\x{feff}|</?(?:p|br|div|span|b|i|u|em|strong|font|ul|ol|li|h[1-6]|section|table|tbody|tr|td)\b[^<>]*>)+$"
_LONGEST_EMPTY_MARKUP: Final = 300


def checks(limits: FieldLimits) -> list[Check]:
    """Every check of the required fields; a row is rejected by the first that it fails."""
    lengths = {
        Field.CODE: limits.code,
        Field.NAME: limits.name,
        Field.DESCRIPTION: limits.description,
    }
    all_checks: list[Check] = []
    for name in REQUIRED:
        all_checks += _text_checks(name, lengths[name])
    return [
        *all_checks,
        # A spreadsheet has turned a long number into 4.00638E+12: its last digits are lost.
        Check(Field.CODE, pl.col(Field.CODE).str.contains(_SCIENTIFIC), _rounded_reason),
    ]


def _text_checks(name: Field, limit: int) -> list[Check]:
    """Checks that every text field needs: not empty, no formula error, not too long, printable."""
    column = pl.col(name)
    control = CONTROL_BUT_LAYOUT if name is Field.DESCRIPTION else CONTROL
    is_error = column.str.starts_with("#") & column.str.to_lowercase().is_in([*SPREADSHEET_ERRORS])
    return [
        Check(name, column.is_null(), lambda _: f"the {name} is empty; every product needs one"),
        Check(
            name,
            is_error,
            lambda text: f"{quote(text)} is a spreadsheet error; correct its formula",
        ),
        Check(name, longer(column, limit), length_reason(limit)),
        Check(name, column.str.contains(control), control_reason),
    ]


def longer(column: pl.Expr, limit: int) -> pl.Expr:
    """A polars expression: whether a text has more characters than `limit`."""
    # Counting bytes is free, counting characters is not: only texts that might be too long are
    # counted.
    return (column.str.len_bytes() > limit) & (column.str.len_chars() > limit)


def length_reason(limit: int) -> Callable[[str], str]:
    """A function that makes the message for a text of more than `limit` characters."""
    return lambda text: (
        f"{quote(text)} has {len(text):,} characters, more than {limit:,}; shorten it"
    )


def control_reason(text: str) -> str:
    """The message for a text with characters that cannot be printed or could not be decoded."""
    if "\ufffd" in text:
        return f"{quote(text)} contains a character that could not be decoded; save the file as UTF-8, or say how it is encoded (--encoding)"
    return f"{quote(text)} contains an unprintable control character; remove it"


def _rounded_reason(text: str) -> str:
    return f"{quote(text)} is a code that a spreadsheet has rounded: its last digits are lost; export the column as text"


def null_expression(name: str) -> pl.Expr:
    """The column with null for the words that databases write for no value, such as `(null)`."""
    column = pl.col(name)
    short = column.str.len_bytes() < 12
    return pl.when(~(short & column.str.to_lowercase().is_in([*DUMPED_NULLS]))).then(column)


def without_empty_markup(name: str) -> pl.Expr:
    """The column with null for markup around nothing, as editors of shops leave it:
    `<p>&nbsp;</p>`.
    """
    column = pl.col(name)
    may_be = column.str.starts_with("<") & (column.str.len_bytes() < _LONGEST_EMPTY_MARKUP)
    return pl.when(~(may_be & column.str.contains(_EMPTY_MARKUP))).then(column)


def explain(
    frame: pl.DataFrame,
    all_checks: list[Check],
    raw: RawChunk,
    remarks: Mapping[tuple[int, str], str],
) -> Iterator[RejectedRow]:
    """Each row of a frame as a rejected row with its reason.

    The frame's column `problem` has the index, in `all_checks`, of the check that the row failed. A
    reader's remark on the cell replaces the check's own reason.
    """
    for record in frame.iter_rows(named=True):
        check = all_checks[record["problem"]]
        row = record[ROW]
        reason = remarks.get((row, check.field)) or check.reason(record[check.field] or "")
        yield RejectedRow(
            row,
            check.field.value,
            reason,
            readable_code(record[Field.CODE]),
            raw.sheet,
            raw.columns.shown_header(check.field),
        )
