"""Decides who somebody is, from a token or a session cookie."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.service.access.sessions import open_session, session_holds
from weighbridge.service.access.tokens import Role, token_hash
from weighbridge.service.opening import DATABASE_AWAY
from weighbridge.store import access_tokens

if TYPE_CHECKING:
    from weighbridge.clock import Clock
    from weighbridge.settings import Settings
    from weighbridge.store.database import Database

KNOWN_FOR_S: Final = 1.0
"""Time after which a revoked token is refused on every server."""
_OF_SETTINGS: Final = 0
"""The id of the token in WEIGHBRIDGE_API_TOKEN; stored ones begin at 1."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was let in."""

    name: str
    role: Role

    @property
    def may_operate(self) -> bool:
        """Whether they may change anything."""
        return self.role is Role.OPERATOR


@dataclass(frozen=True, slots=True)
class _Token:
    id: int
    digest: bytes
    principal: Principal


LOCAL: Final = Principal("local", Role.OPERATOR)
"""The visitor of a server that asks for no token, because it listens on this machine only."""


class Gate:
    """One per server. Tokens are read again every second, while requests come in."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._of_settings: list[_Token] = []
        if settings.api_token is not None:
            digest = token_hash(settings.api_token.get_secret_value())
            principal = Principal("WEIGHBRIDGE_API_TOKEN", Role.OPERATOR)
            self._of_settings.append(_Token(_OF_SETTINGS, digest, principal))
        self._stored: list[_Token] = []
        self._has_stored: bool | None = None
        self._known_until_s = 0.0
        self._reading = asyncio.Lock()

    async def is_open(self) -> bool:
        """Whether no token is asked for: none is configured and none was ever added."""
        if self._of_settings:
            return False
        await self._refresh()
        return not self._has_stored

    def forget(self) -> None:
        """Read the tokens again at the next request."""
        self._known_until_s = 0.0

    async def by_token(self, given: str) -> Principal | None:
        """Who has this token."""
        found = await self._find(given)
        return found.principal if found else None

    async def open_session(self, given: str) -> tuple[Principal, str] | None:
        """Who has this token, and the value of a session cookie for them; None for nobody."""
        token = await self._find(given)
        if token is None:
            return None
        now_s = self._clock.now().timestamp()
        return token.principal, open_session(token.id, token.digest, now_s)

    async def by_session(self, cookie: str) -> Principal | None:
        """Whose session this is, while it lasts."""
        now_s = self._clock.now().timestamp()
        for token in await self._tokens():
            if session_holds(cookie, token.id, token.digest, now_s):
                return token.principal
        return None

    async def _find(self, given: str) -> _Token | None:
        digest = token_hash(given)
        matching = [
            token for token in await self._tokens() if hmac.compare_digest(token.digest, digest)
        ]
        return matching[0] if matching else None

    async def _tokens(self) -> list[_Token]:
        await self._refresh()
        return self._of_settings + self._stored

    async def _refresh(self) -> None:
        """Read the stored tokens, unless that was just done.

        The configured one opens without a database.
        """
        if self._clock.monotonic_s() < self._known_until_s:
            return
        async with self._reading:
            if self._clock.monotonic_s() < self._known_until_s:
                return
            try:
                async with self._database.pool.acquire() as connection:
                    rows = await access_tokens.load_all(connection)
            except DATABASE_AWAY:
                if not self._of_settings and self._has_stored is None:
                    raise
                return  # what was known holds until the database is back
            self._has_stored = bool(rows)
            self._stored = [
                _Token(row.id, row.token_sha256, Principal(row.name, Role(row.role)))
                for row in rows
                if row.revoked_at is None
            ]
            self._known_until_s = self._clock.monotonic_s() + KNOWN_FOR_S
