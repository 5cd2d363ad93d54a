"""The review workbook: out, edited by another program, in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import xlsxwriter

from tests.support.application import program
from weighbridge.domain.corrections import read_change
from weighbridge.errors import Conflict, InputError
from weighbridge.service.desk.correcting import Request, correct, corrections_of
from weighbridge.service.desk.reviewing import Filter, import_review, write_for_review

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.service.desk.correcting import CorrectedFigure

pytestmark = pytest.mark.anyio

Sheets = dict[str, list[list[Any]]]
SHEETS = ("Products", "Lines", "_Products", "_Lines")


async def _written(running: RunningProgram, path: Path) -> Path:
    await running.add_many(3, weight_kg=0.3, country_of_origin="DE")
    await running.start()
    await running.until(completed=3)
    app = running.app
    assert await write_for_review(app.database, app.questions.steps, path, Filter()) == 3
    return path


def _edited(path: Path, edit: Callable[[Sheets], None]) -> Path:
    """As another program saves it: every cell read, changed and written anew."""
    sheets: Sheets = {}
    for name in SHEETS:
        table = pl.read_excel(path, sheet_name=name)
        sheets[name] = [table.columns, *map(list, table.rows())]
    edit(sheets)
    target = path.with_name("edited.xlsx")
    with xlsxwriter.Workbook(target) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return target


async def _import(running: RunningProgram, path: Path, by: str = "ana") -> list[CorrectedFigure]:
    app = running.app
    return await import_review(app.database, app.factors, app.questions.steps, path, by, "reviewed")


async def _corrections(running: RunningProgram, code: str) -> dict[str, tuple[Any, Any]]:
    found = await corrections_of(running.app.database, code)
    return {
        one.correction.change.target: (one.correction.before, one.correction.after) for one in found
    }


async def test_an_unchanged_workbook_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        path = await _written(running, tmp_path / "review.xlsx")
        assert await _import(running, path) == []
        assert await _import(running, _edited(path, lambda _: None)) == []
        assert await running.value("SELECT count(*) FROM corrections") == 0


async def test_exactly_the_changed_cells_become_corrections(
    database_url: str, tmp_path: Path
) -> None:
    def edit(sheets: Sheets) -> None:
        sheets["Products"][1][3] = 0.6
        mine = [row for row in sheets["Lines"][1:] if row[0] == "P-002"]
        mine[0][4] = "the body"
        mine[0][5] = None
        sheets["Lines"][1:] = reversed(sheets["Lines"][1:])  # sorted another way
        del sheets["Products"][3]  # not looked at

    async with program(database_url, tmp_path) as running:
        path = _edited(await _written(running, tmp_path / "review.xlsx"), edit)
        calls = await running.value("SELECT count(*) FROM calls")
        assert [one.code for one in await _import(running, path)] == ["P-001", "P-002"]
        assert await _corrections(running, "P-001") == {"bill_of_materials.mass_kg": (0.3, 0.6)}
        second = await _corrections(running, "P-002")
        assert second.keys() == {"bill_of_materials.lines.1.component", "manufacturing.lines.1"}
        assert second["manufacturing.lines.1"][1] == []
        assert await _corrections(running, "P-003") == {}
        assert await running.value("SELECT count(*) FROM calls") == calls
        assert await _import(running, path) == []  # it is so already
        await running.assert_sound()


@pytest.mark.parametrize(
    ("sheet", "row", "column", "value", "complaint"),
    [
        ("Products", 2, 3, "heavy", "Products!D3: 'heavy' is not a number"),
        ("Products", 2, 3, -1.0, r"Products!D3: no single product weighs -1 kg"),
        ("Products", 2, 2, "Unicorns", "Products!C3: .*has to be from the list"),
        ("Products", 2, 0, "X-9", "Products!A3: X-9 was not in the exported workbook"),
        ("Lines", 1, 2, "unobtainium", "Lines!C2: .*has to be from the list"),
        ("Lines", 1, 2, None, "Lines!C2: a value is missing"),
        ("Lines", 1, 5, "magic", "Lines!F2: .*has to be from the list"),
        ("Lines", 1, 6, "Atlantis", "Lines!G2: 'Atlantis' is not a known country"),
        ("Lines", 1, 7, "a lot", "Lines!H2: electricity_kwh_per_kg 'a lot' is not a number"),
        ("Lines", 1, 9, 400, "Lines!J2: .*400 kg CO2e per kWh is not possible|no process"),
    ],
)
async def test_a_broken_cell_is_named_and_nothing_changes(
    database_url: str, tmp_path: Path, sheet: str, row: int, column: int, value: Any, complaint: str
) -> None:
    def edit(sheets: Sheets) -> None:
        sheets["Products"][1][3] = 0.6  # sound, and not made either
        sheets[sheet][row][column] = value

    async with program(database_url, tmp_path) as running:
        path = _edited(await _written(running, tmp_path / "review.xlsx"), edit)
        with pytest.raises(InputError, match=complaint):
            await _import(running, path)
        assert await running.value("SELECT count(*) FROM corrections") == 0


async def test_what_is_known_of_processes_goes_out_and_comes_in_by_line(
    database_url: str, tmp_path: Path
) -> None:
    bill = [{"material": "cotton_fibre", "mass_kg": 0.3, "component": "shirt"}]
    made = ["cotton_spinning_conventional", "knitting_circular"]

    def edit(sheets: Sheets) -> None:
        header, row = sheets["Lines"][0], sheets["Lines"][1]
        row[header.index("country")] = "Türkiye; PT"
        row[header.index("heat_kwh_per_kg")] = "; 2.5"

    def edit_again(sheets: Sheets) -> None:
        header, row = sheets["Lines"][0], sheets["Lines"][1]
        assert row[header.index("country")] == "TR; PT"
        assert row[header.index("heat_kwh_per_kg")] == "; 2.5"
        row[header.index("country")] = "tr;Portugal"  # the same in other words
        row[header.index("processes")] = made[0]

    async with program(database_url, tmp_path) as running:
        path = await _written(running, tmp_path / "review.xlsx")
        app = running.app
        tools = (app.database, app.factors, app.questions.steps)
        changes = (
            read_change("bill_of_materials.lines", bill),
            read_change("manufacturing.lines.1", made),
        )
        await correct(*tools, ["P-001"], Request(changes, "ana", ""))
        await write_for_review(app.database, app.questions.steps, path, Filter())
        assert [one.code for one in await _import(running, _edited(path, edit))] == ["P-001"]
        known = [
            {"process": made[0], "country": "TR"},
            {"process": made[1], "country": "PT", "heat_kwh_per_kg": 2.5},
        ]
        latest = (await corrections_of(app.database, "P-001"))[0].correction
        assert latest.after == known
        await write_for_review(app.database, app.questions.steps, path, Filter())
        assert [one.code for one in await _import(running, _edited(path, edit_again))] == ["P-001"]
        latest = (await corrections_of(app.database, "P-001"))[0].correction
        assert (latest.before, latest.after) == (known, known[:1])
        await running.assert_sound()


async def test_a_workbook_from_before_processes_had_facts_is_read(
    database_url: str, tmp_path: Path
) -> None:
    def shorten(sheets: Sheets) -> None:
        for name in ("Lines", "_Lines"):
            sheets[name] = [row[:6] for row in sheets[name]]
        sheets["Products"][1][3] = 0.6

    async with program(database_url, tmp_path) as running:
        path = _edited(await _written(running, tmp_path / "review.xlsx"), shorten)
        assert [one.code for one in await _import(running, path)] == ["P-001"]


async def test_what_somebody_else_corrected_meanwhile_is_not_undone(
    database_url: str, tmp_path: Path
) -> None:
    def edit(sheets: Sheets) -> None:
        sheets["Products"][2][3] = 0.6

    mass = read_change("bill_of_materials.mass_kg", 0.5)
    async with program(database_url, tmp_path) as running:
        path = _edited(await _written(running, tmp_path / "review.xlsx"), edit)
        tools = (running.app.database, running.app.factors, running.app.questions.steps)
        await correct(*tools, ["P-001"], Request((mass,), "ben", ""))
        assert [one.code for one in await _import(running, path)] == ["P-002"]
        assert (await _corrections(running, "P-001")).keys() == {mass.target}
        await correct(*tools, ["P-002"], Request((mass,), "ben", "", replace=True))
        with pytest.raises(Conflict, match="P-002: ben has corrected this already"):
            await _import(running, path)
