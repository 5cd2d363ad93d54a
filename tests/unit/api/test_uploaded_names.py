"""What an uploaded file is called is text to show, nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.api.bodies import SHOWN_NAME, shown_name


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("catalogue.csv", "catalogue.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\products.xlsx", "products.xlsx"),
        ("", "unnamed file"),
        ("folder/", "unnamed file"),
        ("a\nb.csv", "a\N{REPLACEMENT CHARACTER}b.csv"),
    ],
)
def test_only_the_last_path_component_is_shown(given_name: str, shown: str) -> None:
    assert shown_name(given_name) == shown


@given(st.text())
def test_a_shown_name_is_short_printable_and_not_a_path(name: str) -> None:
    shown = shown_name(name)
    assert 0 < len(shown) <= SHOWN_NAME
    assert shown.isprintable()
    assert "/" not in shown
    assert "\\" not in shown
