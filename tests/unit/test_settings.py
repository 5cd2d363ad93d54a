"""The environment: what is taken, what is refused, and that secrets are not repeated."""

from __future__ import annotations

import pytest

from weighbridge.errors import SettingsError
from weighbridge.settings import load_settings


@pytest.mark.parametrize("token", ["päss", "two words", "tab\there", "   ", "line\nbreak"])
def test_an_unsendable_token_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_API_TOKEN", token)
    with pytest.raises(SettingsError, match="WEIGHBRIDGE_API_TOKEN") as caught:
        load_settings()
    assert token not in str(caught.value)


def test_a_line_break_after_the_token_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_API_TOKEN", "correct-horse-battery\n")
    token = load_settings().api_token
    assert token is not None
    assert token.get_secret_value() == "correct-horse-battery"


@pytest.mark.parametrize(
    ("given", "level"), [("info", "INFO"), ("WARN", "WARNING"), ("Error", "ERROR")]
)
def test_log_levels_ignore_case_and_accept_warn(
    monkeypatch: pytest.MonkeyPatch, given: str, level: str
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_LOG_LEVEL", given)
    assert load_settings().log_level == level


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("BATCH_SIZE", "0"),
        ("BATCH_SIZE", "1001"),
        ("BATCH_DELAY_MS", "29999"),
        ("BATCH_DELAY_MS", "86400001"),
        ("MAX_CONCURRENT_REQUESTS", "21"),
        ("PACING", "fast"),
        ("REQUESTS_PER_MINUTE", "10000001"),
        ("TOKENS_PER_MINUTE", "many"),
        ("TOKENS_PER_MINUTE", "100000000001"),
    ],
)
def test_an_invalid_setting_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"WEIGHBRIDGE_{name}", value)
    with pytest.raises(SettingsError, match=f"WEIGHBRIDGE_{name} is '{value}'"):
        load_settings()
