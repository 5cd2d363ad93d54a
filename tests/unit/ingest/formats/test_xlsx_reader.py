"""Workbooks: ordinary, odd and hostile."""

from __future__ import annotations

import datetime
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
import xlsxwriter

from tests.support.catalogues import read_all, read_file
from weighbridge.errors import MissingColumn, UnreadableFile
from weighbridge.ingest.base import Choices
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.decisions import ReadOptions
from weighbridge.ingest.formats.xlsx import package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = ["code", "name", "description", "weight"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.xlsx"


@pytest.fixture
def workbook(path: Path) -> Iterator[xlsxwriter.Workbook]:
    book = xlsxwriter.Workbook(str(path))
    yield book
    if not book.fileclosed:
        book.close()


def test_numbers_become_text_without_losing_or_gaining_digits(
    workbook: xlsxwriter.Workbook, path: Path
) -> None:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, [123.0, 7, 1.5, 0.25])
    sheet.write_string(2, 0, "00123")
    sheet.write_row(2, 1, [True, "x", "2 lb"])
    workbook.close()
    products, rejected = read_all(path)
    assert rejected == []
    assert [(p.code, p.name, p.weight_kg) for p in products] == [
        ("123", "7", 0.25),
        ("00123", "TRUE", 0.90718474),
    ]


def test_rows_are_numbered_as_excel_numbers_them(workbook: xlsxwriter.Workbook, path: Path) -> None:
    sheet = workbook.add_worksheet()
    sheet.write(1, 0, "Catalogue 2026")
    sheet.write_row(4, 2, HEADER)
    sheet.write_row(5, 2, ["A", "b", "c"])
    sheet.write_row(8, 2, ["", "b", "c"])
    sheet.write_row(9, 2, ["D", "b", "c", "heavy"])
    workbook.close()
    found = read_file(path)
    assert [p.code for p in found.products] == ["A", "D"]
    assert [(row.row, row.field) for row in found.rejected] == [(9, "code")]
    assert [(note.row, note.field) for note in found.notes] == [(10, "weight")]


def test_hidden_and_unfit_sheets_are_passed_over(workbook: xlsxwriter.Workbook, path: Path) -> None:
    workbook.add_worksheet("empty")
    workbook.add_worksheet("read me").write(0, 0, "How to fill in this file")
    hidden = workbook.add_worksheet("hidden")
    hidden.write_row(0, 0, HEADER)
    hidden.hide()
    data = workbook.add_worksheet("data")
    data.write_row(0, 0, HEADER)
    data.write_row(1, 0, ["A", "b", "c"])
    workbook.close()
    products, _ = read_all(path)
    assert [p.code for p in products] == ["A"]


def test_without_the_columns_the_message_names_the_first_filled_sheet(
    workbook: xlsxwriter.Workbook, path: Path
) -> None:
    workbook.add_worksheet("empty")
    workbook.add_worksheet("data").write_row(0, 0, ["sku", "title", "remarks"])
    workbook.add_worksheet("more").write_row(0, 0, ["x", "y"])
    workbook.close()
    with pytest.raises(MissingColumn, match=r'description.*"sku", "title", "remarks"'):
        read_all(path)


def test_a_workbook_without_any_cell_is_refused(workbook: xlsxwriter.Workbook, path: Path) -> None:
    workbook.add_worksheet()
    workbook.close()
    with pytest.raises(UnreadableFile, match="no filled sheet"):
        read_all(path)


def test_formulas_give_values_and_errors_give_nothing(
    workbook: xlsxwriter.Workbook, path: Path
) -> None:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, ["A", "b"])
    sheet.write_formula(1, 2, '="a"&"b"', None, "ab")
    sheet.write_formula(1, 3, "=1/4", None, 0.25)
    sheet.write_row(2, 0, ["B", "b"])
    sheet.write_formula(2, 2, "=1/0", None, "#DIV/0!")
    sheet.write_row(3, 1, ["b", "c"])
    sheet.write_datetime(3, 0, datetime.datetime(2026, 5, 4), workbook.add_format({"num_format": "yyyy-mm-dd"}))  # noqa: DTZ001  # fmt: skip
    workbook.close()
    products, rejected = read_all(path)
    assert [(p.code, p.description, p.weight_kg) for p in products] == [
        ("A", "ab", 0.25),
    ]
    assert [(row.row, row.field) for row in rejected] == [(3, "description"), (4, "code")]
    assert "cell A4 holds a date (2026-05-04)" in rejected[1].reason


# Hostile packages
# ----------------------------------------------------------------------------------


