"""Named tokens: added, looked up, revoked. Only their hashes are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.store.database import Connection


@dataclass(frozen=True, slots=True)
class StoredToken:
    """One API token that was added. Revoked tokens stay, so that the audit log's names can be
    looked up.
    """

    id: int
    name: str
    role: str
    token_sha256: bytes
    created_at: datetime
    revoked_at: datetime | None


async def add(connection: Connection, name: str, role: str, token_sha256: bytes) -> bool:
    """Store a token; False when an active one has that name."""
    added = await connection.fetchval(
        "INSERT INTO access_tokens (name, role, token_sha256) VALUES ($1, $2, $3)"
        " ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING RETURNING id",
        name,
        role,
        token_sha256,
    )
    return added is not None


async def load_all(connection: Connection) -> list[StoredToken]:
    """Every token there ever was, oldest first."""
    rows = await connection.fetch(
        "SELECT id, name, role, token_sha256, created_at, revoked_at FROM access_tokens ORDER BY id"
    )
    return [StoredToken(**dict(row)) for row in rows]


async def revoke(connection: Connection, name: str) -> bool:
    """End the active token with this name; False when there is none."""
    revoked = await connection.fetchval(
        "UPDATE access_tokens SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL "
        "RETURNING id",
        name,
    )
    return revoked is not None
