"""Corrections as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.dashboard.formats import answer
from weighbridge.domain.corrections import Correction, read_change

VALUES = st.recursive(
    st.none() | st.booleans() | st.just("") | st.just("SE") | st.integers(0, 99),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["country", "process", "material", "mass_kg"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
NO_ENGLISH = re.compile(r"None|True|False|null|[\[\]{}']|  ")


def _says(before: Any, after: Any) -> str:
    change = read_change("manufacturing.lines.1.country", after)
    made_at = datetime(2026, 5, 4, tzinfo=UTC)
    return Correction(1, change, None, before, after, "ana", "asked", made_at).says


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, "SE", "from not given to SE by ana"),
        ("SE", None, "from SE to not given by ana"),
        ("", "lid", "from not given to lid by ana"),
        (False, True, "from no to yes by ana"),
        ([], ["knitting", "dyeing"], "from none to knitting + dyeing by ana"),
        (
            {"process": "knitting", "country": None},
            {"process": "knitting"},
            "from knitting (country not given) to knitting by ana",
        ),
        ({"value": 3.5, "unit": None}, {}, "from value 3.5, unit not given to none by ana"),
        (4.000000000000001, 0.1 + 0.2, "from 4 to 0.3 by ana"),
        ([], [], "lines.1.country stays none by ana"),
        (0.3, 0.1 + 0.2, "lines.1.country stays 0.3 by ana"),
    ],
)
def test_a_correction_says_its_values_in_words(before: Any, after: Any, words: str) -> None:
    assert words in _says(before, after)


@given(VALUES, VALUES)
def test_no_value_is_shown_as_python_or_json(before: Any, after: Any) -> None:
    assert not NO_ENGLISH.search(_says(before, after))
    assert not NO_ENGLISH.search(answer(before))


def _turned_round(value: Any) -> Any:
    """The same value with all names in the opposite order."""
    if isinstance(value, list):
        return [_turned_round(one) for one in value]
    if isinstance(value, dict):
        return {name: _turned_round(value[name]) for name in reversed(value)}
    return value


@given(VALUES, VALUES)
def test_the_order_of_names_changes_no_word(before: Any, after: Any) -> None:
    assert _says(before, after) == _says(_turned_round(before), _turned_round(after))


@pytest.mark.parametrize(
    ("given_as", "stored_as"), [(1e16, 10**16), (-3e20, -3 * 10**20), (5.0, 5.0), (1e-7, 0.0000001)]
)
def test_a_number_reads_the_same_once_postgresql_has_written_it_out(
    given_as: float, stored_as: float
) -> None:
    assert _says(given_as, None) == _says(stored_as, None)


@given(st.floats(-1e9, 1e9), st.integers(2, 40))
def test_what_adding_up_leaves_is_never_shown(value: float, parts: int) -> None:
    said = _says(sum([value / parts] * parts), [{"material": "pp_resin", "mass_kg": value}])
    numbers = re.findall(r"-?[\d.,]+(?:e[+-]?\d+)?", said.partition(" by ana")[0])
    digits = [re.sub(r"\D", "", one.partition("e")[0]).lstrip("0") for one in numbers]
    assert all(len(one.rstrip("0")) <= 10 for one in digits), said
