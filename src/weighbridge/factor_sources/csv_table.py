"""A user's own material factors, from a CSV file with the columns of the bundled one.

A row whose key the base table knows replaces that factor (a supplier's figure for its steel); any
other row adds a material. Everything else comes from the base: processes, electricity, heat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from weighbridge.carbon.factors import FactorTable
from weighbridge.errors import FactorTableInvalid, UnreadableFile
from weighbridge.factor_sources.base import FactorSource
from weighbridge.factor_sources.rows import MATERIAL_COLUMNS, Row, material_factor, read_rows

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.carbon.factors import MaterialFactor


class CsvMaterials(FactorSource):
    """The factors of `base` with the rows of a CSV file put over them."""

    def __init__(self, path: Path, base: FactorSource) -> None:
        self._path = path
        self._base = base

    @override
    def load(self) -> FactorTable:
        base = self._base.load()
        own = self._read(base)
        return FactorTable.of(
            name=f"{base.name} + {self._path.name}",
            materials={**base.materials, **own}.values(),
            processes=base.processes.values(),
            electricity=base.electricity.values(),
            heat=base.heat,
            components=base.components.values(),
            references=[one for kind in base.references.values() for one in kind],
        )

    def _read(self, base: FactorTable) -> dict[str, MaterialFactor]:
        own: dict[str, MaterialFactor] = {}
        try:
            # utf-8-sig: spreadsheets put a byte-order mark in front of the header.
            with self._path.open(encoding="utf-8-sig", newline="") as stream:
                for row in read_rows(stream, self._path.name, MATERIAL_COLUMNS):
                    factor = material_factor(row)
                    if factor.key in own:
                        raise row.error("key", f"{factor.key!r} is listed twice. Remove one row.")
                    _check_processes(row, factor, base)
                    own[factor.key] = factor
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableFile(
                f"{self._path.name} cannot be read as UTF-8 text: {error}."
            ) from error
        if not own:
            raise FactorTableInvalid(f"{self._path.name} has no factors: only a header.")
        return own


def _check_processes(row: Row, factor: MaterialFactor, base: FactorTable) -> None:
    unknown = sorted(factor.included_processes - base.processes.keys())
    if unknown:
        raise row.error("includes_processes", f"there are no processes {', '.join(unknown)}.")
