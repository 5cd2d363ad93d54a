"""Every factor source gives a table that can be calculated with, and complaints that can be acted
on.
"""

from __future__ import annotations

import csv
import importlib.resources
import io
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from tests.support.carbon_builders import bill, footprint, worked
from weighbridge.errors import FactorTableInvalid, MissingColumn, UnreadableFile
from weighbridge.factor_sources.bundled import BundledFactors, load_taxonomy
from weighbridge.factor_sources.own_factors import OwnFactors
from weighbridge.factor_sources.rows import (
    MATERIAL_COLUMNS,
    Row,
    heat_factor,
    material_factor,
    process_factor,
    read_rows,
)

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.carbon.factors import Citation, FactorTable
    from weighbridge.factor_sources.base import FactorSource

HEADER = ",".join(MATERIAL_COLUMNS)
STEEL = "our_steel,Our steel,steel,1.1,1.0,1.2,kg CO2e/kg,Supplier,EPD 7,2025,DE,proprietary"
GIVEN = {**dict(zip(MATERIAL_COLUMNS, STEEL.split(","), strict=True)), "includes_processes": ""}


@pytest.fixture(params=["bundled", "csv"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> FactorSource:
    if request.param == "bundled":
        return BundledFactors()
    return own_factors(tmp_path, HEADER, STEEL)


@pytest.fixture(scope="module")
def bundled() -> FactorTable:
    return BundledFactors().load()


def own_factors(folder: Path, *lines: str, encoding: str = "utf-8") -> OwnFactors:
    path = folder / "own.csv"
    path.write_text("\n".join(lines), encoding=encoding)
    return OwnFactors(path, BundledFactors())


def citations(table: FactorTable) -> list[Citation]:
    return [
        *(material.citation for material in table.materials.values()),
        *(process.citation for process in table.processes.values()),
        *(grid.citation for grid in table.electricity.values()),
        table.heat.citation,
        *(component.citation for component in table.components.values()),
        *(one.citation for kind in table.references.values() for one in kind),
    ]


def with_cell(column: str, value: str) -> str:
    cells = STEEL.split(",")
    cells[MATERIAL_COLUMNS.index(column)] = value
    return ",".join(cells)


def test_a_source_gives_a_named_and_versioned_table(source: FactorSource) -> None:
    table = source.load()
    assert table.name.startswith("weighbridge-")
    assert table.version == source.load().version
    assert len(table.version) == 12


def test_every_factor_says_where_it_comes_from(source: FactorSource) -> None:
    for cited in citations(source.load()):
        assert all([cited.source, cited.source_id, cited.year, cited.region, cited.licence])


def test_every_material_gives_a_footprint(source: FactorSource) -> None:
    table = source.load()
    for key in table.materials:
        result = footprint(table, bill((key, 1.0)))
        assert 0 < result.low_kg_co2e < result.emissions_kg_co2e < result.high_kg_co2e


def test_every_process_works_on_a_material_of_its_family(source: FactorSource) -> None:
    table = source.load()
    for process in table.processes.values():
        worked_on = next(
            material
            for material in table.materials.values()
            if material.family in process.families
            and not material.includes_forming
            and process.key not in material.included_processes
        )
        result = footprint(table, bill((worked_on.key, 1.0)), worked((process.key, worked_on.key)))
        assert len(result.contributions) > 1


def test_the_bundled_tables_are_complete(bundled: FactorTable) -> None:
    assert len(bundled.materials) == 448
    assert sum(material.is_proxy for material in bundled.materials.values()) == 143
    assert len(bundled.processes) == 107
    assert sum(process.is_proxy for process in bundled.processes.values()) == 49
    assert len(bundled.components) == 11
    assert sum(map(len, bundled.references.values())) == 762
    assert len(bundled.electricity) == 214


def test_namibia_is_not_read_as_a_missing_value(bundled: FactorTable) -> None:
    namibia = bundled.electricity_for("NA")
    assert (namibia.name, namibia.world_region) == ("Namibia", "Africa")
    assert namibia.kg_co2e_per_kwh.value == 0.05926


def test_unlisted_countries_get_the_world_average(bundled: FactorTable) -> None:
    assert bundled.electricity_for("AQ").is_world
    assert bundled.electricity_for("AQ").kg_co2e_per_kwh.value == 0.48062
    assert {code for code in bundled.electricity if len(code) != 2} == {"GLO"}


def test_only_redistributable_licences_are_bundled(bundled: FactorTable) -> None:
    named = {part for cited in citations(bundled) for part in cited.licence.split(" AND ")}
    attribution = importlib.resources.files("weighbridge.carbon") / "data" / "ATTRIBUTION.md"
    text = attribution.read_text(encoding="utf-8")
    assert named == {
        "etalab-2.0",
        "OGL-UK-3.0",
        "OGDL-Taiwan-1.0",
        "MIT",
        "BSD-3-Clause",
        "CC-BY-4.0",
        "ODbL-1.0",
        "LicenseRef-cited-fact",
    }
    assert [licence for licence in named if licence not in text] == []


def test_rows_under_odbl_are_a_table_of_their_own(bundled: FactorTable) -> None:
    folder = importlib.resources.files("weighbridge.carbon") / "data"
    for path in folder.iterdir():
        if path.name.endswith(".csv"):
            with path.open(encoding="utf-8") as stream:
                licences = {row.get("licence") for row in csv.DictReader(stream)}
            assert ("ODbL-1.0" in licences) == (path.name == "device_references.csv")
            assert path.name != "device_references.csv" or licences == {"ODbL-1.0"}


def test_every_class_reference_is_of_a_known_kind(bundled: FactorTable) -> None:
    taxonomy = load_taxonomy()
    for category, subcategory in bundled.references:
        assert taxonomy.subcategory(category, subcategory).name == subcategory


def test_only_kinds_that_nobody_published_are_compared_with_others(bundled: FactorTable) -> None:
    taxonomy = load_taxonomy()
    for kind, likes in bundled.alike.items():
        assert taxonomy.subcategory(*kind).name == kind[1]
        assert kind not in bundled.references
        assert [like for like in likes if like not in bundled.references] == []


def test_tables_made_from_another_keep_its_alike_kinds(
    bundled: FactorTable, tmp_path: Path
) -> None:
    own = tmp_path / "own.csv"
    own.write_text(f"{HEADER}\n{STEEL}\n", encoding="utf-8")
    assert bundled.without_maker("HP").alike == bundled.alike
    assert OwnFactors(own, BundledFactors()).load().alike == bundled.alike


def test_the_products_of_a_maker_can_be_judged_by_those_of_others(bundled: FactorTable) -> None:
    makers = {one.maker for kind in bundled.references.values() for one in kind}
    without = bundled.without_maker("HP")
    assert "HP" in makers
    assert {one.maker for kind in without.references.values() for one in kind} == makers - {"HP"}
    assert without.materials == bundled.materials


def test_lists_fit_the_enum_limits_of_structured_outputs(bundled: FactorTable) -> None:
    vocabulary = bundled.vocabulary(load_taxonomy())
    materials = [key for key, term in vocabulary.materials.items() if term.offered]
    processes = [key for key, term in vocabulary.processes.items() if term.offered]
    # The provider allows 1,000 values a schema, and 15,000 characters in an enum of more than 250.
    assert len(materials) + len(processes) < 1000
    assert sum(map(len, materials)) < 15_000


def test_the_taxonomy_has_25_categories_with_their_codes() -> None:
    taxonomy = load_taxonomy()
    assert len(taxonomy.categories) == 25
    assert sum(len(category.subcategories) for category in taxonomy.categories.values()) == 298
    assert taxonomy.subcategory("Apparel", "T-shirts & tops").cpc_code == "28225"


def test_finished_fabrics_and_boards_are_not_processed_twice(bundled: FactorTable) -> None:
    for material, process in [
        ("cotton_knit_dyed", "knitting_circular"),
        ("cotton_yarn", "cotton_spinning_conventional"),
        ("glass_tempered", "glass_tempering"),
        ("steel_galvanised_hot_dip", "steel_hot_dip_galvanising"),
        ("wood_sawn_softwood_fr", "softwood_sawing"),
        ("leather_chrome_tanned", "leather_post_tanning"),
    ]:
        assert process in bundled.material(material).included_processes


def test_user_row_replaces_or_adds_one_factor_only(tmp_path: Path, bundled: FactorTable) -> None:
    replaced = STEEL.replace("our_steel", "steel_bar")
    table = own_factors(tmp_path, HEADER, STEEL, replaced).load()
    assert table.material("our_steel").kg_co2e_per_kg.value == 1.1
    assert table.material("steel_bar").kg_co2e_per_kg.value == 1.1
    assert bundled.material("steel_bar").kg_co2e_per_kg.value == 2.7
    assert asdict(table.material("pp_resin")) == asdict(bundled.material("pp_resin"))
    assert len(table.materials) == len(bundled.materials) + 1
    assert table.name == f"{bundled.name} + own.csv"
    assert table.version != bundled.version


def test_user_row_may_use_all_columns_of_the_bundled_file(tmp_path: Path) -> None:
    optional = "includes_forming,includes_processes,technological_quality,is_proxy,proxy_reason"
    source = own_factors(
        tmp_path,
        f"{HEADER},{optional}",
        f"{STEEL},yes,steel_rolling; steel_forging,1,yes,waiting for the EPD",
    )
    steel = source.load().material("our_steel")
    assert steel.includes_forming
    assert steel.included_processes == {"steel_rolling", "steel_forging"}
    assert steel.technological_quality == 1
    assert steel.proxy_reason == "waiting for the EPD"


def test_reads_files_saved_by_a_spreadsheet(tmp_path: Path) -> None:
    source = own_factors(
        tmp_path,
        HEADER.replace(",", " ; "),
        STEEL.replace(",", ";"),
        ";" * (len(MATERIAL_COLUMNS) - 1),
        "",
        encoding="utf-8-sig",
    )
    assert source.load().material("our_steel").citation.source == "Supplier"


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("key", "", "a value is missing"),
        ("licence", "  ", "a value is missing"),
        ("value", "", "a value is missing"),
        ("value", "about 2", "'about 2' is not a number; write it like 1.25"),
        ("value", "nan", "'nan' is not a finite number"),
        ("high", "inf", "'inf' is not a finite number"),
        ("low", "1.15", "1.15 is above the value 1.1"),
        ("high", "1.05", "1.05 is below the value 1.1"),
        ("unit", "kg CO2e/t", "'kg CO2e/t' must be 'kg CO2e/kg'"),
    ],
)
def test_error_names_file_row_and_column_of_a_bad_cell(
    tmp_path: Path, column: str, value: str, complaint: str
) -> None:
    source = own_factors(tmp_path, HEADER, STEEL, with_cell(column, value))
    with pytest.raises(FactorTableInvalid) as raised:
        source.load()
    assert f"own.csv, row 3, column {column}: {complaint}" in str(raised.value)


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("includes_forming", "ja", "'ja' must be one of no, yes"),
        ("technological_quality", "4", "'4' must be one of 1, 2, 3"),
        ("includes_processes", "steel_dancing", "no process has the key steel_dancing"),
    ],
)
def test_error_names_a_bad_optional_cell(
    tmp_path: Path, column: str, value: str, complaint: str
) -> None:
    source = own_factors(tmp_path, f"{HEADER},{column}", f"{STEEL},{value}")
    with pytest.raises(FactorTableInvalid, match=f"own.csv, row 2, column {column}: {complaint}"):
        source.load()


