"""Parquet: typed columns for analysis, with the bill, the processes and the contributions as nested lists.

polars has no writer that takes one batch after the other. So every few thousand rows become a small
file of their own, and at the end polars streams these files into one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars.exceptions import PolarsError
from typing_extensions import override

from weighbridge.export.files import FileWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from weighbridge.export.base import ResultRow

ROWS_PER_PART: Final = 2_000  # a part is what is held in memory at a time
ROWS_PER_GROUP: Final = 10_000

_CONTRIBUTION: Final = pl.Struct(
    {
        "kind": pl.String,
        "label": pl.String,
        "factor_key": pl.String,
        "activity": pl.Float64,
        "activity_unit": pl.String,
        "factor": pl.Float64,
        "emissions_kg_co2e": pl.Float64,
        "low_kg_co2e": pl.Float64,
        "high_kg_co2e": pl.Float64,
        "source": pl.String,
        "source_id": pl.String,
        "year": pl.String,
        "region": pl.String,
        "licence": pl.String,
        "is_proxy": pl.Boolean,
    }
)
_BOM_LINE: Final = pl.Struct({"material": pl.String, "mass_kg": pl.Float64, "component": pl.String})
_PROCESS_USE: Final = pl.Struct({"process": pl.String, "material": pl.String})
_STEP: Final = pl.Struct({"step": pl.String, "version": pl.String})

_COLUMNS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "code": pl.String,
    "name": pl.String,
    "description": pl.String,
    "status": pl.String,
    "weight_kg": pl.Float64,
    "image_url": pl.String,
    "picture": pl.String,
    "country_of_origin": pl.String,
    "error": pl.String,
    "error_kind": pl.String,
    "category": pl.String,
    "subcategory": pl.String,
    "cpc_code": pl.String,
    "emissions_kg_co2e": pl.Float64,
    "low_kg_co2e": pl.Float64,
    "high_kg_co2e": pl.Float64,
    "boundary": pl.String,
    "mass_kg": pl.Float64,
    "mass_origin": pl.String,
    "data_quality": pl.Float64,
    "data_quality_technological": pl.Float64,
    "data_quality_geographical": pl.Float64,
    "data_quality_temporal": pl.Float64,
    "contributions": pl.List(_CONTRIBUTION),
    "bill": pl.List(_BOM_LINE),
    "processes": pl.List(_PROCESS_USE),
    "notes": pl.List(pl.String),
    "provider": pl.String,
    "model": pl.String,
    "simulated": pl.Boolean,
    "cost_usd": pl.Float64,
    "completed_at": pl.Datetime("us", "UTC"),
    "method_version": pl.String,
    "factors_version": pl.String,
    "step_versions": pl.List(_STEP),
}
SCHEMA: Final = pl.Schema(_COLUMNS)
"""One column per field of `ResultRow`, the same whether a file holds a million products or none."""


def as_frame(rows: Sequence[ResultRow]) -> pl.DataFrame:
    """These rows as a table of `SCHEMA`."""
    return pl.DataFrame(
        {name: [_cell(row, name) for row in rows] for name in SCHEMA}, schema=SCHEMA
    )


def _cell(row: ResultRow, column: str) -> Any:
    special = _SPECIAL.get(column)
    return special(row) if special else getattr(row, column)


def _structs(records: Iterable[object], struct: pl.Struct) -> list[dict[str, Any]]:
    names = [field.name for field in struct.fields]
    return [{name: getattr(record, name) for name in names} for record in records]


def _steps(row: ResultRow) -> list[dict[str, str]]:
    steps = row.versions.steps if row.versions else {}
    return [{"step": step, "version": version} for step, version in steps.items()]


_SPECIAL: Final[dict[str, Callable[[ResultRow], Any]]] = {
    "status": lambda row: row.status.value,
    "mass_origin": lambda row: row.mass_origin and row.mass_origin.value,
    "data_quality": lambda row: row.data_quality and row.data_quality.overall,
    "data_quality_technological": lambda row: row.data_quality and row.data_quality.technological,
    "data_quality_geographical": lambda row: row.data_quality and row.data_quality.geographical,
    "data_quality_temporal": lambda row: row.data_quality and row.data_quality.temporal,
    "contributions": lambda row: _structs(row.contributions, _CONTRIBUTION),
    "bill": lambda row: _structs(row.bill, _BOM_LINE),
    "processes": lambda row: _structs(row.processes, _PROCESS_USE),
    "notes": lambda row: list(row.notes),
    "method_version": lambda row: row.versions and row.versions.method,
    "factors_version": lambda row: row.versions and row.versions.factors,
    "step_versions": _steps,
}
"""The columns that are not simply the field of the same name."""


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """polars reports a full disk as an error of its own; make it an OSError again.

    Our columns have fixed types and go to a local file, so nothing but the disk can fail here. The number
    of the error stands in the text, or (when the very end of the file did not fit) nowhere.
    """
    try:
        yield
    except PolarsError as error:
        found = re.search(r"\(os error (\d+)\)", str(error))
        number = int(found[1]) if found else errno.EIO
        raise OSError(number, os.strerror(number)) from error


class ParquetWriter(FileWriter):
    """Gathers rows into part files, then streams the parts into one file of large row groups."""

    _parts: list[Path]
    _gathered: list[pl.DataFrame]
    _path: Path

    @override
    def _start(self, path: Path) -> None:
        self._path = path
        self._parts = []
        self._gathered = []

    @override
    def _append(self, rows: Sequence[ResultRow]) -> None:
        # A caller may bring everything at once; Python objects become a table in slices.
        for start in range(0, len(rows), ROWS_PER_PART):
            self._gathered.append(as_frame(rows[start : start + ROWS_PER_PART]))
            if sum(frame.height for frame in self._gathered) >= ROWS_PER_PART:
                self._write_part()

    @override
    def _finish(self) -> None:
        self._write_part()
        with _disk_errors():
            pl.scan_parquet(self._parts, schema=SCHEMA).sink_parquet(
                self._path, compression="zstd", row_group_size=ROWS_PER_GROUP
            )

    @override
    def _abandon(self) -> None:
        self._gathered.clear()

    def _write_part(self) -> None:
        """Empties what was gathered onto the disk. A file without rows is a part too: it has the columns."""
        if self._parts and not self._gathered:
            return
        part = self._path.with_name(f"part-{len(self._parts):06}.parquet")
        frame = pl.concat([SCHEMA.to_frame(), *self._gathered])
        with _disk_errors():
            frame.write_parquet(part, compression="zstd")
        self._parts.append(part)
        self._gathered.clear()
