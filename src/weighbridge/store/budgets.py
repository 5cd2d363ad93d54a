"""The caps on spending, and the money already committed to calls under each: one row per cap,
shared by every process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.domain.budgets import PERIODS, Budget, begin_of, span_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from asyncpg import Record

    from weighbridge.store.database import Connection

_COLUMNS = "name, cap_usd, committed_usd, span, active"


async def lock(connection: Connection, now: datetime) -> list[Budget]:
    """The caps in force, locked until the transaction ends; a new day or month begins with what its
    calls have cost so far.
    """
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM budgets WHERE active ORDER BY name FOR UPDATE"  # noqa: S608
    )
    return [await _in_span(connection, _of_row(row), now) for row in rows]


async def _in_span(connection: Connection, budget: Budget, now: datetime) -> Budget:
    """The budget in the day or month that `now` is in. Where that is a new one, what its calls have
    cost so far is stored as committed.
    """
    span = span_of(budget.name, now)
    if span == budget.span:
        return budget
    row = await connection.fetchrow(
        "UPDATE budgets SET span = $2, committed_usd = (SELECT coalesce(sum(cost_usd), 0) FROM calls"  # noqa: S608
        f" WHERE started_at >= $3) WHERE name = $1 RETURNING {_COLUMNS}",
        budget.name,
        span,
        begin_of(budget.name, now),
    )
    assert row is not None  # noqa: S101 - we hold its lock
    return _of_row(row)


async def commit_more(connection: Connection, changes_usd: Mapping[tuple[str, str], float]) -> None:
    """Add to what is committed: (name, span) → USD, negative to give back. Changes to a day or
    month that is over are ignored.
    """
    for (name, span), change_usd in changes_usd.items():
        await connection.execute(
            "UPDATE budgets SET committed_usd = greatest(0, committed_usd + $3)"
            " WHERE name = $1 AND span = $2",
            name,
            span,
            change_usd,
        )


async def put(connection: Connection, name: str, cap_usd: float) -> None:
    """Set or change a cap; what is committed stays."""
    await connection.execute(
        "INSERT INTO budgets (name, cap_usd) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET "
        "cap_usd = $2, active = true",
        name,
        cap_usd,
    )


async def put_all(connection: Connection, caps_usd: Mapping[str, float]) -> None:
    """Set or change several caps, given by name."""
    for name, cap_usd in caps_usd.items():
        await put(connection, name, cap_usd)


async def end(connection: Connection, name: str) -> None:
    """Stop a cap from limiting anybody, because the run that it was for has ended. Its row
    stays.
    """
    await connection.execute("UPDATE budgets SET active = false WHERE name = $1", name)


async def remove(connection: Connection, name: str) -> bool:
    """Forget a cap; returns whether there was one."""
    tag = await connection.execute("DELETE FROM budgets WHERE name = $1", name)
    return bool(tag.endswith(" 1"))


async def remove_catalogues(connection: Connection) -> int:
    """Forget the caps of all catalogues; returns how many."""
    tag = await connection.execute("DELETE FROM budgets WHERE name <> ALL($1)", list(PERIODS))
    return int(tag.split()[-1])


def _of_row(row: Record) -> Budget:
    return Budget(row["name"], row["cap_usd"], row["committed_usd"], row["span"], row["active"])
