"""A user's own factors from a CSV file, put over those of another source.

`kind` says what a row is: `material` (the default), `process` or `reference`, a published figure of
a whole product. A key that the base knows replaces that factor, and what such a row leaves empty
beside the figures and their source stays as it is in the base; any other key adds a factor.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from typing_extensions import override

from weighbridge.carbon.factors import FactorTable
from weighbridge.errors import CalculationError, FactorTableInvalid, UnreadableFile
from weighbridge.factor_sources.base import FactorSource
from weighbridge.factor_sources.bundled import load_taxonomy
from weighbridge.factor_sources.rows import (
    MATERIAL_COLUMNS,
    Row,
    class_reference,
    material_factor,
    process_factor,
    read_rows,
)
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from weighbridge.carbon.factors import ClassReference, MaterialFactor, ProcessFactor

MATERIAL: Final = "material"
PROCESS: Final = "process"
REFERENCE: Final = "reference"
KINDS: Final = (MATERIAL, PROCESS, REFERENCE)
"""The kinds of row that a file of the user's own factors can hold."""
MOST_OFFERED: Final = 1_000
MOST_CHARACTERS: Final = 15_000
"""The most characters that the keys of all materials may have together, as providers accept no more
in one question; `MOST_OFFERED` is the most keys of materials and processes.
"""
_CITED: Final = ("source", "source_id", "year", "region", "licence")
"""Columns that every row needs, because they say where its figures come from."""
_SHOWN_PROBLEMS: Final = 20
"""How many bad rows an error message lists."""


@dataclass(frozen=True, slots=True)
class _OwnRows:
    """The rows of a file by kind and key."""

    materials: dict[str, MaterialFactor]
    processes: dict[str, ProcessFactor]
    references: dict[str, ClassReference]

    def __len__(self) -> int:
        return len(self.materials) + len(self.processes) + len(self.references)


class UploadedFile(NamedTuple):
    """A file that is held in memory."""

    name: str
    content: bytes

    def open(self, encoding: str, newline: str) -> IO[str]:
        """The content as a text stream; the arguments are those of `Path.open`."""
        return io.TextIOWrapper(io.BytesIO(self.content), encoding=encoding, newline=newline)


class OwnFactors(FactorSource):
    """The factors of `base`, replaced and added to by the rows of a CSV file."""

    def __init__(self, file: Path | UploadedFile, base: FactorSource) -> None:
        self._file = file
        self._base = base

    @override
    def load(self) -> FactorTable:
        """The factors of `base`, replaced and added to by the rows of the file."""
        base = self._base.load()
        own = self._read(base)
        references = [one for kind in base.references.values() for one in kind]
        table = FactorTable.of(
            name=f"{base.name} + {self._file.name}",
            materials={**base.materials, **own.materials}.values(),
            processes={**base.processes, **own.processes}.values(),
            electricity=base.electricity.values(),
            heat=base.heat,
            components=base.components.values(),
            references={**{one.key: one for one in references}, **own.references}.values(),
            alike=base.alike_kinds(),
        )
        self._refuse_too_many(table)
        return table

    def _read(self, base: FactorTable) -> _OwnRows:
        """All rows of the file. Raises FactorTableInvalid, which names every bad one."""
        own = _OwnRows({}, {}, {})
        problems: list[CalculationError] = []
        try:
            # utf-8-sig: spreadsheets put a byte-order mark in front of the header.
            with self._file.open(encoding="utf-8-sig", newline="") as stream:
                has_kinds = "kind" in stream.readline()
                stream.seek(0)
                needed = ("kind", "key", *_CITED) if has_kinds else MATERIAL_COLUMNS
                for row in read_rows(stream, self._file.name, needed):
                    try:
                        _add_row(row, own, base)
                    except CalculationError as error:
                        problems.append(error)
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableFile(
                f"{self._file.name} cannot be read as text in UTF-8: {error}. Save its table as CSV "
                'in UTF-8; a spreadsheet calls that "CSV UTF-8".'
            ) from error
        if problems:
            more = len(problems) - _SHOWN_PROBLEMS
            rest = [f"and {counted(more, 'more row')}"] if more > 0 else []
            shown = [str(error) for error in problems[:_SHOWN_PROBLEMS]]
            cells = [cell for error in problems for cell in getattr(error, "rows", ())]
            raise FactorTableInvalid("\n".join([*shown, *rest]), cells)
        if not own:
            raise FactorTableInvalid(f"{self._file.name} has no factors: only a header.")
        return own

    def _refuse_too_many(self, table: FactorTable) -> None:
        """Raises FactorTableInvalid where the model would choose from more keys than a strict
        schema can list.
        """
        materials = [one.key for one in table.materials.values() if not one.retired]
        processes = [one.key for one in table.processes.values() if not one.retired]
        if (
            len(materials) + len(processes) > MOST_OFFERED
            or sum(map(len, materials)) > MOST_CHARACTERS
        ):
            raise FactorTableInvalid(
                f"{self._file.name}: with this file the model would have {len(materials):,} "
                f"materials and {len(processes):,} processes to choose from. It can be offered at "
                f"most {MOST_OFFERED:,} of both together, with {MOST_CHARACTERS:,} characters of "
                "material keys. Remove rows that your products do not need, or mark them as "
                "retired: corrections can still use retired ones."
            )


