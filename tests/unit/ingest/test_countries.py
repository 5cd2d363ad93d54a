"""Countries as people write them."""

from __future__ import annotations

import pytest

from weighbridge.ingest.countries import ALPHA_2, BY_SPELLING, NO_COUNTRY, read_country


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        (" de ", "DE"),
        ("DEU", "DE"),
        ("Germany", "DE"),
        ("The Netherlands", "NL"),
        ("UK", "GB"),
        ("na", "NA"),
        ("Viet Nam", "VN"),
        ("XX", None),
        ("EU", None),
        ("Atlantis", None),
        ("Georgia", None),  # a country and a state of the USA
    ],
)
def test_a_country_is_recognised_or_refused(text: str, code: str | None) -> None:
    assert read_country(text) == code


def test_the_list_of_codes_is_complete_and_names_lead_into_it() -> None:
    assert len(ALPHA_2) == 249
    assert set(BY_SPELLING.values()) == ALPHA_2
    assert NO_COUNTRY.isdisjoint(BY_SPELLING)
    assert all(spelling == spelling.lower() for spelling in BY_SPELLING)
