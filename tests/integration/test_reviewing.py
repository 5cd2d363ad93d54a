"""The review workbook: out, edited by another program, in again."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import polars as pl
import pytest

from tests.support.application import program
from tests.support.review_workbooks import Unstored, change_cells, edited, sheets_of
from weighbridge.domain.corrections import read_change
from weighbridge.errors import Conflict, InputError, NotFound
from weighbridge.ingest.formats.xlsx.rows import column_letters
from weighbridge.service.desk.correcting import Request, correct, corrections_of
from weighbridge.service.desk.process_cells import FACT_COLUMNS
from weighbridge.service.desk.review_workbook import COLUMNS, EDITABLE
from weighbridge.service.desk.reviewing import Filter, Reviewed, import_review, write_for_review

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.application import RunningProgram
    from tests.support.review_workbooks import Cell, Sheets
    from weighbridge.carbon.factors import FactorTable
    from weighbridge.service.desk.correcting import CorrectedFigure

pytestmark = pytest.mark.anyio


async def _written(running: RunningProgram, path: Path) -> Path:
    await running.add_many(3, weight_kg=0.3, country_of_origin="DE")
    await running.start()
    await running.until(completed=3)
    app = running.app
    assert await write_for_review(app.database, app.questions.steps, path, Filter()) == 3
    return path


async def _import(running: RunningProgram, path: Path, by: str = "ana") -> list[CorrectedFigure]:
    return (await _reviewed(running, path, by)).figures


async def _reviewed(running: RunningProgram, path: Path, by: str = "ana") -> Reviewed:
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
        assert await _import(running, edited(path, lambda _: None)) == []
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
        path = edited(await _written(running, tmp_path / "review.xlsx"), edit)
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


async def test_the_changed_cells_of_one_process_are_one_correction(
    database_url: str, tmp_path: Path
) -> None:
    def edit(sheets: Sheets) -> None:
        of_process = sheets["Lines"][0].index("processes")
        lines = [row for row in sheets["Lines"][1:] if row[of_process]]
        for row in lines:
            done = row[of_process].split(";")
            values = {
                "component": "the body",
                "country": "PL",
                "electricity_kwh_per_kg": "; ".join("2.5" for _ in done),
                "heat_kwh_per_kg": "; ".join("0.5" for _ in done),
                "energy_source": "the meter",
            }
            for name, value in values.items():
                row[sheets["Lines"][0].index(name)] = value

    async with program(database_url, tmp_path) as running:
        path = edited(await _written(running, tmp_path / "review.xlsx"), edit)
        await _import(running, path)
        rows = await running.fetch("SELECT product_id, path, before, after FROM corrections")
        assert len({(row["product_id"], *row["path"]) for row in rows}) == len(rows)
        processes = [row for row in rows if len(row["path"]) == 2]
        assert processes
        for row in processes:
            assert not any("country" in one for one in row["before"])  # as the model gave it
            assert all(
                (one["country"], one["electricity_kwh_per_kg"], one["energy_source"])
                == ("PL", 2.5, "the meter")
                for one in row["after"]
            )
        (version, *_) = await running.fetch(
            "SELECT detail #> '{cause,targets}' AS targets FROM footprints ORDER BY product_id"
        )
        assert len(version["targets"]) == len(set(version["targets"]))
        await running.assert_sound()


async def test_a_process_that_ends_as_it_was_is_no_correction(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _written(running, tmp_path / "review.xlsx")
        app = running.app
        target = "manufacturing.lines.1.country"
        there_and_back = tuple(read_change(target, country) for country in ("PL", None))
        request = Request(there_and_back, "ana", "")
        tools = (app.database, app.factors, app.questions.steps)
        assert await correct(*tools, ["P-001"], request) == []
        assert await running.value("SELECT count(*) FROM corrections") == 0


@pytest.mark.parametrize(
    ("sheet", "row", "column", "value", "complaint"),
    [
        ("Products", 2, 3, "heavy", "Products!D3: 'heavy' is not a number"),
        ("Products", 2, 3, -1.0, r"Products!D3: no single product weighs -1 kg"),
        ("Products", 2, 2, "Unicorns", "Products!C3: .*has to be one of the allowed values"),
        ("Products", 2, 0, "X-9", "Products!A3: X-9 was not in the exported workbook"),
        ("Lines", 1, 2, "unobtainium", "Lines!C2: .*has to be one of the allowed values"),
        ("Lines", 1, 2, None, "Lines!C2: a value is missing"),
        ("Lines", 1, 5, "magic", "Lines!F2: .*has to be one of the allowed values"),
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
        path = edited(await _written(running, tmp_path / "review.xlsx"), edit)
        with pytest.raises(InputError, match=complaint):
            await _import(running, path)
        assert await running.value("SELECT count(*) FROM corrections") == 0


async def test_a_formula_without_its_result_erases_no_value(
    database_url: str, tmp_path: Path
) -> None:
    expected = []

    def edit(sheets: Sheets) -> None:
        for sheet, columns in EDITABLE.items():
            for column in columns:
                at = sheets[sheet][0].index(column)
                sheets[sheet][1][at] = Unstored("=A1")
                expected.append(f"{sheet}!{column_letters(at)}2: the cell holds a formula")

    async with program(database_url, tmp_path) as running:
        path = edited(await _written(running, tmp_path / "review.xlsx"), edit)
        with pytest.raises(InputError) as caught:
            await _import(running, path)
        assert [text for text in expected if text not in str(caught.value)] == []
        assert await running.value("SELECT count(*) FROM corrections") == 0


TEXTS = (
    ("Steel bottle", "A bottle of stainless steel with a lid of polypropylene", 0.3),
    ("T-shirt", "A T-shirt of cotton", 0.2),
    ("Chair", "A chair of wood and steel", 6.0),
    ("Box", "A box of polypropylene", 1.5),
    ("Shoe", "A running shoe of polyester and rubber", 0.6),
)
FOLLOWS = {
    ("Products", "kg_co2e"),
    ("Products", "notes"),
    ("Products", "mass_kg"),
    ("Lines", "mass_kg"),
}
"""What changes with other cells: figures, and masses with those of the product or its lines."""


def _with_fifty_changes(path: Path, seed: int, factors: FactorTable) -> tuple[Path, list[Cell]]:
    changed: list[Cell] = []

    def edit(sheets: Sheets) -> None:
        changed.extend(change_cells(sheets, 50, Random(seed), factors))

    return edited(path, edit), changed


def _assert_same_but_what_follows(asked: Sheets, now: Sheets, changed: Sequence[Cell]) -> None:
    """What is known of processes goes with them."""
    for sheet in COLUMNS:
        header = asked[sheet][0]
        worked = header.index("processes") if "processes" in header else 0
        for row, (told, found) in enumerate(zip(asked[sheet], now[sheet], strict=True)):
            for column, name in enumerate(header):
                if (sheet, row, column) not in changed and (
                    (sheet, name) in FOLLOWS
                    or (name in FACT_COLUMNS and (sheet, row, worked) in changed)
                ):
                    continue
                assert str(found[column]) == str(told[column]), (sheet, row, name)


async def test_fifty_cells_of_all_kinds_change_and_nothing_else(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add(
            *(
                {
                    "code": f"P-{5 * n + k:03}",
                    "name": name,
                    "description": f"{text}, number {n}",
                    "weight_kg": weight_kg,
                    "country_of_origin": "DE",
                }
                for n in range(5)
                for k, (name, text, weight_kg) in enumerate(TEXTS)
            )
        )
        await running.start()
        await running.until(completed=25)
        app = running.app
        calls = await running.value("SELECT count(*) FROM calls")
        path = tmp_path / "review.xlsx"
        for seed in range(2):
            await write_for_review(app.database, app.questions.steps, path, Filter())
            wanted, changed = _with_fifty_changes(path, seed, app.factors)
            earlier = await running.value("SELECT count(*) FROM corrections")
            await _import(running, wanted)
            assert await running.value("SELECT count(*) FROM corrections") == earlier + 50
            await write_for_review(app.database, app.questions.steps, path, Filter())
            _assert_same_but_what_follows(sheets_of(wanted), sheets_of(path), changed)
            assert await _import(running, wanted) == []
        assert await running.value("SELECT count(*) FROM calls") == calls
        await running.assert_sound()


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
        assert [one.code for one in await _import(running, edited(path, edit))] == ["P-001"]
        known = [
            {"process": made[0], "country": "TR"},
            {"process": made[1], "country": "PT", "heat_kwh_per_kg": 2.5},
        ]
        latest = (await corrections_of(app.database, "P-001"))[0].correction
        assert latest.after == known
        await write_for_review(app.database, app.questions.steps, path, Filter())
        assert [one.code for one in await _import(running, edited(path, edit_again))] == ["P-001"]
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
        path = edited(await _written(running, tmp_path / "review.xlsx"), shorten)
        assert [one.code for one in await _import(running, path)] == ["P-001"]


async def test_what_somebody_else_corrected_meanwhile_is_not_undone(
    database_url: str, tmp_path: Path
) -> None:
    def edit(sheets: Sheets) -> None:
        sheets["Products"][2][3] = 0.6

    mass = read_change("bill_of_materials.mass_kg", 0.5)
    async with program(database_url, tmp_path) as running:
        path = edited(await _written(running, tmp_path / "review.xlsx"), edit)
        tools = (running.app.database, running.app.factors, running.app.questions.steps)
        await correct(*tools, ["P-001"], Request((mass,), "ben", ""))
        assert [one.code for one in await _import(running, path)] == ["P-002"]
        assert (await _corrections(running, "P-001")).keys() == {mass.target}
        await correct(*tools, ["P-002"], Request((mass,), "ben", "", replace=True))
        with pytest.raises(
            Conflict, match=r"^Products!D3: ben has corrected this already: .* \(P-002\)$"
        ):
            await _import(running, path)


@pytest.mark.parametrize(
    ("meanwhile", "complaint"),
    [
        ("SET code = 'X-1'", r"no product P-002 \(Products!D3, Lines!E\d+\)"),
        (
            "SET status = 'failed', error = 'refused'",
            r"Not processed yet.*: P-002 \(Products!D3, Lines!E\d+\)",
        ),
    ],
)
async def test_cells_of_a_product_that_is_gone_or_has_no_answers_are_named(
    database_url: str, tmp_path: Path, meanwhile: str, complaint: str
) -> None:
    def edit(sheets: Sheets) -> None:
        sheets["Products"][2][3] = 0.6
        next(row for row in sheets["Lines"] if row[0] == "P-002")[4] = "the body"

    async with program(database_url, tmp_path) as running:
        path = edited(await _written(running, tmp_path / "review.xlsx"), edit)
        await running.app.database.pool.execute(f"UPDATE products {meanwhile} WHERE code = 'P-002'")
        with pytest.raises((Conflict, NotFound), match=complaint):
            await _import(running, path)
        assert await running.value("SELECT count(*) FROM corrections") == 0


@pytest.mark.parametrize("name", ["review.csv", "review.ods", "review.xlsx"])
async def test_a_file_of_another_kind_is_refused_with_what_to_do(
    database_url: str, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_text("code,mass_kg\nP-001,0.5\n", encoding="utf-8")
    async with program(database_url, tmp_path) as running:
        with pytest.raises(InputError, match=f"{name} is not an XLSX workbook. Save .* as .xlsx"):
            await _import(running, path)


async def test_every_bad_cell_of_every_kind_is_named_at_once(
    database_url: str, tmp_path: Path
) -> None:
    def edit(sheets: Sheets) -> None:
        sheets["Products"][1][3] = "heavy"
        sheets["Products"][2][2] = "Unicorns"
        sheets["Products"][3][3] = 0.7  # ben has corrected it
        sheets["Products"].append(["X-9", "", "", 1.0, 1.0, ""])
        sheets["Lines"][1][2] = "unobtainium"
        sheets["Lines"][1][5] = "magic"
        sheets["Lines"][2][6] = "Atlantis"
        sheets["Lines"].append(["P-003", 99, "pp_resin", 0.1, "", "", *[None] * len(FACT_COLUMNS)])

    async with program(database_url, tmp_path) as running:
        written = await _written(running, tmp_path / "review.xlsx")
        request = Request((read_change("bill_of_materials.mass_kg", 0.4),), "ben", "")
        app = running.app
        await correct(app.database, app.factors, app.questions.steps, ["P-003"], request)
        with pytest.raises(InputError) as refused:
            await _import(running, edited(written, edit))
        lines = str(refused.value).splitlines()
        last = len(sheets_of(written)["Lines"]) + 1
        cells = ["Products!D2", "Products!C3", "Products!D4", "Products!A5"]
        cells += ["Lines!C2", "Lines!F2", "Lines!G3", f"Lines!B{last}"]
        assert sorted(line.partition(":")[0] for line in lines) == sorted(cells), lines
        (new,) = (line for line in lines if line.startswith(f"Lines!B{last}"))
        assert "weighbridge bills FILE" in new
        assert await running.value("SELECT count(*) FROM corrections") == 1


async def test_cells_that_are_only_shown_are_left_out_and_named(
    database_url: str, tmp_path: Path
) -> None:
    def edit(sheets: Sheets) -> None:
        sheets["Products"][1][1] = "Another name"
        sheets["Products"][2][4] = 99.0
        sheets["Products"][3][3] = 0.6

    async with program(database_url, tmp_path) as running:
        path = edited(await _written(running, tmp_path / "review.xlsx"), edit)
        done = await _reviewed(running, path)
        assert [one.code for one in done.figures] == ["P-003"]
        assert [sentence.split()[0] for sentence in done.left_out] == ["Products!B2", "Products!E3"]


@pytest.mark.parametrize("sheet", ["Products", "Lines", "_Products", "_Lines"])
async def test_a_sheet_or_a_column_that_is_gone_is_named(
    database_url: str, tmp_path: Path, sheet: str
) -> None:
    def without_sheet(sheets: Sheets) -> None:
        del sheets[sheet]

    def without_column(sheets: Sheets) -> None:
        sheets[sheet][0][3] = "weight"

    async with program(database_url, tmp_path) as running:
        written = await _written(running, tmp_path / "review.xlsx")
        with pytest.raises(InputError, match=f"lost its .*sheet {sheet}"):
            await _import(running, edited(written, without_sheet))
        with pytest.raises(InputError, match=f"Sheet {sheet} has no column mass_kg"):
            await _import(running, edited(written, without_column))


async def test_cells_offer_the_closed_lists(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        path = await _written(running, tmp_path / "review.xlsx")
        steps = {step.name: step.choices for step in running.app.questions.steps}
        with ZipFile(path) as book:
            products, lines = (book.read(f"xl/worksheets/sheet{n}.xml").decode() for n in (1, 2))
        lists = pl.read_excel(path, sheet_name="Lists", infer_schema_length=None)
        for sheet, column, choices in (
            (products, 0, steps["classification"](("subcategory",))),
            (lines, 2, steps["bill_of_materials"](("lines",))),
            (lines, 4, steps["manufacturing"](("lines", "1"))),
            (lines, 6, steps["manufacturing"](("lines", "1", "country"))),
        ):
            letter = "ABCDEFGH"[column]
            assert f"Lists!${letter}$2:${letter}${len(choices) + 1}<" in sheet
            assert lists.to_series(column).drop_nulls().to_list() == list(choices)
            assert lists.to_series(column + 1).drop_nulls().to_list() == list(choices.values())
        assert "read-only" in products
