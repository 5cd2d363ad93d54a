"""Users' own emission factors, as uploaded: every process computes with the newest upload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.store.database import Connection

CHANNEL: Final = "weighbridge_factors"
"""NOTIFY channel: there is a new upload."""
_UPLOAD_LOCK: Final = 0x77665F66
"""Number of the advisory lock that each upload takes, so that a later upload commits later and has
the higher id.
"""


@dataclass(frozen=True, slots=True)
class FactorUpload:
    """One upload. Where `content` is None, the own factors were removed."""

    id: int
    name: str
    content: bytes | None
    made_by: str
    made_at: datetime


async def newest_id(connection: Connection) -> int:
    """The id of the newest upload; 0 where there is none."""
    found: int = await connection.fetchval("SELECT coalesce(max(id), 0) FROM factor_uploads")
    return found


async def load(connection: Connection, number: int) -> FactorUpload | None:
    """The upload with this id; None where there is none."""
    row = await connection.fetchrow(
        "SELECT id, name, content, made_by, made_at FROM factor_uploads WHERE id = $1", number
    )
    return FactorUpload(**dict(row)) if row else None


async def newest(connection: Connection, limit: int) -> list[FactorUpload]:
    """The newest uploads, newest first, without their content."""
    rows = await connection.fetch(
        "SELECT id, name, CASE WHEN content IS NOT NULL THEN ''::bytea END AS content, made_by,"
        " made_at FROM factor_uploads ORDER BY id DESC LIMIT $1",
        limit,
    )
    return [FactorUpload(**dict(row)) for row in rows]


async def insert(connection: Connection, name: str, content: bytes | None, made_by: str) -> int:
    """Add an upload, and notify every process at commit; returns its id."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _UPLOAD_LOCK)
    number: int = await connection.fetchval(
        "INSERT INTO factor_uploads (name, content, made_by) VALUES ($1, $2, $3) RETURNING id",
        name,
        content,
        made_by,
    )
    await connection.execute(f"NOTIFY {CHANNEL}")
    return number
