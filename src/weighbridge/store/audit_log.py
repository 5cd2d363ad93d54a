"""Who did what: rows are added and read, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from weighbridge.store.database import Connection


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    detail: Mapping[str, Any]


async def add(
    connection: Connection,
    actor: str,
    action: str,
    subject: str | None,
    detail: Mapping[str, Any],
) -> None:
    """Write an entry."""
    await connection.execute(
        "INSERT INTO audit_log (actor, action, subject, detail) VALUES ($1, $2, $3, $4)",
        actor,
        action,
        subject,
        dict(detail),
    )


async def page(connection: Connection, *, before_id: int | None, limit: int) -> list[AuditEntry]:
    """The newest entries, or those before an id, newest first."""
    rows = await connection.fetch(
        "SELECT id, at, actor, action, subject, detail FROM audit_log"
        " WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
        before_id,
        limit,
    )
    return [AuditEntry(**dict(row)) for row in rows]


async def latest(connection: Connection, action: str, *, limit: int) -> list[AuditEntry]:
    """The newest entries about one action, newest first."""
    rows = await connection.fetch(
        "SELECT id, at, actor, action, subject, detail FROM audit_log WHERE action = $1"
        " ORDER BY id DESC LIMIT $2",
        action,
        limit,
    )
    return [AuditEntry(**dict(row)) for row in rows]


async def about(connection: Connection, subject: str, limit: int) -> list[AuditEntry]:
    """The newest entries about one thing, newest first."""
    rows = await connection.fetch(
        "SELECT id, at, actor, action, subject, detail FROM audit_log WHERE subject = $1 ORDER BY "
        "id DESC LIMIT $2",
        subject,
        limit,
    )
    return [AuditEntry(**dict(row)) for row in rows]