def _add_row(row: Row, own: _OwnRows, base: FactorTable) -> None:
    """Put the factor in this row into `own`. Raises FactorTableInvalid for a row that cannot be
    one.
    """
    kind = row.one_of("kind", KINDS, MATERIAL)
    if kind == MATERIAL:
        _add_material(row, own.materials, base)
    elif kind == PROCESS:
        _add_process(row, own.processes, base)
    else:
        _add_reference(row, own.references)


def _add_material(row: Row, own: dict[str, MaterialFactor], base: FactorTable) -> None:
    """Put the material of this row into `own`; what it leaves out is as in `base`."""
    key = row.text("key")
    known = base.materials.get(key)
    if known is not None:
        row = _filled_from(
            row,
            name=known.name,
            family=known.family,
            recycled=known.recycled,
            includes_forming=known.includes_forming,
            complete_article=known.complete_article,
            includes_processes=known.included_processes,
            chips_share=known.chips_share,
            retired=known.retired,
        )
    factor = material_factor(row)
    if unknown := sorted(factor.included_processes - base.processes.keys()):
        raise row.error("includes_processes", f"no process has the key {', '.join(unknown)}.")
    families = {material.family for material in base.materials.values()}
    if factor.family not in families:
        known_ones = ", ".join(sorted(families))
        raise row.error("family", f"{factor.family!r} must be one of {known_ones}.")
    own[_unused_key(row, own)] = factor


def _add_process(row: Row, own: dict[str, ProcessFactor], base: FactorTable) -> None:
    """Put the process of this row into `own`; what it leaves out is as in `base`."""
    key = row.text("key")
    known = base.processes.get(key)
    if known is not None:
        row = _filled_from(
            row,
            name=known.name,
            families=known.families,
            per_kg="removed" if known.is_per_kg_removed else "output",
            yield_fraction=known.yield_fraction,
            retired=known.retired,
        )
    factor = process_factor(row)
    families = {material.family for material in base.materials.values()}
    if unknown := sorted(factor.families - families):
        raise row.error("families", f"no material belongs to the family {', '.join(unknown)}.")
    if not factor.families:
        raise row.error("families", "a value is missing.")
    if not factor.range_low <= 1 <= factor.range_high:
        raise row.error("range_low", "range_low must be at most 1, and range_high at least 1.")
    own[_unused_key(row, own)] = factor


def _add_reference(row: Row, own: dict[str, ClassReference]) -> None:
    """Put the published figure of this row into `own`."""
    categories = load_taxonomy().categories
    category = row.text("category")
    if category not in categories:
        raise row.error("category", f"{category!r} must be one of {', '.join(categories)}.")
    subcategories = categories[category].subcategories
    if row.text("subcategory") not in subcategories:
        known = ", ".join(subcategories)
        raise row.error("subcategory", f"{row.text('subcategory')!r} must be one of {known}.")
    factor = class_reference(row)
    if factor is None:
        raise row.error("kg_co2e", "a value is missing.")
    own[_unused_key(row, own)] = factor


def _unused_key(row: Row, own: Container[str]) -> str:
    """The key of the row. Raises FactorTableInvalid where an earlier row has it."""
    key = row.text("key")
    if key in own:
        raise row.error("key", f"{key!r} is listed twice. Remove one row.")
    return key


def _filled_from(row: Row, **known: object) -> Row:
    """The row with its empty cells filled with the values of the factor that it replaces, by
    column.
    """
    cells = {column: _cell(value) for column, value in known.items()}
    given = {column: cell for column, cell in row.cells.items() if cell}
    return replace(row, cells={**row.cells, **cells, **given})


def _cell(value: object) -> str:
    """A value as a factor file writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return "; ".join(sorted(value))
    return str(value)
