"""One row of a factor file, checked cell by cell: every complaint names the file, the row and the
column.

Used by the bundled tables and by a user's own. Rows count as a person does: the header is row 1.
`NA` is Namibia's code and not a missing value; only an empty cell is missing.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from weighbridge.carbon.factors import (
    Citation,
    ClassReference,
    ComponentFactor,
    ElectricityFactor,
    HeatFactor,
    MaterialFactor,
    ProcessFactor,
    RangedValue,
)
from weighbridge.errors import BadCell, FactorTableInvalid, MissingColumn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

KG_CO2E_PER_KG: Final = "kg CO2e/kg"
KG_CO2E_PER_KWH: Final = "kg CO2e/kWh"


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row by column name."""

    file: str
    number: int
    cells: Mapping[str, str]

    def error(self, column: str, complaint: str) -> FactorTableInvalid:
        """The error to raise about one cell."""
        return FactorTableInvalid(
            f"{self.file}, row {self.number}, column {column}: {complaint}",
            [BadCell(self.number, column, complaint)],
        )

    def text(self, column: str) -> str:
        """The cell, which may not be empty."""
        value = self.cells.get(column, "")
        if not value:
            raise self.error(column, "a value is missing.")
        return value

    def optional(self, column: str, default: str) -> str:
        """The cell, or `default` where it is empty or the file does not have the column."""
        return self.cells.get(column, "") or default

    def as_number(self, column: str) -> float:
        """The cell as a finite number."""
        text = self.text(column)
        try:
            number = float(text)
        except ValueError:
            raise self.error(column, f"{text!r} is not a number; write it like 1.25.") from None
        if not math.isfinite(number):
            raise self.error(column, f"{text!r} is not a finite number.")
        return number

    def positive(self, column: str) -> float:
        """The cell as a number above 0."""
        number = self.as_number(column)
        if number <= 0:
            raise self.error(column, f"{number} must be above 0.")
        return number

    def not_negative(self, column: str) -> float:
        """The cell as a number of 0 or more."""
        number = self.as_number(column)
        if number < 0:
            raise self.error(column, f"{number} must not be below 0.")
        return number

    def yes(self, column: str) -> bool:
        """Whether the cell says yes; no is the default."""
        return self.one_of(column, ("no", "yes"), default="no") == "yes"

    def one_of(self, column: str, allowed: Collection[str], default: str) -> str:
        """The cell, which must be one of `allowed`."""
        value = self.optional(column, default)
        if value not in allowed:
            raise self.error(column, f"{value!r} must be one of {', '.join(allowed)}.")
        return value

    def several(self, column: str) -> frozenset[str]:
        """The cell as a list separated by semicolons; empty by default."""
        parts = (part.strip() for part in self.optional(column, "").split(";"))
        return frozenset(part for part in parts if part)

    def ranged(self, unit: str) -> RangedValue:
        """The columns value, low and high. The column `unit` must state this unit."""
        if self.text("unit") != unit:
            raise self.error("unit", f"{self.text('unit')!r} must be {unit!r}.")
        value, low, high = (self.as_number(column) for column in ("value", "low", "high"))
        if not low <= value:
            raise self.error("low", f"{low} is above the value {value}.")
        if not value <= high:
            raise self.error("high", f"{high} is below the value {value}.")
        return RangedValue(value, low, high)

    def citation(self, region: str | None = None) -> Citation:
        """The source that the row names; `region` replaces the column of that name."""
        return Citation(
            source=self.text("source"),
            source_id=self.text("source_id"),
            year=self.text("year"),
            region=region or self.text("region"),
            licence=self.text("licence"),
        )

    def proxy_reason(self) -> str | None:
        """Why the row is a proxy; None when it is not one."""
        return self.text("proxy_reason") if self.yes("is_proxy") else None

    def technological_quality(self) -> int:
        """PACT's technological rating of the row."""
        return int(self.one_of("technological_quality", ("1", "2", "3"), default="2"))


