"""The audit log: who stopped, started, changed, corrected, deleted, exported, and when."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.store import audit_log
from weighbridge.store.audit_log import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.store.database import Database


__all__ = [
    "NAMED_IN_AUDIT",
    "UPLOADED",
    "AuditEntry",
    "audit_of",
    "audit_page",
    "latest_uploads",
    "record_action",
    "record_command",
]


_SHOWN_UPLOADS: Final = 10
UPLOADED: Final = "uploaded a catalogue"
NAMED_IN_AUDIT: Final = 50
"""Codes of a selection that the audit log names; beyond these it gives their number."""


async def record_action(
    database: Database,
    actor: str,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry."""
    async with database.pool.acquire() as connection:
        await audit_log.add(connection, actor, action, subject, detail or {})


async def audit_page(
    database: Database, *, before_id: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """The newest entries, or those before an id, newest first."""
    async with database.pool.acquire() as connection:
        return await audit_log.page(connection, before_id=before_id, limit=limit)


async def latest_uploads(database: Database) -> list[AuditEntry]:
    """The catalogues that were stored last, newest first."""
    async with database.pool.acquire() as connection:
        return await audit_log.latest(connection, UPLOADED, limit=_SHOWN_UPLOADS)


async def audit_of(database: Database, subject: str, limit: int) -> list[AuditEntry]:
    """What was done to one product, newest first."""
    async with database.pool.acquire() as connection:
        return await audit_log.about(connection, subject, limit)


async def record_command(
    database: Database,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry for whoever works on the command line."""
    await record_action(database, command_line_user(), action, subject, detail)


def command_line_user() -> str:
    try:
        return f"command line ({getpass.getuser()})"
    except (OSError, KeyError):  # a container's user without a name
        return "command line"
