"""Identifies who sends a request, by a token or a session cookie."""

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
"""How many seconds the tokens read from the database are used before they are read again: until
then a revoked one is accepted.
"""
_OF_SETTINGS: Final = 0
"""The id of the token in WEIGHBRIDGE_API_TOKEN; stored ones begin at 1."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may use the server, identified by a token."""

    name: str
    role: Role

    @property
    def may_operate(self) -> bool:
        """Whether they may make changes, and not only read."""
        return self.role is Role.OPERATOR


@dataclass(frozen=True, slots=True)
class _Token:
    """A valid token: its id, its hash, and who has it."""

    id: int
    digest: bytes
    principal: Principal


LOCAL: Final = Principal("local", Role.OPERATOR)
"""The user of a server that requires no token, because it listens on this machine only."""


class Gate:
    """Checks tokens and sessions. One per server.

    While requests come in, the stored tokens are read again every second.
    """

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
        """Whether no token is required: none is configured and none was ever added."""
        if self._of_settings:
            return False
        await self._refresh()
        return not self._has_stored

    def forget(self) -> None:
        """Forget the stored tokens, so that the next request reads them again."""
        self._known_until_s = 0.0

    async def by_token(self, given: str) -> Principal | None:
        """Who has this token; None if it is not valid."""
        found = await self._find(given)
        return found.principal if found else None

    async def open_session(self, given: str) -> tuple[Principal, str] | None:
        """(who has this token, the value of a new session cookie); None if it is not valid."""
        token = await self._find(given)
        if token is None:
            return None
        now_s = self._clock.now().timestamp()
        return token.principal, open_session(token.id, token.digest, now_s)

    async def by_session(self, cookie: str) -> Principal | None:
        """Whose session this cookie is; None if it is not ours or has ended."""
        now_s = self._clock.now().timestamp()
        for token in await self._tokens():
            if session_holds(cookie, token.id, token.digest, now_s):
                return token.principal
        return None

    async def _find(self, given: str) -> _Token | None:
        """The valid token with this text, or None."""
        digest = token_hash(given)
        matching = [
            token for token in await self._tokens() if hmac.compare_digest(token.digest, digest)
        ]
        return matching[0] if matching else None

    async def _tokens(self) -> list[_Token]:
        """Every valid token: the configured one and the stored ones."""
        await self._refresh()
        return self._of_settings + self._stored

    async def _refresh(self) -> None:
        """Read the stored tokens, unless they were read within KNOWN_FOR_S.

        While the database is away, the tokens known before stay valid, and so does the configured
        one. Raises if none is known.
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