def repack(path: Path, change: dict[str, bytes]) -> None:
    """Replaces members of a package."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in (members | change).items():
            new.writestr(name, data)


@pytest.fixture
def good(workbook: xlsxwriter.Workbook, path: Path) -> Path:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, ["A", "b", "c"])
    workbook.close()
    assert len(read_all(path)[0]) == 1
    return path


def test_a_zip_bomb_is_refused_before_it_is_unpacked(good: Path) -> None:
    repack(good, {"xl/bomb.xml": b"\0" * (package.RATIO_MATTERS_ABOVE_BYTES + 1)})
    assert good.stat().st_size < 200_000
    with pytest.raises(UnreadableFile, match="200 times its size"):
        read_all(good)


def test_a_zip_bomb_that_lies_about_its_size_is_refused(good: Path) -> None:
    size = 5_000_000
    with zipfile.ZipFile(good) as package:
        xml = package.read("xl/worksheets/sheet1.xml")
    repack(good, {"xl/worksheets/sheet1.xml": xml.ljust(size)})
    data = good.read_bytes()
    assert data.count(struct.pack("<I", size)) == 2
    good.write_bytes(data.replace(struct.pack("<I", size), struct.pack("<I", 10)))
    with pytest.raises(UnreadableFile, match="damaged"):
        read_all(good)


@pytest.mark.parametrize(
    "reference", [b'r="XFD1048576"', b"r = 'XFD1048576'", b'x="" r="xfd1048576"']
)
def test_a_cell_in_the_far_corner_does_not_use_much_memory(good: Path, reference: bytes) -> None:
    with zipfile.ZipFile(good) as package:
        xml = package.read("xl/worksheets/sheet1.xml")
    far = b'</row><row r="1048576"><c ' + reference + b"><v>1</v></c></row></sheetData>"
    repack(good, {"xl/worksheets/sheet1.xml": xml.replace(b"</row></sheetData>", far)})
    with pytest.raises(UnreadableFile, match="17,179,869,184 cells"):
        read_all(good)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.999])
def test_a_truncated_workbook_is_refused(good: Path, share: float) -> None:
    data = good.read_bytes()
    good.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableFile, match="damaged or not complete"):
        read_all(good)


def test_corrupted_bits_are_refused(good: Path) -> None:
    with zipfile.ZipFile(good) as package:
        info = package.getinfo("xl/worksheets/sheet1.xml")
    data = bytearray(good.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + 20] ^= 0xFF
    good.write_bytes(data)
    with pytest.raises(UnreadableFile, match="damaged"):
        read_all(good)


@pytest.mark.parametrize(
    "member", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml"]
)
@pytest.mark.parametrize("content", [b"", b"<a><b>", b"\xff\xfe\x00", b"<sst><si><t>x"])
def test_broken_xml_inside_is_refused(good: Path, member: str, content: bytes) -> None:
    repack(good, {member: content})
    with pytest.raises((UnreadableFile, MissingColumn)):
        read_all(good)


@pytest.mark.parametrize(
    "encoding", ["UPF-8", "utf-7", "big5", "rot13", "punycode", "idna", "hex", "cp037", "x" * 5_000]
)
@pytest.mark.parametrize("member", ["_rels/.rels", "xl/worksheets/sheet1.xml"])
def test_an_encoding_that_no_workbook_has_is_refused_by_its_name(
    good: Path, member: str, encoding: str
) -> None:
    with zipfile.ZipFile(good) as package:
        xml = package.read(member)
    repack(good, {member: xml.replace(b"UTF-8", encoding.encode(), 1)})
    with pytest.raises(UnreadableFile, match=f"{member} is written in '{encoding[:40]}"):
        read_all(good)


def test_an_xml_entity_bomb_does_not_expand(good: Path) -> None:
    levels = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    bomb = f'<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY l0 "lol">{levels}]><sst><si><t>&l9;</t></si></sst>'
    repack(good, {"xl/sharedStrings.xml": bomb.encode()})
    with pytest.raises((UnreadableFile, MissingColumn)):
        read_all(good)


def show_often(good: Path, text: bytes, cell: bytes, rows: int) -> None:
    """One shared text that every row of the sheet shows."""
    with zipfile.ZipFile(good) as package:
        sheet = package.read("xl/worksheets/sheet1.xml")
        texts = package.read("xl/sharedStrings.xml")
    number = str(texts.count(b"</si>")).encode()
    more = b"".join(
        b'<row r="%d"><c r="C%d" %s</c></row>' % (row, row, cell % number)
        for row in range(3, rows + 3)
    )
    repack(
        good,
        {
            "xl/worksheets/sheet1.xml": sheet.replace(b"</sheetData>", more + b"</sheetData>"),
            "xl/sharedStrings.xml": texts.replace(
                b"</sst>", b"<si><t>" + text + b"</t></si></sst>"
            ),
        },
    )


@pytest.mark.parametrize(
    "cell",
    [
        b't="s"><v>%s</v>',
        b"s='1' t = 's' ><v> %s </v>",
        b't="s"><!-- --><v>%s</v>',
        b't="s"><f>A1</f><v>%s</v>',
    ],
)
def test_a_text_longer_than_excel_can_hold_costs_its_row_and_no_memory(
    good: Path, cell: bytes
) -> None:
    show_often(good, b"y" * 1_000_000, cell, 1_000)
    products, rejected = read_all(good)
    assert [p.code for p in products] == ["A"]
    assert len(rejected) == 1_000


def test_a_text_that_many_cells_share_is_read_into_each(good: Path) -> None:
    show_often(good, b"y" * 200, b't="s"><v>%s</v>', 1_000)
    _, rejected = read_all(good)  # for want of a code
    assert len(rejected) == 1_000


@pytest.mark.parametrize("number", ["999", "x", "-1", "1.0", "123456789012", "00000000999", "²"])
def test_a_cell_whose_shared_text_is_missing_is_no_other_text(
    workbook: xlsxwriter.Workbook, path: Path, number: str
) -> None:
    """A damaged number was taken for that of the first text, or for an empty cell."""
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, ["A", "Chair", "Oak chair", "5 kg"])
    sheet.write_row(2, 0, ["B", "Bowl", "Oak bowl", "2 kg"])
    workbook.close()
    with zipfile.ZipFile(path) as made:
        xml = made.read("xl/worksheets/sheet1.xml")
    for cell, text in (("D2", 7), ("B3", 9)):
        place = f'<c r="{cell}" t="s"><v>'
        assert f"{place}{text}</v>".encode() in xml
        xml = xml.replace(f"{place}{text}</v>".encode(), f"{place}{number}</v>".encode())
    repack(path, {"xl/worksheets/sheet1.xml": xml})
    found = read_file(path)
    (product,), (rejected,), (note,) = found.products, found.rejected, found.notes
    missing = f'shared text "{number}", which the workbook does not have'
    assert (product.code, product.weight_kg) == ("A", None)
    assert missing in note.reason
    assert (rejected.row, rejected.field) == (3, "name")
    assert missing in rejected.reason


CASES = {
    "00000": ("123", "00123"),
    "0000000000000": ("4006381333931", "4006381333931"),
    "000-000": ("1234", "001-234"),
    '"SKU-"0000': ("12", "SKU-0012"),
    r"00\ 00": ("1234", "12 34"),
    "[Red]0000;[Blue]-0000": ("7", "0007"),
    "0.00": ("1.1", "1.10"),
    "0.0##": ("1.25", "1.25"),
    "@": ("123", "123"),
    "#,##0": ("1234", "1234"),
    "General": ("4006381333931", "4006381333931"),
    "0.00E+00": ("123", "123"),
    "# ?/?": ("5", "5"),
}


@pytest.mark.parametrize("pattern", CASES)
def test_a_code_is_what_excel_shows(
    workbook: xlsxwriter.Workbook, path: Path, pattern: str
) -> None:
    stored, shown = CASES[pattern]
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_number(1, 0, float(stored), workbook.add_format({"num_format": pattern}))
    sheet.write_row(1, 1, ["b", "c"])
    workbook.close()
    assert [p.code for p in read_file(path).products] == [shown]


def test_a_formula_without_a_result_is_named_by_its_cell(good: Path) -> None:
    with zipfile.ZipFile(good) as package:
        xml = package.read("xl/worksheets/sheet1.xml")
    more = (
        b'<row r="3"><c r="A3"><f>1+1</f></c></row><row r="4"><c r="A4" t="str"><v>B</v></c>'
        b'<c r="B4" t="str"><v>b</v></c><c r="C4" t="str"><f>X</f><v>c</v></c><c r="D4"><f>1+1</f><v/></c></row>'
    )
    repack(
        good,
        {"xl/worksheets/sheet1.xml": xml.replace(b"</sheetData>", more + b"</sheetData>")},
    )
    found = read_file(good)
    assert [p.code for p in found.products] == ["A", "B"]
    assert "cell A3 holds a formula without a stored result" in found.rejected[0].reason
    assert "cell D4 holds a formula without a stored result" in found.notes[0].reason


def test_all_sheets_with_the_same_header_are_read_and_the_others_named(
    workbook: xlsxwriter.Workbook, path: Path
) -> None:
    for name, header in {"north": HEADER, "south": HEADER, "odd": [*HEADER, "colour"]}.items():
        sheet = workbook.add_worksheet(name)
        sheet.write_row(0, 0, header)
        sheet.write_row(1, 0, [name, "b", "c"])
    workbook.close()
    catalogue = Catalogue(path)
    assert [(one.name, one.used) for one in catalogue.head.source.sheets] == [
        ("north", True),
        ("south", True),
        ("odd", False),
    ]
    assert [p.code for p in read_file(path).products] == ["north", "south"]
    asked = ReadOptions(choices=Choices(sheet="ODD"))
    assert [p.code for p in read_file(path, asked).products] == ["odd"]
    with pytest.raises(UnreadableFile, match=r'no sheet "west".*"north", "south", "odd"'):
        read_file(path, ReadOptions(choices=Choices(sheet="west")))


def test_hidden_rows_are_read_with_a_note(workbook: xlsxwriter.Workbook, path: Path) -> None:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, ["A", "b", "c"])
    sheet.write_row(2, 0, ["B", "b", "c"])
    sheet.set_row(2, None, None, {"hidden": True})
    workbook.close()
    found = read_file(path)
    assert [p.code for p in found.products] == ["A", "B"]
    assert [(note.row, "hidden" in note.reason) for note in found.notes] == [(3, True)]


def test_a_second_header_row_gives_the_unit(workbook: xlsxwriter.Workbook, path: Path) -> None:
    sheet = workbook.add_worksheet()
    sheet.write(0, 0, "Catalogue 2026")
    sheet.write_row(2, 0, HEADER)
    sheet.write(3, 3, "g")
    sheet.write_row(4, 0, ["A", "b", "c", 250])
    workbook.close()
    found = read_file(path)
    assert found.rejected == []
    assert [(p.code, p.weight_kg) for p in found.products] == [("A", 0.25)]


@pytest.mark.parametrize(
    ("stored", "pattern", "weight_kg"),
    [
        (250.0, '0.00," t"', 250.0),
        (250.0, '0.00" t"', 250_000.0),
        (1250.0, '0.0" kg"', 1250.0),
        (1250.0, '#,##0" g"', 1.25),
        (1250.0, '#,##0.0," kg"', 1.25),
        (2_500_000.0, '0.0,," t"', 2500.0),
    ],
)
def test_a_weight_is_what_its_format_shows(
    workbook: xlsxwriter.Workbook, path: Path, stored: float, pattern: str, weight_kg: float
) -> None:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, ["A", "b", "c"])
    sheet.write_number(1, 3, stored, workbook.add_format({"num_format": pattern}))
    workbook.close()
    assert [p.weight_kg for p in read_file(path).products] == [pytest.approx(weight_kg)]


def test_a_value_merged_over_rows_holds_for_each(workbook: xlsxwriter.Workbook, path: Path) -> None:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_column(1, 0, ["A", "B", "C"])
    sheet.merge_range(1, 1, 2, 1, "Chair")
    sheet.write(3, 1, "Table")
    sheet.write_column(1, 2, ["oak", "elm", "ash"])
    workbook.close()
    assert [p.name for p in read_file(path).products] == ["Chair", "Chair", "Table"]


@pytest.mark.parametrize(
    "hostile",
    [
        b"<a>" * 100_000,
        b"".join(b"<n%d/>" % i for i in range(200_000)),
        b"<a " + b" " * 8_000_000,
        b'<row r="99999999"/>',
        b'<row r="3"><c r="ZZZZ3"><v>1</v></c></row>',
    ],
)
def test_xml_that_would_cost_memory_is_refused(good: Path, hostile: bytes) -> None:
    with zipfile.ZipFile(good) as package:
        xml = package.read("xl/worksheets/sheet1.xml")
    repack(good, {"xl/worksheets/sheet1.xml": xml.replace(b"</sheetData>", hostile)})
    with pytest.raises(UnreadableFile):
        read_file(good)


@pytest.mark.parametrize(
    "cell",
    [b'<c s=">" r="XFD1048576"><v>1</v></c>',
     b'<p:c xmlns:p="http://schemas.openxmlformats.org/spreadsheetml/2006/main" r="XFD1048576"><v>1</v></p:c>'],
)  # fmt: skip
def test_a_far_cell_written_oddly_is_named_with_its_sheet(good: Path, cell: bytes) -> None:
    with zipfile.ZipFile(good) as package:
        xml = package.read("xl/worksheets/sheet1.xml")
    far = b'<row r="1048576">' + cell + b"</row></sheetData>"
    repack(good, {"xl/worksheets/sheet1.xml": xml.replace(b"</sheetData>", far)})
    with pytest.raises(UnreadableFile, match=r'Sheet "Sheet1".*XFD1048576'):
        read_file(good)


def test_a_stray_cell_in_the_last_column_costs_nothing(good: Path) -> None:
    with zipfile.ZipFile(good) as package:
        xml = package.read("xl/worksheets/sheet1.xml")
    repack(
        good,
        {"xl/worksheets/sheet1.xml": xml.replace(b"</row>", b'<c r="XFD1"><v>1</v></c></row>', 1)},
    )
    assert [p.code for p in read_file(good).products] == ["A"]
