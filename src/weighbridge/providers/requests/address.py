"""The address and the key that a user gave: checked before anything is sent, and never shown."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from weighbridge.errors import SettingsError

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"
_NO_KEY: Final = "none"
"""Sent in place of a missing key: the user's own server may need none, but an empty key makes an
invalid header.
"""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class BaseAddress:
    """Where the API is. `query` is added to every request (Azure's `api-version`)."""

    url: str
    query: dict[str, str]
    host: str
    port: int | None  # None: the usual one

    @property
    def is_openai(self) -> bool:
        """Whether OpenAI itself answers there."""
        return self.host == "openai.com" or self.host.endswith(".openai.com")

    @property
    def name(self) -> str:
        """Who answers: "openai", or host and port, so that two servers on one machine differ."""
        if self.is_openai:
            return "openai"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def is_loopback(self) -> bool:
        """Whether this very machine answers."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether the name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_address(base_url: str | None) -> BaseAddress:
    """The address that the user gave, or OpenAI's own. Raises SettingsError for no valid URL."""
    url = (base_url or OPENAI_BASE_URL).strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, SplitResult("", "", "", "", "")
    if not usable:
        raise SettingsError(
            "OPENAI_BASE_URL is not a valid URL. It should look like https://host/v1 or "
            "http://localhost:8080/v1."
        )
    port = None if parts.port == _DEFAULT_PORTS[parts.scheme] else parts.port
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    bare = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return BaseAddress(bare, query, parts.hostname or "", port)


def clean_key(api_key: str | None) -> str:
    """The key without blanks around it, "none" for a missing one.

    Raises:
        SettingsError: it has a character that no key has. The message does not show the key.
    """
    key = (api_key or "").strip() or _NO_KEY
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError(
            "OPENAI_API_KEY contains a space or a character that no key has. Copy it again, without "
            "quotes."
        )
    return key
