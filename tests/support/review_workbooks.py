"""Review workbooks as people change them: cells of all kinds, each to another value that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import xlsxwriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    from weighbridge.carbon.factors import FactorTable

Sheets = dict[str, list[list[Any]]]
SHEETS: Final = ("Products", "Lines", "_Products", "_Lines")
Cell = tuple[str, int, int]
"""Sheet, row and column, counted from 0."""


class Unstored(str):
    """A formula as a script writes it: without its result."""

    __slots__ = ()


def sheets_of(path: Path) -> Sheets:
    """Every cell, with the header as the first row."""
    found: Sheets = {}
    for name in SHEETS:
        table = pl.read_excel(path, sheet_name=name, infer_schema_length=None)
        found[name] = [table.columns, *map(list, table.rows())]
    return found


def edited(path: Path, edit: Callable[[Sheets], None]) -> Path:
    """As another program saves it: every cell read, changed and written anew."""
    sheets = sheets_of(path)
    edit(sheets)
    target = path.with_name("edited.xlsx")
    with xlsxwriter.Workbook(target) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, value in enumerate(row):
                    if isinstance(value, Unstored):
                        sheet.write_formula(number, column, value, None, "")
                    else:
                        sheet.write(number, column, value)
    return target


def change_cells(sheets: Sheets, count: int, random: Random, factors: FactorTable) -> list[Cell]:
    """Change so many cells, at most one of a line of a bill; returns which."""
    made = list(_changes(sheets, random, factors))
    random.shuffle(made)
    chosen: list[Cell] = []
    touched: set[Any] = set()
    for cell, value, belongs in made:
        if len(chosen) < count and not touched & belongs:
            sheet, row, column = cell
            sheets[sheet][row][column] = value
            chosen.append(cell)
            touched |= belongs
    assert len(chosen) == count
    return chosen


def _changes(
    sheets: Sheets, random: Random, factors: FactorTable
) -> Iterator[tuple[Cell, Any, set[Any]]]:
    """A new value for each cell, with what no second change may be of."""
    products = sheets["Products"]
    at = products[0].index
    kinds = sorted({row[at("subcategory")] for row in products[1:]})
    for number, row in enumerate(products[1:], start=1):
        others = [kind for kind in kinds if kind != row[at("subcategory")]]
        code = row[at("code")]
        yield ("Products", number, at("subcategory")), random.choice(others), {(code, "kind")}
        heavier = round(row[at("mass_kg")] * random.uniform(1.05, 1.3), 4)
        yield ("Products", number, at("mass_kg")), heavier, {(code, "mass")}
    lines = sheets["Lines"]
    at = lines[0].index
    for number, row in enumerate(lines[1:], start=1):
        for name, value in _of_line(dict(zip(lines[0], row, strict=True)), random, factors):
            of_mass = {(row[at("code")], "mass")} if name == "mass_kg" else set()
            yield ("Lines", number, at(name)), value, {("Lines", number), *of_mass}


def _of_line(
    line: dict[str, Any], random: Random, factors: FactorTable
) -> Iterator[tuple[str, Any]]:
    now = factors.materials[line["material"]]
    alike = [
        key
        for key, one in factors.materials.items()
        if one.family == now.family and not one.includes_forming and not one.retired and one != now
    ]
    if alike and not now.includes_forming:
        yield "material", random.choice(alike)
    yield "mass_kg", round(line["mass_kg"] * random.uniform(1.02, 1.1), 5)
    yield "component", f"part {random.randrange(1000)}"
    done = [one.strip() for one in (line["processes"] or "").split(";") if one.strip()]
    if not done:
        return
    yield "processes", "; ".join(done[:-1]) or None
    grids = [key for key in factors.electricity if len(key) == 2]
    yield "country", "; ".join(random.choice(grids) for _ in done)
    for name in ("electricity_kwh_per_kg", "heat_kwh_per_kg", "heat_kg_co2e_per_kwh"):
        numbers = [round(random.uniform(0.1, 2.0), 3) for _ in done]
        yield name, numbers[0] if len(done) == 1 else "; ".join(map(str, numbers))
    yield "energy_source", f"meter {random.randrange(1000)}"
