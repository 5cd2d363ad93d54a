"""Makes, lists and revokes access tokens, which have names.

A token's text is shown once, when it is made; only its hash is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from weighbridge.errors import Conflict, InputError, NotFound
from weighbridge.store import access_tokens

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.store.database import Database

TOKEN_PREFIX: Final = "wb_"  # noqa: S105 - what our tokens begin with, so that scanners can find a leaked one
TOKEN_BYTES: Final = 24
"""How many random bytes a token has."""
_NAME: Final = re.compile(r"[\w.@-][\w.@ -]{0,62}[\w.@-]|[\w.@-]")


class Role(StrEnum):
    """What a token allows: `read-only` may look at everything, `operator` may change everything."""

    READ_ONLY = "read-only"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as it is listed, without its text."""

    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


def token_hash(token: str) -> bytes:
    """The hash of a token's text, which is stored and compared."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


async def add_token(database: Database, name: str, role: Role) -> str:
    """Make a token and store its hash; returns its text, which cannot be read again later.

    Raises:
        InputError: the name cannot be used.
        Conflict: an active token has that name.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name[:64]!r} cannot name a token: use 1 to 64 letters, digits, spaces and . _ @ -"
        )
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    async with database.transaction() as connection:
        if not await access_tokens.add(connection, name, role.value, token_hash(token)):
            raise Conflict(
                f"A token named {name} already exists. Revoke it first, or choose another name."
            )
    return token


async def list_tokens(database: Database) -> list[TokenView]:
    """Every token, revoked ones too, oldest first."""
    async with database.pool.acquire() as connection:
        rows = await access_tokens.load_all(connection)
    return [TokenView(row.name, Role(row.role), row.created_at, row.revoked_at) for row in rows]


async def revoke_token(database: Database, name: str) -> None:
    """End a token and every session opened with it.

    Raises:
        NotFound: no active token has that name.
    """
    async with database.transaction() as connection:
        if not await access_tokens.revoke(connection, name):
            raise NotFound(f"There is no active token named {name}.")
