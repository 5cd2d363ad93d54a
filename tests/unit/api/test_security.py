"""Sessions and the token."""

from __future__ import annotations

import pytest

from weighbridge.api.routes.login import _own_page
from weighbridge.api.security import SESSION_S, Sessions
from weighbridge.api.server import names_of


def test_only_the_token_is_the_token() -> None:
    sessions = Sessions("correct horse")
    assert sessions.is_token("correct horse")
    assert not sessions.is_token("correct hors")
    assert not sessions.is_token("")
    assert not sessions.is_token("kœrrékt")


def test_a_session_ends_after_its_time() -> None:
    sessions = Sessions("token")
    cookie = sessions.open(1_000_000.0)
    assert sessions.is_open(cookie, 1_000_000.0 + SESSION_S - 1)
    assert not sessions.is_open(cookie, 1_000_000.0 + SESSION_S + 1)


def test_a_new_token_ends_old_sessions() -> None:
    cookie = Sessions("old").open(1_000_000.0)
    assert not Sessions("new").is_open(cookie, 1_000_000.0)


def test_the_cookie_does_not_contain_the_token() -> None:
    assert "secret-token" not in Sessions("secret-token").open(0.0)


@pytest.mark.parametrize(
    "forged", ["", ".", "99999999999", "99999999999.", "x.y", "1e9.é", "9" * 5000]
)
def test_a_forged_session_is_not_open(forged: str) -> None:
    assert not Sessions("token").is_open(forged, 0.0)


def test_a_session_cannot_be_prolonged() -> None:
    _, _, signature = Sessions("token").open(0.0).partition(".")
    assert not Sessions("token").is_open(f"99999999999.{signature}", 0.0)


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "", "/a\nb"],
)
def test_login_never_leads_to_another_server(target: str) -> None:
    assert _own_page(target) == "/"


def test_login_leads_back_to_the_page_that_was_asked_for() -> None:
    assert _own_page("/docs") == "/docs"


def test_a_server_on_an_unusual_loopback_address_answers_to_that_too() -> None:
    assert set(names_of("127.0.0.2")) == {"localhost", "127.0.0.1", "[::1]", "127.0.0.2"}
    assert set(names_of("::1")) == {"localhost", "127.0.0.1", "[::1]"}
