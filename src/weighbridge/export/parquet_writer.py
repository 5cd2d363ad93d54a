"""Writes Parquet: typed columns for analysis, with the bill, the processes and the contributions as
nested lists.

polars has no writer that takes one batch after the other. So every few thousand rows become a small
file of their own, and at the end polars streams these files into one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars.exceptions import PolarsError
from typing_extensions import override

from weighbridge.export.columns import note_sentence
from weighbridge.export.files import FileWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.export.base import ResultRow
    from weighbridge.steps.shown import ShownField

ROWS_PER_PART: Final = 2_000  # a part is what is held in memory at a time
ROWS_PER_GROUP: Final = 10_000

_CONTRIBUTION: Final = pl.Struct(
    {
        "route": pl.String,
        "share": pl.Float64,
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
_ROUTE: Final = pl.Struct(
    {
        "name": pl.String,
        "emissions_kg_co2e": pl.Float64,
        "low_kg_co2e": pl.Float64,
        "high_kg_co2e": pl.Float64,
        "weight": pl.Float64,
        "log_sigma": pl.Float64,
        "range_log_sigma": pl.Float64,
        "basis": pl.String,
    }
)
_STEP: Final = pl.Struct(
    {
        "step": pl.String,
        "version": pl.String,
        "provider": pl.String,
        "model": pl.String,
        "simulated": pl.Boolean,
        "recorded": pl.Boolean,
        "answered_at": pl.Datetime("us", "UTC"),
        "variant_of": pl.String,
    }
)

_Columns = dict[str, pl.DataType | type[pl.DataType]]
_FACTS: Final[_Columns] = {
    "materials": pl.String,
    "recycled_share": pl.Float64,
    "pieces_per_pack": pl.Float64,
    "gross_weight_kg": pl.Float64,
    "weight_is_gross": pl.Boolean,
    "process_hints": pl.String,
    "variant": pl.String,
    "parent_code": pl.String,
    "quantity": pl.Float64,
    "price": pl.Float64,
    "currency": pl.String,
    "supplier": pl.String,
    "supplier_footprint_kg_co2e": pl.Float64,
    "supplier_footprint_per": pl.String,
    "supplier_footprint_boundary": pl.String,
}
_PRODUCT: Final[_Columns] = {
    "code": pl.String,
    "name": pl.String,
    "description": pl.String,
    "status": pl.String,
    "weight_kg": pl.Float64,
    "image_url": pl.String,
    "picture": pl.String,
    "more_pictures": pl.List(pl.String),
    "country_of_origin": pl.String,
    **_FACTS,
    "catalogue_notes": pl.List(pl.String),
    "error": pl.String,
    "error_kind": pl.String,
}
_FIGURES: Final[_Columns] = {
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
    "decided_by": pl.String,
    "routes_apart": pl.Float64,
    "primary_data": pl.String,
    "estimate_kg_co2e": pl.Float64,
    "routes": pl.List(_ROUTE),
    "contributions": pl.List(_CONTRIBUTION),
}
_ORIGIN: Final[_Columns] = {
    "notes": pl.List(pl.String),
    "provider": pl.String,
    "model": pl.String,
    "simulated": pl.Boolean,
    "recorded": pl.Boolean,
    "cost_usd": pl.Float64,
    "completed_at": pl.Datetime("us", "UTC"),
    "method_version": pl.String,
    "factors_version": pl.String,
    "step_versions": pl.List(_STEP),
}
_PLAIN: Final[Mapping[type, type[pl.DataType]]] = {
    str: pl.String,
    float: pl.Float64,
    int: pl.Int64,
    bool: pl.Boolean,
}


def schema_of(fields: Iterable[ShownField]) -> pl.Schema:
    """The columns of the file and their types, whatever products it holds.

    `fields` are those of the steps: single values go before the figures, lists after them.
    """
    single: _Columns = {}
    lists: _Columns = {}
    for field in fields:
        if isinstance(field.kind, type):
            single[field.name] = _PLAIN[field.kind]
        else:
            record = pl.Struct({name: _PLAIN[kind] for name, kind in field.kind.items()})
            lists[field.name] = pl.List(record)
    return pl.Schema(_PRODUCT | single | _FIGURES | lists | _ORIGIN)


def as_frame(rows: Sequence[ResultRow], schema: pl.Schema) -> pl.DataFrame:
    """These rows as a data frame with the columns of `schema`."""
    return pl.DataFrame(
        {name: [_cell(row, name) for row in rows] for name in schema}, schema=schema
    )


def _cell(row: ResultRow, column: str) -> Any:
    """The value of a product in this column; None for a step's field that is not answered."""
    if column in row.answered:
        return row.answered[column]
    if column in _FACTS:
        return getattr(row.facts, column)
    special = _SPECIAL.get(column)
    # `row` has no attribute for a field of a step that has not answered.
    return special(row) if special else getattr(row, column, None)


