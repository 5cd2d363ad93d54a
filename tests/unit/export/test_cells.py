"""No text becomes a formula, and numbers are written as a person would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.export.cells import (
    neutral_text,
    own_text,
    plain_number,
    significant,
    writable_text,
)

DANGEROUS = "=+-@＝＋－＠"


@pytest.mark.parametrize("sign", DANGEROUS)
def test_text_that_starts_like_a_formula_gets_an_apostrophe(sign: str) -> None:
    assert neutral_text(f"{sign}cmd|' /C calc'!A0") == f"'{sign}cmd|' /C calc'!A0"


@pytest.mark.parametrize("blank", [" ", "   ", "\u00a0", "\ufeff", "\u200b", "\u3000", " \u2060 "])
def test_blanks_and_invisible_characters_do_not_hide_a_formula(blank: str) -> None:
    assert neutral_text(f"{blank}=1+1") == f"'{blank}=1+1"


@pytest.mark.parametrize(
    ("text", "neutral"),
    [
        ("\t=1+1", "'\t'=1+1"),
        ("\r=1+1", "'\n'=1+1"),
        ("\n=1+1", "'\n'=1+1"),
        ("\r\n=1+1", "'\n'=1+1"),
        ("\tChair", "'\tChair"),
        ("\x01=1+1", r"\u0001=1+1"),
    ],
)
def test_line_ends_tabs_and_control_characters_do_not_hide_a_formula(
    text: str, neutral: str
) -> None:
    assert neutral_text(text) == neutral


def test_a_formula_behind_a_semicolon_is_neutralised_for_spreadsheets_that_split_there() -> None:
    assert neutral_text("Chair;=1+1") == "Chair;'=1+1"


@pytest.mark.parametrize(
    "text", ["", "Chair", "A-1", "a@b", "1+1=2", "Steel 62 %; PP 20 %", "'=1+1", "−5 °C", "Ø 5 mm"]
)
def test_harmless_text_comes_back_unchanged(text: str) -> None:
    assert neutral_text(text) == text


@given(st.text())
def test_neutralising_twice_changes_nothing(text: str) -> None:
    assert neutral_text(neutral_text(text)) == neutral_text(text)


@given(st.text(alphabet=DANGEROUS + " ;\t\r\n'\ufeffa\x00"))
def test_no_part_of_neutralised_text_starts_like_a_formula(text: str) -> None:
    neutral = neutral_text(text)
    assert not neutral.startswith(("\t", "\n", "\r"))
    for part in neutral.replace("\t", "\n").replace(";", "\n").split("\n"):
        assert not part.lstrip(" \ufeff").startswith(tuple(DANGEROUS))


def test_neutralising_takes_linear_time() -> None:
    text = "\n \t;" * 100_000
    assert neutral_text(text) == "'" + text


def test_control_characters_become_visible_and_line_ends_are_made_one() -> None:
    written = writable_text("a\x00b\x1b[31mc\u202ed\ud800e\ufffef\tg\r\nh\ri")
    assert written == r"a\u0000b\u001b[31mc\u202ed\ud800ef" + "\tg\nh\ni"


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (12.345678, 12.35),
        (0.000123456, 0.0001235),
        (123456.0, 123500.0),
        (0.0, 0.0),
        (-1.23456, -1.235),
    ],
)
def test_numbers_keep_four_significant_digits(value: float, rounded: float) -> None:
    assert significant(value, 4) == rounded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12"),
        (1.5, "1.5"),
        (1e-07, "0.0000001"),
        (1.235e20, "123500000000000000000"),
        (3, "3"),
        (-0.5, "-0.5"),
    ],
)
def test_numbers_are_written_without_an_exponent(value: float, text: str) -> None:
    assert plain_number(value) == text


@given(st.text(alphabet=DANGEROUS + " ;\t\n\ufeffa7") | st.text().filter(lambda t: "'" not in t))
def test_text_is_found_again_behind_its_apostrophes(text: str) -> None:
    assert own_text(neutral_text(text)) == writable_text(text)


@pytest.mark.parametrize("text", ["'quoted'", "men's", "'7", "a;'b"])
def test_apostrophes_of_the_text_itself_stay(text: str) -> None:
    assert own_text(neutral_text(text)) == text
