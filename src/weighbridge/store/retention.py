"""Retention: deletes what would otherwise grow for ever: calls, rejected rows, scopes of old runs,
PgQueuer's log.

Each function deletes one small batch, in one statement, and returns its number of rows, so that
nobody waits for it long; `engine/dispatch/retention_task.py` calls it until nothing is left. Calls
leave their sums behind, by day.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pgqueuer.domain.settings import db_settings

from weighbridge.store import open_calls
from weighbridge.store.statistics import CALL_SUMS, LATENCY_BOUNDS_S, WAITING_BOUNDS_S

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from weighbridge.store.database import Connection

BATCH: Final = 2_000
"""How many rows one statement deletes, at most. It takes 27 ms for calls, and 70 ms at most (two
cores, 200,000 rows).
"""
EVERY: Final = timedelta(hours=1)
"""The time between two deletions of old records."""
LOG_AGE: Final = timedelta(days=7)
"""How long PgQueuer's log and statistics are kept: they help to find recent problems, and nothing
else reads them.
"""
SCOPE_AGE: Final = timedelta(days=7)
"""For how long, at least, the list of products that an import named is kept."""

_KEY: Final = "day, step, model, outcome, simulated, latency_bucket, waiting_bucket"
"""The columns by which deleted calls are grouped; what is kept of each group is its sums."""
_SUMS: Final = (
    "calls, latency_s, waited_s, estimated_tokens, input_tokens, cached_input_tokens, "
    "output_tokens, cost_usd, unpriced_calls"
)
_ADDED: Final = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in _SUMS.split(", "))
"""SQL that adds the sums of deleted calls to the stored sums of the same key."""


async def claim(connection: Connection) -> bool:
    """Whether old records are to be deleted now: True for one of all processes, once an hour."""
    return bool(
        await connection.fetchval(
            "UPDATE retention_state SET looked_at = now() WHERE looked_at < now() - $1::interval "
            "RETURNING true",
            EVERY,
        )
    )


async def trim_calls(connection: Connection, before: datetime, most: int = BATCH) -> int:
    """Delete calls begun before a moment, the oldest first, and add them to the daily sums; returns
    how many.

    All in one statement, or nothing.
    """
    tag = await connection.fetchval(
        "WITH old AS ("  # noqa: S608 - constants only
        " SELECT id FROM calls WHERE started_at < $3 ORDER BY started_at LIMIT $4 FOR UPDATE "
        "SKIP LOCKED), gone AS ( DELETE FROM calls USING old WHERE calls.id = old.id RETURNING "
        f"calls.*), rolled_up AS ( INSERT INTO call_rollups AS r ({_KEY}, {_SUMS}, "
        "first_started_at, last_started_at) SELECT (started_at AT TIME ZONE 'UTC')::date AS day, "
        f"{CALL_SUMS}, min(started_at), max(started_at) FROM gone GROUP BY {_KEY} ORDER BY {_KEY} "
        f"ON CONFLICT ({_KEY}) DO UPDATE SET {_ADDED}, first_started_at = "
        "least(r.first_started_at, excluded.first_started_at), last_started_at = "
        "greatest(r.last_started_at, excluded.last_started_at)), noted AS ( UPDATE "
        "retention_state SET trimmed_up_to = greatest(trimmed_up_to, (SELECT max(id) FROM gone)) "
        "WHERE EXISTS (SELECT FROM gone)) SELECT count(*) FROM gone",
        list(LATENCY_BOUNDS_S),
        list(WAITING_BOUNDS_S),
        before,
        most,
    )
    return int(tag)


async def trimmed_up_to(connection: Connection) -> int:
    """The highest id of a deleted call; 0 if there is none."""
    return int(await connection.fetchval("SELECT trimmed_up_to FROM retention_state"))


async def trim_rejected_rows(connection: Connection, age: timedelta, most: int = BATCH) -> int:
    """Delete the rejected rows of old imports; returns how many."""
    return await _trim_oldest(connection, "rejected_rows", "rejected_at", age, most)


async def trim_row_notes(connection: Connection, age: timedelta, most: int = BATCH) -> int:
    """Delete the notes on rows of old imports; returns how many. The products keep their own
    notes.
    """
    return await _trim_oldest(connection, "row_notes", "noted_at", age, most)


async def trim_open_calls(connection: Connection, most: int = BATCH) -> int:
    """Delete open calls that are too old for their reply to be fetched; returns how many."""
    tag = await connection.execute(
        "DELETE FROM open_calls WHERE key = ANY (ARRAY(SELECT key FROM open_calls"
        " WHERE started_at < now() - $1::interval AND batch_id IS NULL LIMIT $2))",
        open_calls.KEPT,
        most,
    )
    return int(tag.split()[-1])


async def trim_pgqueuer(connection: Connection, age: timedelta = LOG_AGE, most: int = BATCH) -> int:
    """Delete old rows of PgQueuer's log and of its statistics; returns the larger of the two
    numbers.
    """
    names = db_settings().qualified
    return max(
        [
            await _trim_oldest(connection, str(table), "created", age, most)
            for table in (names.queue_table_log, names.statistics_table)
        ]
    )


async def _trim_oldest(
    connection: Connection, table: str, time_column: str, age: timedelta, most: int
) -> int:
    """Delete up to `most` rows older than `age`; returns how many.

    Ids grow with time, so the oldest rows are those with the lowest ids: no index on the time is
    needed.
    """
    tag = await connection.execute(
        f"DELETE FROM {table} WHERE {time_column} < now() - $1::interval"  # noqa: S608 - names of ours
        f" AND id = ANY (ARRAY(SELECT id FROM {table} ORDER BY id LIMIT $2))",
        age,
        most,
    )
    return int(tag.split()[-1])


async def finished_scopes(connection: Connection, age: timedelta = SCOPE_AGE) -> list[UUID]:
    """Imports older than `age` whose products are all finished and have not changed for that
    long.
    """
    rows = await connection.fetch(
        # One index lookup for each import, instead of reading the whole table.
        "WITH RECURSIVE imports AS ( (SELECT import_id, created_at FROM scopes ORDER BY "
        "import_id LIMIT 1) UNION ALL SELECT later.* FROM imports CROSS JOIN LATERAL (  SELECT "
        "s.import_id, s.created_at FROM scopes s WHERE s.import_id > imports.import_id  ORDER BY "
        "s.import_id LIMIT 1) AS later) SELECT import_id FROM imports WHERE created_at < now() - "
        "$1::interval AND NOT EXISTS ( SELECT FROM scopes s JOIN products p ON p.id = "
        "s.product_id WHERE s.import_id = imports.import_id AND (p.status IN ('pending', "
        "'processing') OR p.updated_at >= now() - $1::interval))",
        age,
    )
    return [row["import_id"] for row in rows]


async def trim_scope(connection: Connection, import_id: UUID, most: int = BATCH) -> int:
    """Delete up to `most` links from an import to its products; returns how many it deleted."""
    tag = await connection.execute(
        "DELETE FROM scopes WHERE import_id = $1 AND product_id = ANY (ARRAY("
        "SELECT product_id FROM scopes WHERE import_id = $1 ORDER BY product_id LIMIT $2))",
        import_id,
        most,
    )
    return int(tag.split()[-1])
