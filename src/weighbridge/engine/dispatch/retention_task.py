"""Deletes old records once an hour, in the process of the leading dispatcher, so that the database
does not grow for ever.

It runs beside the dispatching, on a connection of its own, in small batches with a pause in
between, so that even the records of a year delay nothing else.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.plain_text import counted
from weighbridge.store import earlier_answers, retention
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.retention import BATCH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weighbridge.clock import Clock
    from weighbridge.store.database import Connection, Database

LOOK_S: Final = 600.0
"""Time between two checks whether an hour has passed since records were last deleted, which is
stored in the database.
"""
PAUSE_S: Final = 0.05
"""Pause between two batches of deletions."""


class RetentionTask:
    """Deletes records older than `retention_days`. With 0, calls, rejected rows and notes are kept
    for ever, and only logs and the scopes of old runs are deleted.
    """

    def __init__(self, database: Database, clock: Clock, retention_days: int) -> None:
        self._database = database
        self._clock = clock
        self._age = timedelta(days=retention_days)
        self._next_look_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def trim_if_due(self, connection: Connection) -> None:
        """Start deleting in the background if no process has done so for an hour."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + LOOK_S
        if (self._task is None or self._task.done()) and await retention.claim(connection):
            self._task = asyncio.create_task(self._trim_and_log(), name="retention_task")

    def stop(self) -> None:
        """Stop deleting; the rest is left for the next time."""
        self._next_look_s = 0.0
        if self._task is not None:
            self._task.cancel()

    async def trim(self) -> int:
        """Delete everything that is old enough; returns the number of rows.

        Raises:
            DATABASE_ERRORS: what was deleted until then stays deleted.
        """
        connection = await self._database.connect()
        try:
            trimmed = 0
            if self._age:
                before = self._clock.now() - self._age
                trimmed += await self._batches(lambda: retention.trim_calls(connection, before))
                trimmed += await self._batches(
                    lambda: earlier_answers.trim(connection, self._age, BATCH)
                )
                trimmed += await self._batches(
                    lambda: retention.trim_rejected_rows(connection, self._age)
                )
                trimmed += await self._batches(
                    lambda: retention.trim_row_notes(connection, self._age)
                )
            trimmed += await self._batches(lambda: retention.trim_open_calls(connection))
            for import_id in await retention.finished_scopes(connection):
                trimmed += await self._batches(partial(retention.trim_scope, connection, import_id))
            return trimmed + await self._batches(lambda: retention.trim_pgqueuer(connection))
        finally:
            connection.terminate()

    async def _batches(self, delete_batch: Callable[[], Awaitable[int]]) -> int:
        """Call `delete_batch`, which returns the number of its rows, until no full batch is left;
        returns the number of all rows.
        """
        total = 0
        while True:
            deleted = await delete_batch()
            total += deleted
            if deleted < BATCH:
                return total
            await self._clock.sleep(PAUSE_S)

    async def _trim_and_log(self) -> None:
        """Delete old records and log how many; an error of the database is logged, not raised."""
        try:
            trimmed = await self.trim()
        except (*DATABASE_ERRORS, TimeoutError) as error:
            telemetry.warning(
                "retention_interrupted",
                f"⚠️ Deleting old records was interrupted ({type(error).__name__}); retrying in an hour",
            )
        else:
            if trimmed:
                telemetry.info(
                    "records_deleted",
                    f"🧹 Deleted {counted(trimmed, 'record')} older than the retention time",
                    records=trimmed,
                )