def test_a_proxy_must_say_why(tmp_path: Path) -> None:
    source = own_factors(tmp_path, f"{HEADER},is_proxy", f"{STEEL},yes")
    with pytest.raises(FactorTableInvalid, match="row 2, column proxy_reason: a value is missing"):
        source.load()


def test_a_key_listed_twice_is_refused(tmp_path: Path) -> None:
    source = own_factors(tmp_path, HEADER, STEEL, STEEL)
    with pytest.raises(FactorTableInvalid, match="row 3, column key: 'our_steel' is listed twice"):
        source.load()


def test_a_row_with_too_many_cells_is_refused(tmp_path: Path) -> None:
    source = own_factors(tmp_path, HEADER, STEEL + ",surplus")
    with pytest.raises(FactorTableInvalid, match="row 2: 13 cells under 12 columns"):
        source.load()


def test_unbalanced_quotes_are_refused(tmp_path: Path) -> None:
    source = own_factors(tmp_path, HEADER, '"our_steel"x,' + STEEL)
    with pytest.raises(FactorTableInvalid, match=r"own\.csv cannot be read as CSV"):
        source.load()


@pytest.mark.parametrize("header", ["key,name,value", ""])
def test_a_file_without_the_columns_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(MissingColumn, match=r"own\.csv has no column"):
        own_factors(tmp_path, header, STEEL).load()


