"""Texts as editors, databases and spreadsheets leave them: nothing is dropped or changed in
silence.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import WRITERS, read_file, read_text
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.matching import Wanted, match_columns
from weighbridge.ingest.values.countries import read_country

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ["code", "name", "description", "short description", "picture"]


def _csv(*rows: list[str]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([HEADER, *rows])
    return file.getvalue()


@given(st.lists(st.sampled_from(["Oak", "table", "x"]), min_size=2, max_size=4), st.data())
def test_a_name_over_several_lines_costs_no_product(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], data: st.DataObject
) -> None:
    breaks = st.sampled_from(["\n", "\r\n", "\t", " \n ", "\n\n", "\u2028", "\x0b"])
    name = "".join(itertools.chain.from_iterable((word, data.draw(breaks)) for word in words[:-1]))
    text = _csv(["A", name + words[-1], "Of oak", "", ""], ["B", "Chair", "Of oak", "", ""])
    found = read_text(tmp_path_factory.mktemp("n"), text)
    assert [product.name for product in found.products] == [" ".join(words), "Chair"]
    assert [(note.code, note.field) for note in found.notes] == [("A", "name")]


@pytest.mark.parametrize(
    "nothing",
    [
        "<p></p>",
        "<p>&nbsp;</p>",
        "<p><br></p>",
        "<div class='x'> \n</div>",
        "<BR/>",
        "<p>\u00a0</p>",
    ],
)
def test_markup_around_nothing_is_an_empty_description(tmp_path: Path, nothing: str) -> None:
    text = _csv(
        ["A", "Table", nothing, "Of oak", ""], ["B", "Cup", "<p>Of <b>glass</b></p>", "", ""]
    )
    found = read_text(tmp_path, text)
    assert [product.description for product in found.products] == [
        "Of oak",
        "<p>Of <b>glass</b></p>",
    ]
    assert [(note.code, note.field) for note in found.notes] == [("A", "description")]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("A\u200b1", "invisible character"),
        ("\u2060A1", "invisible character"),
        ("A1\ufeff", "invisible character"),
        ("4006381333931.0", "took the code for a number"),
        ("10. Mrz", "looks like a date"),
        ("NULL", "stands for no value"),
        ("-", "stands for no value"),
    ],
)
def test_a_code_that_is_not_what_it_seems_is_taken_with_a_note(
    tmp_path: Path, kind: str, code: str, words: str
) -> None:
    name, write = WRITERS[kind]
    rows = [{"code": one, "name": "Cup", "description": "Of glass"} for one in (code, "B-2", "C")]
    write(tmp_path / name, rows)
    found = read_file(tmp_path / name)
    assert [product.code for product in found.products] == [code, "B-2", "C"]
    assert [words in note.reason for note in found.notes] == [True]


@pytest.mark.parametrize("code", ["1E+12", "1E+05", "4E+12"])
def test_a_round_number_that_a_spreadsheet_has_shortened_is_no_code(
    tmp_path: Path, code: str
) -> None:
    found = read_text(tmp_path, _csv([code, "Cup", "Of glass", "", ""]))
    assert ["has rounded" in row.reason for row in found.rejected] == [True]


ONE, TWO = "https://x.example/a.jpg", "https://x.example/b.png"


@pytest.mark.parametrize(
    ("cell", "pictures"),
    [
        (f"{ONE},", [ONE]),
        (f"{ONE}; ", [ONE]),
        (f"{ONE}|{TWO}|", [ONE, TWO]),
        (f"{ONE}::{TWO}", [ONE, TWO]),
        (json.dumps([{"src": ONE, "position": 1}, {"src": TWO}]), [ONE, TWO]),
        (json.dumps({"url": ONE}), [ONE]),
        (f"{ONE}?a=1,2", [f"{ONE}?a=1,2"]),
    ],
)
def test_pictures_as_programs_list_them(tmp_path: Path, cell: str, pictures: list[str]) -> None:
    found = read_text(tmp_path, _csv(["A", "Cup", "Of glass", "", cell]))
    (product,) = found.products
    assert [product.image_url, *product.more_pictures] == pictures
    assert found.notes == []


def test_a_picture_in_the_cell_itself_is_one_note_however_long(tmp_path: Path) -> None:
    cell = "data:image/png;base64," + "iVBORw0KGgo" * 2000
    found = read_text(tmp_path, _csv(["A", "Cup", "Of glass", "", cell]))
    (note,) = found.notes
    assert "stands in the cell" in note.reason
    assert len(note.reason) < 200


SAID = {"DE": ["DE", "Germany", "Deutschland", "DEU"], "CN": ["CN", "China", "PRC"]}


@given(
    st.sampled_from([*SAID]),
    st.data(),
    st.sampled_from(
        ["{} / {}", "{}/{}", "{}, {}", "[{}] {}", "({}) {}", "{} - {}", "{} ({})", "{}|{}"]
    ),
)
def test_a_country_said_twice_is_one_country(code: str, data: st.DataObject, form: str) -> None:
    first, second = data.draw(st.permutations(SAID[code]))[:2]
    if form[0] in "[(":
        first = code
    other = next(names for one, names in SAID.items() if one != code)
    assert read_country(form.format(first, second)).code == code
    assert read_country(form.format(first, data.draw(st.sampled_from(other)))).code is None


@pytest.mark.parametrize(
    "header", ["น้ำหนัก (กรัม)", "น้ำหนักสุทธิ กรัม", "वजन (ग्राम)", "वज़न ग्राम", "Trọng lượng (gam)"]
)
def test_vowel_signs_do_not_cut_words_of_a_header(header: str) -> None:
    columns = match_columns(["sku", "name", "description", header], Wanted())
    assert columns.header(Field.WEIGHT) == header
    assert columns.units[Field.WEIGHT].name == "g"
