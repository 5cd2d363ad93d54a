"""The table at the end of a run: at 80 columns it keeps what matters, and its bars can be
compared.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.export.result_rows import completed
from weighbridge.cli.console import PlainConsole
from weighbridge.cli.terminal.display import results_table

if TYPE_CHECKING:
    from weighbridge.export.base import ResultRow

FULL = "██████████"


def lines_of(rows: list[ResultRow], width: int) -> list[str]:
    file = io.StringIO()
    PlainConsole(file=file, width=width).print(results_table(rows, len(rows), width))
    return file.getvalue().splitlines()


def row(code: str, kg_co2e: float, name: str = "A chair") -> ResultRow:
    return replace(
        completed(),
        code=code,
        name=name,
        emissions_kg_co2e=kg_co2e,
        low_kg_co2e=kg_co2e * 0.7,
        high_kg_co2e=kg_co2e * 1.4,
        answered={**completed().answered, "subcategory": "seats_primarily_with_wooden_frames"},
    )


@pytest.mark.parametrize("kg_co2e", [0.001234, 12.34, 123_456.0])
def test_range_and_category_are_kept_at_80_columns(kg_co2e: float) -> None:
    long_name = "A product whose name is much longer than any column of a terminal"
    lines = lines_of([row("A-RATHER-LONG-CODE-0001", kg_co2e, long_name)], 80)
    assert max(map(len, lines)) <= 80
    header = next(line for line in lines if "95 % range" in line)
    assert "category" in header
    shown = next(line for line in lines if "A-RATH" in line)
    assert "seats_" in shown
    assert " – " in shown
    assert shown.rstrip().endswith(FULL)


def test_figures_have_two_significant_digits() -> None:
    (shown,) = [line for line in lines_of([row("P-1", 12.345)], 80) if line.startswith("P-1")]
    assert " 12 " in shown
    assert "8.6 – 17" in shown


def test_bar_half_as_long_is_half_as_much_and_the_scale_is_stated() -> None:
    lines = lines_of([row("P-1", 20), row("P-2", 10), row("P-3", 1)], 80)
    bars = [line.rstrip().split(" ")[-1] for line in lines if line.startswith("P-")]
    assert bars == [FULL, "█████", "▌"]
    assert any("Bars are linear: a full one is 20 kg CO2e." in line for line in lines)
