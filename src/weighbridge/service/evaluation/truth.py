"""Reads the published footprints of the products of a catalogue: for each one figure, or a range of
several.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.errors import MissingColumn, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FIGURE_COLUMNS: Final = ("cradle_to_gate_kg_co2e", "kg_co2e")
RANGE_COLUMNS: Final = ("low_kg_co2e", "high_kg_co2e")


@dataclass(frozen=True, slots=True)
class Truth:
    """What was published for one product, in kg CO2e cradle-to-gate.

    A single figure is a range of no width.
    """

    code: str
    low_kg_co2e: float
    high_kg_co2e: float
    sector: str
    maker: str
    country: str  # as written; used if the catalogue has none

    def ratio(self, emissions_kg_co2e: float) -> float:
        """A computed footprint divided by the published one.

        1 within the published range; outside it, the nearer end of the range is what counts.
        """
        nearest = min(max(emissions_kg_co2e, self.low_kg_co2e), self.high_kg_co2e)
        return emissions_kg_co2e / nearest

    @property
    def middle_kg_co2e(self) -> float:
        """The published figure; of a range, the geometric mean of its ends."""
        return float((self.low_kg_co2e * self.high_kg_co2e) ** 0.5)


@dataclass(frozen=True, slots=True)
class PublishedFigures:
    """The published figures in a file by product code; for other rows, by code and row number, why
    they have none.
    """

    truths: Mapping[str, Truth]
    left_out: Mapping[str, str]


def read_truth(path: Path) -> PublishedFigures:
    """Every row of the file: its figure, or the reason why it has none.

    Raises UnreadableFile or MissingColumn naming what is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            rows = list(reader)
            columns = reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(
            f"{path.name} cannot be read as CSV: {error}. Save it again as CSV."
        ) from error
    figure = next((name for name in FIGURE_COLUMNS if name in columns), None)
    if "code" not in columns or (
        figure is None and not all(name in columns for name in RANGE_COLUMNS)
    ):
        raise MissingColumn(
            f"{path.name} needs the column code, and either {' or '.join(FIGURE_COLUMNS)}, or both "
            f"{' and '.join(RANGE_COLUMNS)}."
        )
    names = (figure,) if figure else RANGE_COLUMNS
    truths: dict[str, Truth] = {}
    left_out: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        code = row["code"].strip()
        place = f"{code or 'no code'} (row {number} of {path.name})"
        try:
            truth = _truth(code, row, names)
        except ValueError as error:
            left_out[place] = str(error)
        else:
            if not code:
                left_out[place] = "a figure needs the code of its product"
            elif truths.setdefault(code, truth) is not truth:
                left_out[place] = "the code appears twice in the file; its first figure is used"
    return PublishedFigures(truths, left_out)


def _truth(code: str, row: Mapping[str, str], names: Sequence[str]) -> Truth:
    """The published figure of a row. Raises ValueError unless it is a number above 0, or a range
    of such.
    """
    figures = [_kg(name, row[name]) for name in names]
    low, high = figures[0], figures[-1]
    if low > high:
        raise ValueError(f"{names[0]} is above {names[-1]}")
    return Truth(
        code=code,
        low_kg_co2e=low,
        high_kg_co2e=high,
        sector=row.get("sector") or "",
        maker=row.get("maker") or row.get("company") or "",
        country=row.get("country") or "",
    )


def _kg(name: str, cell: str) -> float:
    """The cell as kg CO2e. Raises ValueError that names the column and what stands there."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a number above 0, not {cell.strip()[:40]!r}")
    return value