def read_rows(stream: IO[str], file: str, required: Collection[str]) -> Iterator[Row]:
    """The rows of a CSV file with a header, separated by commas or semicolons.

    Cells are stripped of surrounding blanks, and rows without any value are passed over. Raises
    MissingColumn when a required column is not there, FactorTableInvalid when a row has too many
    cells.
    """
    header_line = stream.readline()
    separator = ";" if header_line.count(";") > header_line.count(",") else ","
    header = [name.strip() for name in next(csv.reader([header_line], delimiter=separator), [])]
    missing = [column for column in required if column not in header]
    if missing:
        raise MissingColumn(
            f"{file} has no column {', '.join(missing)}. It needs {', '.join(required)}; "
            f"it has {', '.join(header) or 'none'}."
        )
    try:
        for number, cells in enumerate(csv.reader(stream, delimiter=separator, strict=True), 2):
            if len(cells) > len(header):
                raise FactorTableInvalid(
                    f"{file}, row {number}: {len(cells)} cells under {len(header)} columns. "
                    "Put quotation marks around a cell that contains the separator."
                )
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield Row(file, number, dict(zip(header, stripped, strict=False)))
    except csv.Error as error:
        raise FactorTableInvalid(
            f"{file} cannot be read as CSV: {error}. Save it again as CSV."
        ) from error


MATERIAL_COLUMNS: Final = (
    "key",
    "name",
    "family",
    "value",
    "low",
    "high",
    "unit",
    "source",
    "source_id",
    "year",
    "region",
    "licence",
)
"""Columns that every row of a material must have; the other columns of the bundled file are
optional.
"""


def material_factor(row: Row) -> MaterialFactor:
    """The factor in a row of a materials file."""
    return MaterialFactor(
        key=row.text("key"),
        name=row.text("name"),
        family=row.text("family"),
        kg_co2e_per_kg=row.ranged(KG_CO2E_PER_KG),
        citation=row.citation(),
        recycled=row.yes("recycled"),
        includes_forming=row.yes("includes_forming"),
        complete_article=row.yes("complete_article"),
        included_processes=row.several("includes_processes"),
        technological_quality=row.technological_quality(),
        proxy_reason=row.proxy_reason(),
        retired=row.yes("retired"),
        replaced_by=row.optional("replaced_by", "") or None,
        chips_share=_share(row, "chips_share"),
        recycled_content=_share(row, "recycled_content"),
        recycled_as=row.optional("recycled_as", "") or None,
        choice=row.optional("choice", "") or None,
    )


def _share(row: Row, column: str) -> float:
    """The cell as a number of 0 or more; 0 where it is empty."""
    return row.not_negative(column) if row.optional(column, "") else 0.0


PROCESS_COLUMNS: Final = (
    "key",
    "name",
    "families",
    "kwh_electricity_per_kg",
    "kwh_heat_per_kg",
    "kg_co2e_per_kg",
    "per_kg",
    "yield_fraction",
    "range_low",
    "range_high",
    "source",
    "source_id",
    "year",
    "region",
    "licence",
)


def process_factor(row: Row) -> ProcessFactor:
    """The factor in a row of a processes file."""
    yield_fraction = row.positive("yield_fraction")
    if yield_fraction > 1:
        raise row.error(
            "yield_fraction",
            f"{yield_fraction} is above 1: the process would put out more than goes in.",
        )
    return ProcessFactor(
        key=row.text("key"),
        name=row.text("name"),
        families=row.several("families"),
        kwh_electricity_per_kg=row.not_negative("kwh_electricity_per_kg"),
        kwh_heat_per_kg=row.not_negative("kwh_heat_per_kg"),
        kg_co2e_per_kg=row.not_negative("kg_co2e_per_kg"),
        yield_fraction=yield_fraction,
        citation=row.citation(),
        range_low=row.positive("range_low"),
        range_high=row.positive("range_high"),
        is_per_kg_removed=row.one_of("per_kg", ("output", "removed"), "output") == "removed",
        technological_quality=row.technological_quality(),
        proxy_reason=row.proxy_reason(),
        retired=row.yes("retired"),
    )


