"""A model's last day: told from ninety days before, refused from the day on."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from weighbridge.providers.shutdown import shutdown_notice

MODEL = "gpt-4.1-mini"
DAY = date(2027, 1, 14)


@pytest.mark.parametrize(("days", "is_told", "is_over"), [
    (91, False, False), (90, True, False), (1, True, False), (0, True, True), (-30, True, True),
])  # fmt: skip
def test_the_last_day_is_told_ninety_days_before_and_is_over_from_then_on(
    days: int, *, is_told: bool, is_over: bool
) -> None:
    notice = shutdown_notice(MODEL, None, DAY - timedelta(days=days), provider="openai")
    assert (notice is not None) is is_told
    if notice is not None:
        assert notice.is_over is is_over
        assert DAY.isoformat() in notice.text
        assert "gpt-6-luna" in notice.text


def test_what_the_server_states_goes_before_the_table() -> None:
    notice = shutdown_notice(MODEL, "2026-12-01T00:00:00Z", date(2026, 11, 27), provider="openai")
    assert notice is not None
    assert "2026-12-01" in notice.text


@pytest.mark.parametrize("stated", [None, "soon", 5, ""])
def test_the_table_says_nothing_of_other_servers(stated: object) -> None:
    assert shutdown_notice(MODEL, stated, DAY, provider="localhost:8080") is None
