"""Writes results to files. `open_writer` chooses the writer by the name of the format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.errors import UnsupportedFormat
from weighbridge.export.base import NO_EXTRAS, Extras, ResultRow, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from weighbridge.export.pact_writer import Company
    from weighbridge.steps.shown import ShownField

    Fields = Sequence[ShownField]


def _csv(path: Path, fields: Fields, extras: Extras) -> Writer:
    from weighbridge.export.csv_writer import CsvWriter

    return CsvWriter(path, fields, byte_order_mark=extras.byte_order_mark)


def _xlsx(path: Path, fields: Fields, extras: Extras) -> Writer:
    from weighbridge.export.workbook.writer import WorkbookWriter

    return WorkbookWriter(path, fields, extras.totals)


def _jsonl(path: Path, fields: Fields, _: Extras) -> Writer:
    from weighbridge.export.jsonl_writer import JsonlWriter

    return JsonlWriter(path, fields)


def _parquet(path: Path, fields: Fields, _: Extras) -> Writer:
    from weighbridge.export.parquet_writer import ParquetWriter

    return ParquetWriter(path, fields)


def _pact(path: Path, fields: Fields) -> Writer:
    from weighbridge.export.pact_writer import PactWriter

    return PactWriter(path, fields, _company())


def _pact_2(path: Path, fields: Fields) -> Writer:
    from weighbridge.export.pact_2 import as_footprint_2
    from weighbridge.export.pact_writer import PactWriter

    return PactWriter(path, fields, _company(), as_footprint_2)


def _company() -> Company:
    """The company that the settings name as the sender of exchanged footprints."""
    from weighbridge.export.pact_writer import Company
    from weighbridge.settings import load_settings

    return Company.of(load_settings())


# Imported when asked for: polars alone takes 0.4 s, and most commands write no file.
WRITERS: Final[Mapping[str, Callable[[Path, Fields, Extras], Writer]]] = {
    "csv": _csv,
    "xlsx": _xlsx,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
"""The writer of each format that contains all products. A format's name is also the suffix of its
files.
"""

WORKBOOK: Final = "xlsx"
"""The format that lists the products with the largest totals first, and contains totals."""

PACT: Final = "pact"
"""The format for exchange: it contains the products with a figure, and names the others."""

PACT_2: Final = "pact2"
"""The exchange format in version 2, for receivers that do not read version 3 yet."""
_EXCHANGED: Final[Mapping[str, Callable[[Path, Fields], Writer]]] = {PACT: _pact, PACT_2: _pact_2}

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    PACT: "application/json",
    PACT_2: "application/json",
}
"""The media type of each format."""


def checked_format(name: str) -> str:
    """The normalised name of a format; raises UnsupportedFormat if there is none.

    Called at once, so that a long run fails before it starts. Formats of exchange also need the
    company in the settings.
    """
    wanted = name.strip().lower().removeprefix(".")
    if wanted in WRITERS:
        return wanted
    if wanted in _EXCHANGED:
        _company()  # raises, and says which setting is missing
        return wanted
    known = ", ".join((*WRITERS, *_EXCHANGED))
    raise UnsupportedFormat(
        f"Results cannot be written in the format {name!r}. Choose one of: {known}."
    )


def open_writer(format_name: str, path: Path, fields: Fields, extras: Extras = NO_EXTRAS) -> Writer:
    """A writer of results to `path`; `fields` are those that the steps show.

    The folder is made if it does not exist.
    """
    name = checked_format(format_name)
    if name in _EXCHANGED:
        return _EXCHANGED[name](path, fields)
    return WRITERS[name](path, fields, extras)


def file_name(stem: str, format_name: str) -> str:
    """The name of a file of this format; a PACT file ends in .json, so that it opens as JSON."""
    return f"{stem}.{format_name}{'.json' if format_name in _EXCHANGED else ''}"


__all__ = [
    "MEDIA_TYPES",
    "PACT",
    "PACT_2",
    "WORKBOOK",
    "WRITERS",
    "Extras",
    "ResultRow",
    "Writer",
    "checked_format",
    "file_name",
    "open_writer",
]