def test_a_file_with_only_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FactorTableInvalid, match="only a header"):
        own_factors(tmp_path, HEADER).load()


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"absent\.csv cannot be read"):
        OwnFactors(tmp_path / "absent.csv", BundledFactors()).load()


def test_a_binary_file_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(b"\xff\xfe\x00k\x00e")
    with pytest.raises(UnreadableFile, match=r"own\.csv cannot be read"):
        OwnFactors(path, BundledFactors()).load()


KINDS = (
    "kind,key,name,family,families,category,subcategory,maker,value,low,high,unit,"
    "kwh_electricity_per_kg,kwh_heat_per_kg,kg_co2e_per_kg,range_low,range_high,kg_co2e,mass_kg,"
    "source,source_id,year,region,licence"
)
CITED = "Supplier,EPD 7,2025,DE,proprietary"
STEEL_BAR = f"material,steel_bar,,,,,,,1.1,1,1.2,kg CO2e/kg,,,,,,,,{CITED}"
MOULDING = f"process,injection_moulding,,,,,,,,,,,1.2,0,0,0.8,1.2,,,{CITED}"
LAPTOP = (
    "reference,our_laptop,Our laptop,,,Consumer electronics,Laptops,Us,,,,,,,,,,180,1.3," + CITED
)


def test_user_rows_of_every_kind_keep_what_they_leave_empty(
    tmp_path: Path, bundled: FactorTable
) -> None:
    table = own_factors(tmp_path, KINDS, STEEL_BAR, MOULDING, LAPTOP).load()
    steel, base = table.material("steel_bar"), bundled.material("steel_bar")
    assert steel.kg_co2e_per_kg.value == 1.1
    assert steel.citation.source == "Supplier"
    kept = ("name", "family", "recycled", "includes_forming", "included_processes", "retired")
    assert [getattr(steel, name) for name in kept] == [getattr(base, name) for name in kept]
    moulding, base_moulding = (
        table.process("injection_moulding"),
        bundled.process("injection_moulding"),
    )
    assert moulding.kwh_electricity_per_kg == 1.2
    assert moulding.families == base_moulding.families
    assert moulding.yield_fraction == base_moulding.yield_fraction
    laptops = ("Consumer electronics", "Laptops")
    assert len(table.references[laptops]) == len(bundled.references[laptops]) + 1


