"""What the columns of CSV and XLSX say, and that the reference page says the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.export.result_rows import COLUMNS, FIELDS, completed, contribution, failed
from weighbridge.domain.quantities import Origin
from weighbridge.domain.results import ContributionKind
from weighbridge.export.columns import Cell, top_contributions
from weighbridge.export.parquet_writer import schema_of
from weighbridge.export.workbook.contributions import CONTRIBUTIONS

if TYPE_CHECKING:
    from weighbridge.export.base import ResultRow

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "export-columns.md"


def cells(row: ResultRow | None = None) -> dict[str, Cell]:
    """The chair's cells by column name, or another row's."""
    return {column.name: column.value(row or completed()) for column in COLUMNS}


def test_footprints_are_rounded_to_four_significant_digits() -> None:
    found = cells()
    assert found["emissions_kg_co2e"] == 12.35
    assert found["low_kg_co2e"] == 8.0
    assert found["high_kg_co2e"] == 17.0


def test_a_mass_keeps_its_digits_without_rounding_noise() -> None:
    given_mass = dataclasses.replace(completed(), mass_kg=1234.5678)
    added_mass = dataclasses.replace(completed(), mass_kg=0.1 + 0.2, mass_origin=Origin.INFERRED)
    assert cells(given_mass)["mass_kg"] == 1234.5678
    assert (cells(added_mass)["mass_kg"], cells(added_mass)["mass_origin"]) == (0.3, "inferred")


def test_a_failed_product_has_an_error_and_no_figure() -> None:
    found = cells(failed())
    assert found["status"] == "failed"
    assert str(found["error"]).startswith("The weight of 1,000 kg")
    assert found["simulated"] == "no"
    filled = {name for name, cell in found.items() if cell not in (None, "")}
    assert filled == {"code", "name", "status", "error", "simulated"}


def test_simulated_results_are_labelled() -> None:
    assert cells(completed(simulated=True))["simulated"] == "yes"
    assert cells(completed(simulated=False))["simulated"] == "no"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_nan_leaves_its_cell_empty(value: float) -> None:
    row = dataclasses.replace(
        completed(), emissions_kg_co2e=value, mass_kg=value, cost_usd=value, high_kg_co2e=value
    )
    found = cells(row)
    assert [found[n] for n in ("emissions_kg_co2e", "mass_kg", "cost_usd", "high_kg_co2e")] == [
        None
    ] * 4


def test_the_three_largest_contributions_are_named_and_electricity_is_gathered() -> None:
    assert cells()["top_contributions"] == (
        "Stainless steel 62 %; Polypropylene 20 %; electricity 15 %"
    )


def test_a_tiny_contribution_is_not_shown_as_zero() -> None:
    large = contribution("Steel", 1000.0)
    small = contribution("Gas", 0.1, ContributionKind.PROCESS_HEAT)
    assert top_contributions((large, small), (0.9999, 0.0001)) == "Steel 100 %; heat <1 %"


def test_without_shares_nothing_is_named() -> None:
    assert top_contributions((contribution("Wood", 0.0),), (0.0,)) == ""


def test_the_routes_have_columns_of_their_own() -> None:
    found = cells()
    assert (found["bill_kg_co2e"], found["class_kg_co2e"]) == (12.35, 15.0)
    assert found["decided_by"] == "both agree"


def test_notes_are_in_the_table() -> None:
    assert cells()["notes"] == "one proxy factor"


def test_the_reference_page_lists_every_column_with_its_unit_and_meaning() -> None:
    page = REFERENCE.read_text(encoding="utf-8")
    for column in COLUMNS:
        assert f"| `{column.name}` | {column.unit or '–'} | {column.meaning} |" in page


def test_the_reference_page_lists_every_column_of_contributions() -> None:
    page = REFERENCE.read_text(encoding="utf-8")
    for column, unit, meaning in CONTRIBUTIONS:
        assert f"| `{column.name}` | {unit or '–'} | {meaning} |" in page


def test_the_reference_page_lists_every_parquet_column() -> None:
    parquet = REFERENCE.read_text(encoding="utf-8").split("## Parquet")[1]
    listed = re.findall(r"^\| `(\w+)` \|", parquet, flags=re.MULTILINE)
    assert listed == list(schema_of(FIELDS))
