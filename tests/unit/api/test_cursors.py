"""Cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.api.cursors import make_cursor, read_cursor
from weighbridge.api.errors import InvalidField


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_a_cursor_round_trips(last_id: int) -> None:
    assert read_cursor(make_cursor(last_id)) == last_id


def test_without_a_cursor_the_list_starts_at_the_beginning() -> None:
    assert read_cursor(None) == 0


@pytest.mark.parametrize(
    "cursor", ["", "x", "====", "YWZ0ZXI6", "YWZ0ZXI6LTE", "Ynk6MQ", "ünï", "a\0b"]
)
def test_an_invalid_cursor_is_refused_by_field_name(cursor: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_cursor(cursor)
    assert caught.value.field == "cursor"


@given(st.text(max_size=60))
def test_any_cursor_text_is_read_or_refused(text: str) -> None:
    try:
        position = read_cursor(text)
    except InvalidField:
        return
    assert 0 <= position < 2**63
