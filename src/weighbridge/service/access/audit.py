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
"""What the audit log calls the upload of a catalogue."""
NAMED_IN_AUDIT: Final = 50
"""How many product codes of a selection an entry of the audit log names, at most."""


async def record_action(
    database: Database,
    actor: str,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry: who (`actor`) did what (`action`) to what (`subject`)."""
    async with database.pool.acquire() as connection:
        await audit_log.add(connection, actor, action, subject, detail or {})


async def audit_page(
    database: Database, *, before_id: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Up to `limit` entries, newest first: the newest ones, or those before the one with this
    id.
    """
    async with database.pool.acquire() as connection:
        return await audit_log.page(connection, before_id=before_id, limit=limit)


async def latest_uploads(database: Database) -> list[AuditEntry]:
    """The entries of the last uploads of catalogues, newest first."""
    async with database.pool.acquire() as connection:
        return await audit_log.latest(connection, UPLOADED, limit=_SHOWN_UPLOADS)


async def audit_of(database: Database, subject: str, limit: int) -> list[AuditEntry]:
    """The last `limit` entries about a subject, such as a product's code, newest first."""
    async with database.pool.acquire() as connection:
        return await audit_log.about(connection, subject, limit)


async def record_command(
    database: Database,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry whose actor is the user of the command line."""
    await record_action(database, command_line_user(), action, subject, detail)


def command_line_user() -> str:
    """What the audit log calls the user of the command line."""
    try:
        return f"command line ({getpass.getuser()})"
    except (OSError, KeyError):  # a container's user without a name
        return "command line"
