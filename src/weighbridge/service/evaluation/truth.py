"""What others published for the products of a catalogue: one figure each, or the range that
published figures span.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.errors import MissingColumn, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Mapping
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
    country: str  # as written; counts where the catalogue has none

    def ratio(self, emissions_kg_co2e: float) -> float:
        """Computed over published: 1 anywhere inside the range, otherwise by its nearer end."""
        nearest = min(max(emissions_kg_co2e, self.low_kg_co2e), self.high_kg_co2e)
        return emissions_kg_co2e / nearest

    @property
    def middle_kg_co2e(self) -> float:
        """The figure, or the geometric middle of the range."""
        return float((self.low_kg_co2e * self.high_kg_co2e) ** 0.5)


def read_truth(path: Path) -> dict[str, Truth]:
    """By code; rows without a figure above 0 are passed over.

    Raises UnreadableFile or MissingColumn naming what is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(f"{path.name} cannot be read as CSV: {error}.") from error
    columns = rows[0].keys() if rows else ()
    figure = next((name for name in FIGURE_COLUMNS if name in columns), None)
    if "code" not in columns or (
        figure is None and not all(name in columns for name in RANGE_COLUMNS)
    ):
        raise MissingColumn(
            f"{path.name} needs the column code, and {' or '.join(FIGURE_COLUMNS)} or both of "
            f"{', '.join(RANGE_COLUMNS)}."
        )
    names = (figure, figure) if figure else RANGE_COLUMNS
    truths = (_truth(row, names) for row in rows)
    return {truth.code: truth for truth in truths if truth is not None}


def _truth(row: Mapping[str, str], names: tuple[str, str]) -> Truth | None:
    """The published figure of a row; None unless it is a number above 0, or a range of such."""
    try:
        low, high = (float(row[name]) for name in names)
    except ValueError:
        return None
    if not 0 < low <= high:
        return None
    return Truth(
        code=row["code"],
        low_kg_co2e=low,
        high_kg_co2e=high,
        sector=row.get("sector") or "",
        maker=row.get("maker") or row.get("company") or "",
        country=row.get("country") or "",
    )
