"""Control characters are shown, never obeyed; everything else stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.plain_text import counted, listed, one_line, significant, visible


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert not any(
        c in visible(text) for c in "\x00\x07\x1b\x7f\x9b\u202e\u2066\u2069\u2028\U000e0041"
    )
    assert "\n" not in one_line(text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert visible(text) == text


def test_writing_systems_that_need_joiners_and_marks_stay_whole() -> None:
    assert (
        visible("👨\u200d👩\u200d👧 میز\u200cها עברית\u200f!")
        == "👨\u200d👩\u200d👧 میز\u200cها עברית\u200f!"
    )


@given(st.text())
def test_json_line_says_the_same_after_control_characters_are_escaped(text: str) -> None:
    line = json.dumps({"message": text}, ensure_ascii=False)
    assert json.loads(visible(line)) == {"message": text}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (4_012, "4,000"),
        (0.0774, "0.077"),
        (9.99, "10"),
        (-1_234_567, "-1,200,000"),
        (2.5e12, "2,500,000,000,000"),
        (2.5e15, "2.5e+15"),
        (3e-12, "3e-12"),
    ],
)
def test_two_digits_are_written_as_people_write_them(value: float, written: str) -> None:
    assert significant(value) == written


def test_a_change_has_its_sign() -> None:
    assert [significant(one, 3, signed=True) for one in (12_345, -0.5)] == ["+12,300", "-0.5"]


def test_a_count_and_its_noun_agree() -> None:
    assert [counted(number, "row") for number in (0, 1, 2345)] == ["0 rows", "1 row", "2,345 rows"]
    assert counted(2, "batch", "batches") == "2 batches"


def test_a_list_that_is_cut_says_how_much_is_missing() -> None:
    names = [f"P-{number}" for number in range(1203)]
    assert listed(names[:3], 3) == "P-0, P-1, P-2"
    assert listed(names[:4], 3) == "P-0, P-1, P-2 and 1 more"
    assert listed(names, 3) == "P-0, P-1, P-2 and 1,200 more"
