"""The environment: what is taken, what is refused, and that secrets are not repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weighbridge.errors import SettingsError
from weighbridge.settings import (
    check_key_and_address,
    environment_for_programs,
    load_settings,
    unknown_names,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("token", ["päss", "two words", "tab\there", "   ", "line\nbreak"])
def test_an_unsendable_token_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_API_TOKEN", token)
    with pytest.raises(SettingsError, match="WEIGHBRIDGE_API_TOKEN") as caught:
        load_settings()
    assert token not in str(caught.value)


def test_a_token_has_at_least_sixteen_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_API_TOKEN", "fifteen-letters")
    with pytest.raises(SettingsError, match="has 15 characters and needs at least 16") as caught:
        load_settings()
    assert "fifteen-letters" not in str(caught.value)
    monkeypatch.setenv("WEIGHBRIDGE_API_TOKEN", "sixteen-letters!")
    assert load_settings().api_token is not None


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


def test_a_name_that_is_no_setting_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_MODLE", "gpt-6-luna")
    monkeypatch.setenv("WEIGHBRIDGE_MODEL", "gpt-6-luna")
    assert unknown_names() == ["WEIGHBRIDGE_MODLE"]


def test_an_address_of_the_folder_gets_no_key_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=https://elsewhere.example/v1\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL") as caught:
        check_key_and_address()
    assert "sk-of-the-environment" not in str(caught.value)


def test_key_and_address_from_one_place_go_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=https://x.example/v1\nOPENAI_API_KEY=sk-1\n")
    check_key_and_address()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-2")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://y.example/v1")
    check_key_and_address()


SIGNING = "whsec_" + "QUJD" * 10


def test_a_webhook_has_a_signing_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_WEBHOOK_URL", "https://example.com/hook?token=t0ken")
    for secret in ("", "short", "whsec_QUJD", "whsec_not base64", SIGNING.removeprefix("whsec_")):
        monkeypatch.setenv("WEIGHBRIDGE_WEBHOOK_SECRET", secret)
        with pytest.raises(SettingsError, match="WEIGHBRIDGE_WEBHOOK_SECRET cannot be") as caught:
            load_settings()
        assert "t0ken" not in str(caught.value)
        assert not secret or secret not in str(caught.value)
    monkeypatch.setenv("WEIGHBRIDGE_WEBHOOK_SECRET", SIGNING)
    assert load_settings().webhook_secret is not None


@pytest.mark.parametrize("url", ["example.com", "ftp://example.com", "file:///etc/passwd", "http:"])
def test_a_webhook_is_a_web_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_WEBHOOK_SECRET", SIGNING)
    monkeypatch.setenv("WEIGHBRIDGE_WEBHOOK_URL", url)
    with pytest.raises(SettingsError, match="WEIGHBRIDGE_WEBHOOK_URL cannot be used"):
        load_settings()


@pytest.mark.parametrize("name", ["WEIGHBRIDGE_NOTIFY_COMMAND", "weighbridge_notify_command"])
def test_a_program_to_run_is_not_taken_from_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"{name}=mail someone\n")
    with pytest.raises(SettingsError, match="names a program to be run"):
        load_settings()
    monkeypatch.setenv("WEIGHBRIDGE_NOTIFY_COMMAND", "mail -s 'two words' me")
    assert load_settings().notify_command == "mail -s 'two words' me"


def test_programs_that_we_start_see_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("WEIGHBRIDGE_API_TOKEN", "correct-horse-battery")
    monkeypatch.setenv("HOME_OF_MAIL", "here")
    seen = environment_for_programs()
    assert seen["HOME_OF_MAIL"] == "here"
    assert not {"OPENAI_API_KEY", "WEIGHBRIDGE_API_TOKEN"} & set(seen)