def _contributions(row: ResultRow) -> list[dict[str, Any]]:
    return [
        {**one._asdict(), "route": one.route, "share": share}
        for one, share in zip(row.contributions, row.shares, strict=True)
    ]


def _steps(row: ResultRow) -> list[dict[str, Any]]:
    """One entry for each answered step: by whom, which version, and when."""
    answers = row.provenance.answers if row.provenance else {}
    return [
        {
            "step": step,
            "version": answer.step_version,
            "provider": answer.provider,
            "model": answer.model,
            "simulated": answer.simulated,
            "recorded": answer.recorded,
            "answered_at": answer.answered_at,
            "variant_of": answer.variant_of,
        }
        for step, answer in answers.items()
    ]


_SPECIAL: Final[dict[str, Callable[[ResultRow], Any]]] = {
    "catalogue_notes": lambda row: [note_sentence(note) for note in row.row_notes],
    "status": lambda row: row.status.value,
    "mass_origin": lambda row: row.mass_origin and row.mass_origin.value,
    "data_quality": lambda row: row.data_quality and row.data_quality.overall,
    "data_quality_technological": lambda row: row.data_quality and row.data_quality.technological,
    "data_quality_geographical": lambda row: row.data_quality and row.data_quality.geographical,
    "data_quality_temporal": lambda row: row.data_quality and row.data_quality.temporal,
    "decided_by": lambda row: row.dominance or None,
    "routes_apart": lambda row: row.disagreement,
    "routes": lambda row: [asdict(route) for route in row.routes],
    "contributions": _contributions,
    "notes": lambda row: list(row.notes),
    "provider": lambda row: row.provenance and row.provenance.provider,
    "model": lambda row: row.provenance and row.provenance.model,
    "method_version": lambda row: row.provenance and row.provenance.method,
    "factors_version": lambda row: row.provenance and row.provenance.factors,
    "step_versions": _steps,
}
"""How to get the value of each column that is neither a field of a step nor simply the field of the
same name.
"""


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Context manager that turns an error of polars back into the OSError it came from.

    Our columns have fixed types and go to a local file, so nothing but the disk can fail here. The
    number of the OSError is taken from the error's text; EIO where it has none.
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
        self._schema = schema_of(self._fields)
        self._path = path
        self._parts = []
        self._gathered = []

    @override
    def _append(self, rows: Sequence[ResultRow]) -> None:
        # A caller may pass all rows at once; convert them in slices.
        for start in range(0, len(rows), ROWS_PER_PART):
            self._gathered.append(as_frame(rows[start : start + ROWS_PER_PART], self._schema))
            if sum(frame.height for frame in self._gathered) >= ROWS_PER_PART:
                self._write_part()

    @override
    def _finish(self) -> None:
        self._write_part()
        with _disk_errors():
            pl.scan_parquet(self._parts, schema=self._schema).sink_parquet(
                self._path, compression="zstd", row_group_size=ROWS_PER_GROUP
            )

    @override
    def _abandon(self) -> None:
        self._gathered.clear()

    def _write_part(self) -> None:
        """Write the collected rows to disk. An empty part still defines the columns."""
        if self._parts and not self._gathered:
            return
        part = self._path.with_name(f"part-{len(self._parts):06}.parquet")
        frame = pl.concat([self._schema.to_frame(), *self._gathered])
        with _disk_errors():
            frame.write_parquet(part, compression="zstd")
        self._parts.append(part)
        self._gathered.clear()
