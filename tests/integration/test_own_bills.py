"""Own bills of materials on a real database: checked by row, in the place of the model's, kept."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter

from tests.support.application import program
from weighbridge.application import load_factors
from weighbridge.domain.corrections import read_change
from weighbridge.errors import Conflict, InputError, NotFound
from weighbridge.service.desk.bill_files import read_own_bills
from weighbridge.service.desk.correcting import Request, correct, corrections_of, take_back
from weighbridge.service.desk.own_bills import BillsGiven, give_bills
from weighbridge.service.imports import import_file
from weighbridge.service.product_views import show_product
from weighbridge.service.results import export_results
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram
    from weighbridge.domain.results import Footprint

pytestmark = pytest.mark.anyio

BILL = """code,material,mass_kg,process,component
P-001,virgin aluminium,0.2,aluminium_extrusion,frame
P-001,pp_resin,0.1,,lid
"""


async def _give(
    running: RunningProgram, folder: Path, text: str = BILL, by: str = "ana", **options: Any
) -> BillsGiven:
    path = folder / "bills.csv"
    path.write_text(text, encoding="utf-8")
    app = running.app
    request = Request((), by, "own bill of materials, bills.csv", **options)
    bills = await asyncio.to_thread(read_own_bills, path, app.factors)
    return await give_bills(app.database, app.factors, app.questions.steps, bills, request)


async def _footprint(running: RunningProgram, code: str = "P-001") -> Footprint:
    shown = (await show_product(running.app.database, running.app.questions.steps, code)).footprint
    assert shown is not None
    return shown.footprint


def _counted(footprint: Footprint) -> dict[str, float]:
    kinds = ("material",)
    return {
        one.factor_key: round(one.activity, 6)
        for one in footprint.contributions
        if one.kind in kinds
    }


async def _completed(running: RunningProgram) -> None:
    await running.add_many(2, weight_kg=0.3, country_of_origin="DE")
    await running.start()
    await running.until(completed=2)


async def test_an_own_bill_replaces_the_models_without_a_call(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        before = await _footprint(running)
        calls = await running.value("SELECT count(*) FROM calls")
        given = await _give(running, tmp_path)
        assert [one.code for one in given.figures] == ["P-001"]
        after = await _footprint(running)
        assert _counted(after).keys() == {"aluminium_primary", "pp_resin"}
        assert _counted(after)["pp_resin"] == 0.1
        assert any("own bill of materials, bills.csv" in note for note in after.notes)
        assert any("Extru" in one.label or "extru" in one.label for one in after.contributions)
        assert await running.value("SELECT count(*) FROM calls") == calls
        again = await _give(running, tmp_path)
        assert (again.figures, again.unchanged) == ((), ("P-001",))
        heavier = BILL.replace("0.2", "0.15")
        await _give(running, tmp_path, heavier)
        assert _counted(await _footprint(running))["pp_resin"] == 0.1
        app = running.app
        await take_back(app.database, app.factors, app.questions.steps, "P-001", "ana")
        assert await _footprint(running) == before
        await running.assert_sound()


async def test_the_bill_of_a_product_that_waits_counts_once_it_is_processed(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(1, weight_kg=0.3, country_of_origin="DE")
        given = await _give(running, tmp_path)
        assert (given.figures, given.waiting) == ((), ("P-001",))
        await running.start()
        await running.until(completed=1)
        assert _counted(await _footprint(running)).keys() == {"aluminium_primary", "pp_resin"}
        await running.fetch("DELETE FROM answers")
        await running.fetch(
            "UPDATE products SET status = 'pending', completed_at = NULL, revision = revision + 1"
        )
        await running.until(completed=1)
        assert _counted(await _footprint(running)).keys() == {"aluminium_primary", "pp_resin"}
        paths = [("csv", tmp_path / "results.csv")]
        app = running.app
        await export_results(app.database, app.taxonomy, app.factors, app.questions.steps, paths)
        written = paths[0][1].read_text(encoding="utf-8")
        assert "own bill of materials" in written
        assert "bills.csv" not in written


async def test_what_somebody_else_said_of_the_bill_is_not_passed_over(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        app = running.app
        tools = (app.database, app.factors, app.questions.steps)
        line = read_change("bill_of_materials.lines.1.mass_kg", 0.1)
        await correct(*tools, ["P-001"], Request((line,), "ben", "scales"))
        with pytest.raises(
            Conflict, match="row 2, column code: P-001: ben has corrected this already"
        ):
            await _give(running, tmp_path)
        whole = read_change("bill_of_materials.lines", [{"material": "pp_resin", "mass_kg": 0.3}])
        with pytest.raises(Conflict, match="ben has corrected this already"):
            await correct(*tools, ["P-001"], Request((whole,), "ana", ""))
        await _give(running, tmp_path, replace=True)
        assert _counted(await _footprint(running)).keys() == {"aluminium_primary", "pp_resin"}
        with pytest.raises(Conflict, match="ana has corrected this already"):
            await correct(*tools, ["P-001"], Request((line,), "ben", ""))
        records = await corrections_of(app.database, "P-001")
        assert [one.withdrawn_by for one in records if one.correction.made_by == "ben"] == ["ana"]


BROKEN = {
    "code": "",
    "material": "unobtainium",
    "mass_kg": "heavy",
    "process": "welding wands",
    "country": "Atlantis",
}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("name", BROKEN)
async def test_the_cell_that_cannot_be_used_is_named(
    database_url: str, tmp_path: Path, name: str, kind: str
) -> None:
    header = ["component", "code", "country", "material", "process", "mass_kg"]
    good = dict(zip(header, ["a lid", "P-001", "DE", "pp_resin", "", "0.2"], strict=True))
    rows = [header, list(good.values()), list((good | {name: BROKEN[name]}).values())]
    path = tmp_path / f"bills.{kind}"
    if kind == "xlsx":
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet("Our bills")
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
        cell = f"Our bills!{'ABCDEF'[header.index(name)]}3: "
    else:
        path.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
        cell = f"row 3, column {name}: "
    async with program(database_url, tmp_path) as running:
        with pytest.raises(InputError) as caught:
            await asyncio.to_thread(read_own_bills, path, running.app.factors)
        assert str(caught.value).startswith(cell)


async def test_the_conflict_of_a_bill_names_the_cell_of_what_somebody_corrected(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "bills.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Bills")
        sheet.write_row(0, 0, ["material", "mass_kg", "process", "code"])
        sheet.write_row(1, 0, ["aluminium_primary", 0.2, "aluminium_extrusion", "P-001"])
        sheet.write_row(2, 0, ["pp_resin", 0.1, "", "P-001"])
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        app = running.app
        tools = (app.database, app.factors, app.questions.steps)
        given = await asyncio.to_thread(read_own_bills, path, app.factors)
        for target, value, cell in (
            ("bill_of_materials.lines.1.mass_kg", 0.1, "Bills!D2"),
            ("manufacturing.lines.2", [], "Bills!C3"),
        ):
            await correct(*tools, ["P-001"], Request((read_change(target, value),), "ben", ""))
            with pytest.raises(Conflict) as caught:
                await give_bills(*tools, given, Request((), "ana", ""))
            assert str(caught.value).startswith(f"{cell}: P-001: ben has corrected this already")


async def test_a_bad_row_is_named_and_nothing_is_changed(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        before = await _footprint(running)
        for bad, says in (
            (
                "P-001,unobtainium,0.1,,x",
                "row 4, column material: there is no material 'unobtainium'",
            ),
            ("P-001,aluminum_primry,0.1,,x", "Did you mean aluminium_primary or"),
            ("P-001,pp_resin,-1,,x", "row 4, column mass_kg: a mass of -1 kg is not possible"),
            ("P-001,pp_resin,1e9,,x", "is not possible"),
            ("P-001,pp_resin,nan,,x", "is not possible"),
            ('P-001,pp_resin,"1,5x",,x', "'1,5x' is not a number"),
            ("P-001,pp_resin,,,x", "the mass is missing"),
            (",pp_resin,1,,x", "the code is missing"),
            ("P-001,pp_resin,0.1,welding wands,x", "there is no process 'welding wands'"),
            (
                "P-001,pp_resin,0.1,aluminium_extrusion,x",
                "aluminium_extrusion does not apply to pp_resin",
            ),
            ("P-001,pp_resin,90,,x", "the catalogue says 0.3 kg"),
        ):
            with pytest.raises(InputError) as caught:
                await _give(running, tmp_path, f"{BILL}{bad}\n")
            assert says in str(caught.value)
        with pytest.raises(NotFound, match="There is no product X-1"):
            await _give(running, tmp_path, f"{BILL}X-1,pp_resin,0.1,,x\n")
        assert await _footprint(running) == before
        assert await running.value("SELECT count(*) FROM corrections") == 0


async def test_a_second_sheet_of_the_catalogue_is_found(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        path = tmp_path / "catalogue.xlsx"
        book = xlsxwriter.Workbook(path)
        catalogue, bills = book.add_worksheet("Products"), book.add_worksheet("Bills")
        catalogue.write_row(0, 0, ["code", "name", "description"])
        catalogue.write_row(1, 0, ["P-001", "Chair", "A chair"])
        bills.write_row(0, 0, ["Code", "Material", "Mass (kg)"])
        bills.write_row(1, 0, ["P-001", "recycled aluminium", 1.25])
        book.close()
        bills = await asyncio.to_thread(read_own_bills, path, running.app.factors)
        (line,) = bills.bills["P-001"]
        assert (line.material, line.mass_kg, line.processes) == ("aluminium_recycled", 1.25, None)


async def test_a_file_without_the_columns_is_refused(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        with pytest.raises(InputError, match=r"needs the columns code, material, mass_kg"):
            await _give(running, tmp_path, "a,b\n1,2\n")
        with pytest.raises(InputError, match="no rows"):
            await _give(running, tmp_path, "code,material,mass_kg\n")


WIDE = """Code,Name,Weight (kg),Material 1,Mass 1 (kg),Process 1,Material 2,Mass 2 (kg)
P-001,Frame,0.3,virgin aluminium,0.2,aluminium_extrusion,pp_resin,0.1
P-002,Other,0.3,,,,,
"""


def test_numbered_columns_of_a_catalogue_are_lines_of_a_bill(tmp_path: Path) -> None:
    wide, narrow = tmp_path / "wide.csv", tmp_path / "narrow.csv"
    wide.write_text(WIDE, encoding="utf-8")
    narrow.write_text(BILL.replace(",component", "").replace(",frame", "").replace(",lid", ""))
    book = tmp_path / "wide.xlsx"
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet("Catalogue")
        for number, row in enumerate(WIDE.splitlines()):
            sheet.write_row(number, 0, row.split(","))

    factors = load_factors(load_settings())
    found = read_own_bills(wide, factors).bills
    assert list(found) == ["P-001"]
    lines = [(one.material, one.mass_kg, one.processes) for one in found["P-001"]]
    assert lines == [
        ("aluminium_primary", 0.2, ("aluminium_extrusion",)),
        ("pp_resin", 0.1, None),
    ]
    assert read_own_bills(book, factors).bills == found
    assert [one.material for one in read_own_bills(narrow, factors).bills["P-001"]] == [
        "aluminium_primary",
        "pp_resin",
    ]


BODY_AND_SCREWS = [("pp_resin", 0.25, "Körper"), ("steel_fasteners", 0.05, "")]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Artikelnummer;Werkstoff;Gewicht (g);Bauteil\nP;pp_resin;250;Körper\nP;steel_fasteners;50;\n", "cp1252"),
        ("SKU\tMaterial\tMasse [kg]\tTeil\nP\tpp_resin\t0,25\tKörper\nP\tsteel_fasteners\t0,05\t\n", "utf-16"),
        ("code,material,mass (g),part\nP,pp_resin,0.25 kg,Körper\nP,steel_fasteners,50,\n", "utf-8-sig"),
        ("code;Bauteil 1;Material 1;Gewicht 1 (g);Material 2;Gewicht 2 (g)\nP;Körper;pp_resin;250;steel_fasteners;50\n", "utf-8"),
        ("code,component_1,material_1,mass_g_1,material_2,mass_g_2\nP,Körper,pp_resin,250,steel_fasteners,50\n", "utf-8"),
    ],
    ids=["of a German spreadsheet", "with tabs", "with a unit in a cell", "numbered", "numbered, with underscores"],
)  # fmt: skip
def test_headers_units_and_encodings_are_those_of_catalogues(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = tmp_path / "bills.csv"
    path.write_bytes(text.encode(encoding))
    lines = read_own_bills(path, load_factors(load_settings())).bills["P"]
    assert [(one.material, one.mass_kg, one.component) for one in lines] == BODY_AND_SCREWS


def test_a_catalogue_with_a_column_of_materials_is_no_bill_beside_one(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xlsx"
    with xlsxwriter.Workbook(path) as book:
        catalogue, bills = book.add_worksheet("Produkte"), book.add_worksheet("Stückliste")
        catalogue.write_row(0, 0, ["code", "name", "description", "weight", "material"])
        catalogue.write_row(1, 0, ["P", "Box", "A box with screws", 0.3, "Plastic, steel"])
        bills.write_row(0, 0, ["code", "material", "mass (g)", "component"])
        bills.write_row(1, 0, ["P", "pp_resin", 250, "Körper"])
        bills.write_row(2, 0, ["P", "steel_fasteners", 50, ""])
    lines = read_own_bills(path, load_factors(load_settings())).bills["P"]
    assert [(one.material, one.mass_kg, one.component) for one in lines] == BODY_AND_SCREWS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("code,material 1,mass 1,material 2\n", "material 2 has no mass beside it"),
        ("code,material 1,width 1\n", "material 1 has no mass beside it"),
        (
            "code,material 1,mass 1\nP-001,,0.1\n",
            "row 2, column material 1: the material is missing",
        ),
        (
            "code,material 1,mass 1\nP-001,pp_resin,\n",
            "row 2, column mass 1: the mass is missing",
        ),
        ("code,mass 1\nP-001,0.1\n", "The file has no bill of materials"),
        ("material 1,mass 1\npp_resin,0.1\n", "The file has no bill of materials"),
    ],
)
def test_numbered_columns_that_say_half_are_refused_by_name(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "bills.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(words)):
        read_own_bills(path, load_factors(load_settings()))


async def test_a_bill_and_a_factor_of_the_product_survive_a_new_upload_and_new_answers(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _give(running, tmp_path)
        app = running.app
        own = read_change("factors.pp_resin", {"value": 9.0, "low": 8.0, "high": 10.0})
        request = Request((own,), "ana", "EPD")
        await correct(app.database, app.factors, app.questions.steps, ["P-001"], request)
        before = await _footprint(running)

        again = tmp_path / "again.csv"
        again.write_text("code,name,description,weight\nP-001,Frame,An aluminium frame,0.3\n")
        await import_file(app.database, again)
        await running.until(completed=2)

        after = await _footprint(running)
        assert _counted(after) == _counted(before)
        (resin,) = [one for one in after.contributions if one.factor_key == "pp_resin"]
        assert resin.factor == 9.0
        assert any("own bill of materials, bills.csv" in note for note in after.notes)
        await running.assert_sound()


KNOWN = """code,material,mass_kg,process,country,Electricity (kWh/kg),Electricity (kg CO2e/kWh),energy source
P-001,virgin aluminium,0.2,aluminium_extrusion;aluminium_anodising,Sweden;PT,1.5;,0.02,Meter 2025
P-001,pp_resin,0.1,,Portugal,,,
"""


async def test_what_is_known_of_processes_counts_and_survives_new_answers(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(1, weight_kg=0.3, country_of_origin="DE")
        await running.start()
        await running.until(completed=1)
        given = await _give(running, tmp_path, KNOWN)
        assert [one.code for one in given.figures] == ["P-001"]
        after = await _footprint(running)
        electricity = [one for one in after.contributions if "electricity" in one.kind]
        (stated,) = [one for one in electricity if one.label.endswith("(stated)")]
        assert (stated.factor, stated.source) == (0.02, "Meter 2025")
        assert stated.emissions_kg_co2e == pytest.approx(stated.activity * 0.02)
        assert any("no process is listed for line 2" in note for note in after.notes)
        assert any("country of line 1" in note for note in after.notes)
        again = await _give(running, tmp_path, KNOWN)
        assert (again.figures, again.unchanged) == ((), ("P-001",))
        await running.fetch("DELETE FROM answers")
        await running.fetch(
            "UPDATE products SET status = 'pending', completed_at = NULL, revision = revision + 1"
        )
        await running.until(completed=1)
        assert (await _footprint(running)).contributions == after.contributions
        await running.assert_sound(paid_twice=3)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "cotton_spinning_conventional,Atlantis,,",
            "row 2, column country: 'Atlantis' is not a known country",
        ),
        (
            "cotton_spinning_conventional,AQ,,",
            "row 2, column country: there is no electricity factor for 'AQ'",
        ),
        (
            "cotton_spinning_conventional;knitting_circular,TR;PT;DE,,",
            "country has 3 values for 2 processes",
        ),
        (
            "cotton_spinning_conventional;knitting_circular,,3,",
            "electricity_kwh_per_kg has 1 value for 2 processes",
        ),
        ("cotton_spinning_conventional,,-3,", "-3 kWh per kg is not possible"),
        ("cotton_spinning_conventional,,much,", "electricity_kwh_per_kg 'much' is not a number"),
        (
            "cotton_spinning_conventional,,,400",
            "400 kg CO2e per kWh is not possible; give a number from 0 to 3",
        ),
    ],
)
def test_what_cannot_be_known_of_a_process_is_refused_by_row(
    tmp_path: Path, row: str, words: str
) -> None:
    path = tmp_path / "bills.csv"
    head = (
        "code,material,mass_kg,process,country,electricity_kwh_per_kg,electricity_kg_co2e_per_kwh"
    )
    path.write_text(f"{head}\nP-001,cotton_fibre,0.2,{row}\n", encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(words)):
        read_own_bills(path, load_factors(load_settings()))


def test_numbered_columns_say_what_is_known_of_each_line(tmp_path: Path) -> None:
    path = tmp_path / "bills.csv"
    path.write_text(
        "code,material 1,mass 1,process 1,country 1,material 2,mass 2,process 2,country 2\n"
        "P-001,cotton_fibre,0.2,cotton_spinning_conventional,Türkiye,pp_resin,0.1,injection_moulding,\n",
        encoding="utf-8",
    )
    found = read_own_bills(path, load_factors(load_settings())).bills["P-001"]
    assert [line.facts for line in found] == [{"country": "TR"}, {}]


@pytest.mark.parametrize(
    ("masses", "meant"),
    [
        (["0,25", "1.234,5", "1,500"], [0.25, 1234.5, 1.5]),
        (["0.25", "1,234.5", "1,500"], [0.25, 1234.5, 1500.0]),
        (["0,25", "250 g", "½"], [0.25, 0.25, 0.5]),
        (["1'234.5", "2", ".5"], [1234.5, 2.0, 0.5]),
    ],
)
def test_masses_are_read_by_the_decimal_sign_of_their_column(
    tmp_path: Path, masses: list[str], meant: list[float]
) -> None:
    path = tmp_path / "bills.csv"
    rows = "".join(f"P-{n};mdf;{mass};0,5\n" for n, mass in enumerate(masses))
    path.write_text(f"code;material;mass_kg;electricity_kwh_per_kg\n{rows}", encoding="utf-8")
    bills = read_own_bills(path, load_factors(load_settings())).bills
    lines = [line for lines in bills.values() for line in lines]
    assert [line.mass_kg for line in lines] == pytest.approx(meant)
    assert [line.facts for line in lines] == [{"electricity_kwh_per_kg": 0.5}] * len(lines)


def test_a_mass_that_may_be_two_is_refused_with_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "bills.csv"
    path.write_text("code;material;mass_kg\nP-1;mdf;1,250\nP-2;mdf;2\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"row 2, column mass_kg: the mass '1,250' can be read.*write 1,2500; if"
    ):
        read_own_bills(path, load_factors(load_settings()))
    path.write_text("code;material;mass_kg\nP-1;mdf;1,2500\n", encoding="utf-8")
    (line,) = read_own_bills(path, load_factors(load_settings())).bills["P-1"]
    assert line.mass_kg == 1.25


def test_numbers_of_a_workbook_are_what_they_are_beside_texts(tmp_path: Path) -> None:
    path = tmp_path / "bills.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Bill")
    table = [("code", "material", "mass_kg"), ("P-1", "mdf", 1.234), ("P-2", "mdf", "0,5")]
    for number, row in enumerate(table):
        sheet.write_row(number, 0, row)
    book.close()
    bills = read_own_bills(path, load_factors(load_settings())).bills
    assert [lines[0].mass_kg for lines in bills.values()] == [1.234, 0.5]


def test_every_bad_cell_is_named_and_a_formula_without_its_result_is_one(tmp_path: Path) -> None:
    path = tmp_path / "bills.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Bill")
        sheet.write_row(0, 0, ("code", "material", "mass_kg", "component", "process"))
        sheet.write_row(1, 0, ("P-1", "mdf", 1.0))
        sheet.write_row(2, 0, ("P-1", "unobtainium", -0.2, "", "teleporting"))
        for column in range(5):
            sheet.write_formula(3, column, "=A1", None, "")
    with pytest.raises(InputError) as caught:
        read_own_bills(path, load_factors(load_settings()))
    named = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    cells = [*(f"Bill!{column}3" for column in "BCE"), *(f"Bill!{column}4" for column in "ABCDE")]
    assert sorted(named) == sorted(cells)


def test_a_name_is_taken_for_its_key_and_said(tmp_path: Path) -> None:
    path = tmp_path / "bills.csv"
    path.write_text("code,material,mass_kg\nP-1,Paint,1\nP-2,steel,1\n", encoding="utf-8")
    with pytest.raises(
        InputError,
        match=r"row 3, column material: there is no material 'steel'\. Did you mean steel",
    ):
        read_own_bills(path, load_factors(load_settings()))
    path.write_text("code,material,mass_kg\nP-1,Paint,1\n", encoding="utf-8")
    read = read_own_bills(path, load_factors(load_settings()))
    assert read.notes == ('"Paint" was taken as paint_waterbased.',)
