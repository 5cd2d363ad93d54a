"""CSV as it comes: separators, encodings, and rows broken in every way."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.catalogues import read_all, read_csv_text, read_text, write_text
from weighbridge.errors import MissingColumn, UnreadableFile
from weighbridge.ingest.catalogue import read_catalogue
from weighbridge.ingest.formats.csv_reader import sniff_delimiter
from weighbridge.ingest.formats.csv_records import MAX_LINE_CHARACTERS, RecordCutter
from weighbridge.ingest.formats.text_encoding import find_encoding

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "code,name,description\n"


def codes_and_rejected(folder: Path, text: str) -> tuple[list[str], list[int]]:
    products, rejected = read_csv_text(folder, text)
    return [p.code for p in products], [row.row for row in rejected]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_usual_separator_is_recognised(tmp_path: Path, delimiter: str) -> None:
    lines = ["code,name,description,weight", 'A,Chair,"wood, of; many|sep\tarators",1.5', "B,x,y,"]
    text = "\n".join(line.replace(",", delimiter) for line in lines) + "\n"
    products, rejected = read_csv_text(tmp_path, text)
    assert rejected == []
    assert [(p.code, p.weight_kg) for p in products] == [("A", 1.5), ("B", None)]


def test_commas_in_texts_do_not_outvote_the_separator() -> None:
    assert sniff_delimiter("Artikel;Text;Preis\n1;a, b, c, d;2,5\n2;e, f, g, h;3,5\n") == ";"
    assert sniff_delimiter("one column\nx\n") in ",;\t|"


def test_excels_sep_line_is_followed(tmp_path: Path) -> None:
    products, rejected = read_csv_text(tmp_path, "sep=|\r\ncode|name|description\r\nA|b|c\r\n|b|c")
    assert [p.code for p in products] == ["A"]
    assert [row.row for row in rejected] == [4]


def test_semicolon_files_use_decimal_commas(tmp_path: Path) -> None:
    products, _ = read_csv_text(tmp_path, "code;name;description;weight\nA;b;c;1,250\n")
    assert products[0].weight_kg == 1.25
    found = read_text(tmp_path, 'code,name,description,weight\nA,b,c,"1,250"\n')
    assert found.products[0].weight_kg is None
    assert [note.field for note in found.notes] == ["weight"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_every_usual_encoding_is_recognised(tmp_path: Path, encoding: str) -> None:
    text = HEADER + "".join(f"{code},Stühle – 5 €,Größe “L”\n" for code in "ABC")
    products, rejected = read_csv_text(tmp_path, text, encoding)
    assert rejected == []
    assert products[0].name == "Stühle – 5 €"
    assert products[0].description == "Größe “L”"


def test_accents_late_in_the_file_decide_the_encoding(tmp_path: Path) -> None:
    text = HEADER + "A,chair,wood\n" * 100_000 + "B,stühle,größe\n"
    path = write_text(tmp_path / "a.csv", text, "cp1252")
    assert find_encoding(path).codec == "cp1252"


def test_a_replacement_character_in_the_text_leaves_the_file_utf8(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", HEADER + "A,chair,wood\nB,st\ufffdhle,wood\n")
    assert find_encoding(path).certainty == "certain: every byte fits"
    products, rejected = read_all(path)
    assert [p.code for p in products] == ["A"]
    assert [(row.row, row.field) for row in rejected] == [(3, "name")]


def test_one_damaged_byte_rejects_one_row_of_a_utf8_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes((HEADER + "A,ü,é\n").encode() + b"B,\xff,d\n" + "C,ü,é\n".encode())
    products, rejected = read_all(path)
    assert [p.code for p in products] == ["A", "C"]
    assert [(row.row, row.field) for row in rejected] == [(3, "name")]


def test_line_breaks_and_quotes_inside_quotes_belong_to_the_text(tmp_path: Path) -> None:
    products, rejected = read_csv_text(
        tmp_path, HEADER + 'A,"a ""big"" chair","line 1\r\nline 2\n\nline 4"\nB,b,c\n,b,c\n'
    )
    assert products[0].name == 'a "big" chair'
    assert products[0].description == "line 1\nline 2\n\nline 4"
    assert products[1].code == "B"
    assert [row.row for row in rejected] == [4]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_understood(tmp_path: Path, line_end: str) -> None:
    text = line_end.join(["code,name,description", "A,b,c", "", "B,b,c", ",b,c"])
    assert codes_and_rejected(tmp_path, text) == (["A", "B"], [5])


def test_empty_rows_are_skipped_but_counted(tmp_path: Path) -> None:
    text = "\n\n" + HEADER + "\nA,b,c\n,,\n  ,\t,\n,b,c\n"
    assert codes_and_rejected(tmp_path, text) == (["A"], [8])


def test_an_inch_mark_is_an_ordinary_character(tmp_path: Path) -> None:
    products, rejected = read_csv_text(tmp_path, HEADER + 'A,5" pipe,1/2" thread\nB,b,c\n')
    assert rejected == []
    assert products[0].name == '5" pipe'


def test_an_unclosed_quote_rejects_one_row(tmp_path: Path) -> None:
    text = HEADER + 'A,a,a\nB,"oops,b\n' + "".join(f"C{i},c,c\n" for i in range(5000))
    codes, rejected = codes_and_rejected(tmp_path, text)
    assert rejected == [3]
    assert len(codes) == 5001


def test_text_after_a_closing_quote_rejects_one_row(tmp_path: Path) -> None:
    text = HEADER + 'A,"5" pipe",x\nB,b,c\nC,"open,c\nD,"closed",d\n'
    codes, rejected = codes_and_rejected(tmp_path, text)
    assert codes == ["B", "D"]
    assert rejected == [2, 4]


def test_a_row_with_too_many_fields_is_rejected_and_one_with_empty_ones_is_not(
    tmp_path: Path,
) -> None:
    text = "code,name,description,weight\nA,a chair, made of wood,d,1\nB,b,c,1,,\nC,c,c\nD,d\n"
    products, rejected = read_csv_text(tmp_path, text)
    assert [(p.code, p.weight_kg) for p in products] == [("B", 1.0), ("C", None)]
    assert [(row.row, row.field, row.code) for row in rejected] == [
        (2, "row", "A"),
        (5, "description", "D"),
    ]
    assert "5 fields and the header 4" in rejected[0].reason


def test_a_gigantic_line_is_skipped_without_buffering(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write(HEADER + "A,a,a\n")
        for _ in range(12):
            file.write("x" * MAX_LINE_CHARACTERS)
        file.write("\nB,b,b\n,b,b\n")
    products, rejected = read_all(path)
    assert [p.code for p in products] == ["A", "B"]
    assert [(row.row, row.field) for row in rejected] == [(3, "row"), (5, "code")]
    assert "longer than" in rejected[0].reason


def test_a_gigantic_field_rejects_one_row(tmp_path: Path) -> None:
    text = HEADER + f"A,{'x' * 200_000},a\nB,b,b\n"
    assert codes_and_rejected(tmp_path, text) == (["B"], [2])


def test_ten_thousand_extra_columns_are_ignored(tmp_path: Path) -> None:
    extra = ",".join(f"c{i}" for i in range(10_000))
    text = f"{extra},code,name,description\n" + "".join(
        f"{'x,' * 10_000}{code},b,c\n" for code in "ABCDEFGH"
    )
    codes, rejected = codes_and_rejected(tmp_path, text)
    assert (codes, rejected) == ([*"ABCDEFGH"], [])


def test_nul_bytes_reject_their_rows_only(tmp_path: Path) -> None:
    text = HEADER + "A,a\x00,a\nB,b,b\n" + "".join(f"C{i},c,c\n" for i in range(50))
    codes, rejected = codes_and_rejected(tmp_path, text)
    assert (len(codes), rejected) == (51, [2])


def test_a_block_of_broken_lines_is_read_in_one_pass(tmp_path: Path) -> None:
    codes, rejected = codes_and_rejected(tmp_path, HEADER + '"a"b\n' * 100_000 + "B,b,b\n")
    assert codes == ["B"]
    assert len(rejected) == 100_000


def test_missing_header_error_shows_the_first_row(tmp_path: Path) -> None:
    with pytest.raises(MissingColumn, match='"A-1", "Chair"'):
        read_csv_text(tmp_path, "A-1,Chair,Wood\nA-2,Table,Oak\n")


def test_white_space_alone_is_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="empty"):
        read_csv_text(tmp_path, "\ufeff \n\n")


def test_row_numbers_continue_across_chunks(tmp_path: Path) -> None:
    rows = 200_000
    text = HEADER + "".join(f'P{i},"a longer name, {i}","a\nb" \n' if i % 7 else f"P{i},n,d\n" for i in range(rows))  # fmt: skip
    text = text.replace('" \n', '"\n')
    path = write_text(tmp_path / "a.csv", text)
    chunks = list(read_catalogue(path))
    assert len(chunks) > 1
    numbers = [n for chunk in chunks for n in chunk.products["row_number"]]
    assert numbers == list(range(2, rows + 2))


cells = st.text(st.sampled_from('ab," ;\n\r\tü'), max_size=6)


@settings(max_examples=200)
@given(st.lists(st.lists(cells, min_size=2, max_size=4), max_size=12))
def test_splits_records_like_the_csv_module(rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    blocks = list(RecordCutter(io.StringIO(file.getvalue(), newline=""), ","))
    assert [record for block in blocks for record in block.records] == rows
    assert not any(block.broken for block in blocks)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('ab,"\n\r;\x00'), max_size=80))
def test_no_text_breaks_the_reader(tmp_path: Path, text: str) -> None:
    products, rejected = read_csv_text(
        tmp_path, HEADER + "".join(f"A{i},b,c\n" for i in range(500)) + text
    )
    assert all(row.row > 501 for row in rejected)
    assert len(products) >= 500
    assert all(p.code and p.name and p.description for p in products)