ELECTRICITY_COLUMNS: Final = (
    "country",
    "name",
    "world_region",
    "value",
    "low",
    "high",
    "unit",
    "source",
    "source_id",
    "year",
    "licence",
)


def electricity_factor(row: Row) -> ElectricityFactor:
    """The factor in a row of the electricity file; its region is the country itself."""
    country = row.text("country")
    return ElectricityFactor(
        country=country,
        name=row.text("name"),
        world_region=row.text("world_region"),
        kg_co2e_per_kwh=row.ranged(KG_CO2E_PER_KWH),
        citation=row.citation(region=country),
    )


HEAT_COLUMNS: Final = (
    "key",
    "name",
    "value",
    "low",
    "high",
    "unit",
    "source",
    "source_id",
    "year",
    "region",
    "licence",
)


def heat_factor(row: Row) -> HeatFactor:
    """The factor in a row of the heat file."""
    return HeatFactor(
        key=row.text("key"),
        name=row.text("name"),
        kg_co2e_per_kwh=row.ranged(KG_CO2E_PER_KWH),
        citation=row.citation(),
    )


COMPONENT_COLUMNS: Final = (
    "attribute",
    "name",
    "replaces",
    "unit",
    "value",
    "low",
    "high",
    "max_per_product",
    "lightest_kg_per_unit",
    "source",
    "source_id",
    "year",
    "region",
    "licence",
)


def component_factor(row: Row) -> ComponentFactor:
    """The factor in a row of the components file, whose unit is written "kg CO2e/GB"."""
    unit = row.text("unit")
    return ComponentFactor(
        attribute=row.text("attribute"),
        name=row.text("name"),
        replaces=row.several("replaces"),
        unit=unit.removeprefix("kg CO2e/"),
        kg_co2e_per_unit=row.ranged(unit),
        largest=row.positive("max_per_product"),
        lightest_kg_per_unit=row.positive("lightest_kg_per_unit"),
        citation=row.citation(),
        proxy_reason=row.proxy_reason(),
        largest_by_kind=_largest_by_kind(row),
    )


def _largest_by_kind(row: Row) -> tuple[tuple[str, float], ...]:
    """(Subcategory, largest value) pairs, written "Smartphones 12;Tablets 25"."""
    entries = filter(None, row.optional("max_by_kind", "").split(";"))
    split = (entry.strip().rpartition(" ") for entry in entries)
    return tuple((kind, float(largest)) for kind, _, largest in split)


REFERENCE_COLUMNS: Final = (
    "key",
    "category",
    "subcategory",
    "name",
    "maker",
    "kg_co2e",
    "per",
    "mass_kg",
    "boundary",
    "source",
    "source_id",
    "year",
    "region",
    "licence",
)


def class_reference(row: Row) -> ClassReference | None:
    """The published figure in a row; None where the row has no figure up to the gate."""
    if not row.optional("kg_co2e", ""):
        return None
    has_range = bool(row.optional("low", ""))
    return ClassReference(
        key=row.text("key"),
        category=row.text("category"),
        subcategory=row.text("subcategory"),
        name=row.text("name"),
        maker=row.text("maker"),
        kg_co2e=row.positive("kg_co2e"),
        per_kg=row.one_of("per", ("unit", "kg"), "unit") == "kg",
        mass_kg=row.positive("mass_kg") if row.optional("mass_kg", "") else None,
        range_log_sigma=_range_log_sigma(row) if has_range else 0.0,
        count=int(row.positive("count")) if row.optional("count", "") else 1,
        citation=row.citation(),
        needs=frozenset(filter(None, row.optional("needs", "").split(";"))),
    )


def _range_log_sigma(row: Row) -> float:
    """The standard deviation of the logarithm, from the 95 % range of the row."""
    low, high = row.positive("low"), row.positive("high")
    if high < low:
        raise row.error("high", f"{high} is below low {low}.")
    return math.log(high / low) / (2 * 1.96)
