"""The quick parser reads what the standard one reads, and the same."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weighbridge.lenient_json import loads

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
@example("\ud800", True)
@example("\ud800", False)
@example(10**400, True)
@example([[[[0] * 3] * 3]], False)
def test_json_round_trips(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert loads(text) == value
    data = text.encode("utf-8", "replace")
    assert loads(data) == json.loads(data)


@given(st.text(st.sampled_from('{}[]",:0123456789.eE+-truefalsn \\u\x00\n'), max_size=12))
@example('{"a": 1, "a": 2}')
@example("01")
@example('"\n"')
@example("[" * 5000)
def test_invalid_json_is_refused(text: str) -> None:
    try:
        expected = json.loads(text)
    except (ValueError, RecursionError):
        with pytest.raises((ValueError, RecursionError)):
            loads(text)
    else:
        assert loads(text) == expected


def test_invalid_utf8_loses_only_the_invalid_characters() -> None:
    assert loads(b'\xef\xbb\xbf{"text": "caf\xe9"}') == {"text": "caf\ufffd"}
    assert math.isnan(loads(b'{"mass_kg": NaN}')["mass_kg"])
