"""What a server is called."""

from __future__ import annotations

from weighbridge.api.server import names_of


def test_a_server_on_an_unusual_loopback_address_accepts_it() -> None:
    assert set(names_of("127.0.0.2")) == {"localhost", "127.0.0.1", "[::1]", "127.0.0.2"}
    assert set(names_of("::1")) == {"localhost", "127.0.0.1", "[::1]"}