def test_every_bad_row_is_named_at_once(tmp_path: Path) -> None:
    source = own_factors(
        tmp_path,
        KINDS,
        STEEL_BAR.replace("kg CO2e/kg", ""),
        STEEL_BAR.replace("1.1,1,1.2", "1.1,2,1.2"),
        STEEL_BAR.replace("steel_bar,,", "new_steel,New steel,Steel"),
        LAPTOP.replace("Laptops", "Abacuses"),
        MOULDING.replace("0.8,1.2", "1.1,1.2"),
        MOULDING.replace("process,", "magic,"),
        LAPTOP,
        LAPTOP,
    )
    with pytest.raises(FactorTableInvalid) as raised:
        source.load()
    lines = str(raised.value).splitlines()
    places = [line.partition(": ")[0] for line in lines]
    assert places == [
        "own.csv, row 2, column unit",
        "own.csv, row 3, column low",
        "own.csv, row 4, column family",
        "own.csv, row 5, column subcategory",
        "own.csv, row 6, column range_low",
        "own.csv, row 7, column kind",
        "own.csv, row 9, column key",
    ]


def test_more_rows_than_a_question_takes_are_refused(tmp_path: Path) -> None:
    rows = [STEEL.replace("our_steel", f"a_steel_of_our_own_{n:04}") for n in range(600)]
    with pytest.raises(FactorTableInvalid, match="mark them as retired"):
        own_factors(tmp_path, HEADER, *rows).load()
    retired = [f"{row},yes" for row in rows]
    table = own_factors(tmp_path, f"{HEADER},retired", *retired).load()
    assert table.material("a_steel_of_our_own_0599").retired


def test_process_rows_are_checked_cell_by_cell() -> None:
    cells = {
        "key": "cut",
        "name": "Cutting",
        "families": "steel",
        "kwh_electricity_per_kg": "1",
        "kwh_heat_per_kg": "0",
        "kg_co2e_per_kg": "0",
        "per_kg": "output",
        "yield_fraction": "0.9",
        "range_low": "0.7",
        "range_high": "1.3",
        **{name: GIVEN[name] for name in ("source", "source_id", "year", "region", "licence")},
    }
    assert process_factor(Row("p.csv", 2, cells)).yield_fraction == 0.9
    for column, value, complaint in [
        ("yield_fraction", "1.0905", "1.0905 is above 1"),
        ("yield_fraction", "0", "0.0 must be above 0"),
        ("kwh_heat_per_kg", "-1", "-1.0 must not be below 0"),
        ("per_kg", "input", "'input' must be one of output, removed"),
    ]:
        with pytest.raises(FactorTableInvalid, match=f"column {column}: {complaint}"):
            process_factor(Row("p.csv", 2, {**cells, column: value}))


def test_units_are_checked_per_kind() -> None:
    assert material_factor(Row("m.csv", 2, GIVEN)).key == "our_steel"
    with pytest.raises(FactorTableInvalid, match="must be 'kg CO2e/kWh'"):
        heat_factor(Row("h.csv", 2, GIVEN))


def test_row_numbers_match_what_a_spreadsheet_shows() -> None:
    text = f"{HEADER}\n\n{STEEL.replace('Our steel', chr(34) + 'Our' + chr(10) + 'steel' + chr(34))}\n{STEEL}\n"
    rows = list(read_rows(io.StringIO(text), "own.csv", MATERIAL_COLUMNS))
    assert [row.number for row in rows] == [3, 4]
