"""Why no call goes to an account at present: one row for each account, seen by every process."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from weighbridge.store import queue_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.store.database import Connection


class HoldKind(StrEnum):
    """What it waits for."""

    ALIKE = "alike"  # calls fail alike: a probe shall find out whether they still do
    DAY = "day"  # a limit of the day: its reset


@dataclass(frozen=True, slots=True)
class Hold:
    """`until_s` is in the limiter's time; then one call may go."""

    kind: HoldKind
    reason: str
    until_s: float
    probes: int = 0


@dataclass(frozen=True, slots=True)
class LateCall:
    """One of the last calls, as far as it says whose fault failures are. `bad` is None when it was of use."""

    bad: str | None
    words: str | None
    product_ids: tuple[int, ...]


async def load(connection: Connection, account: str) -> Hold | None:
    """The present one."""
    row = await connection.fetchrow(
        "SELECT kind, reason, until_s, probes FROM holds WHERE account = $1", account
    )
    return (
        Hold(HoldKind(row["kind"]), row["reason"], row["until_s"], row["probes"]) if row else None
    )


async def put(connection: Connection, account: str, hold: Hold) -> bool:
    """Hold the account, unless it is held; everybody is told. Returns whether this is news."""
    tag = await connection.execute(
        "INSERT INTO holds (account, kind, reason, until_s, probes) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT DO NOTHING",
        account,
        hold.kind.value,
        hold.reason,
        hold.until_s,
        hold.probes,
    )
    is_news = bool(tag.endswith(" 1"))
    if is_news:
        await queue_state.update(connection, paused_reason=hold.reason)
    return is_news


async def probe_sent(connection: Connection, account: str, until_s: float) -> None:
    """A probe is on its way; the next one may go at `until_s`."""
    await connection.execute(
        "UPDATE holds SET probes = probes + 1, until_s = $2 WHERE account = $1", account, until_s
    )


async def lift(connection: Connection, account: str) -> bool:
    """Let calls go again; returns whether the account was held."""
    tag = await connection.execute("DELETE FROM holds WHERE account = $1", account)
    if was_held := bool(tag.endswith(" 1")):
        await queue_state.update(connection, paused_reason=None)
    return was_held


async def lift_all(connection: Connection) -> None:
    """Somebody starts the queue: whatever held it is looked at anew."""
    await connection.execute("DELETE FROM holds")


async def late_calls(
    connection: Connection, provider: str, refusals: Sequence[str], since: datetime, most: int
) -> list[LateCall]:
    """The last calls that say anything, newest first: replies, and refusals of these kinds."""
    rows = await connection.fetch(
        "SELECT CASE WHEN outcome = 'ok' THEN unusable ELSE outcome END AS bad, error, product_ids FROM calls"
        " WHERE provider = $1 AND started_at >= $2 AND (outcome = 'ok' OR outcome = ANY($3::text[]))"
        " ORDER BY id DESC LIMIT $4",
        provider,
        since,
        list(refusals),
        most,
    )
    return [LateCall(r["bad"], r["error"], tuple(r["product_ids"])) for r in rows]


async def used_since(connection: Connection, provider: str, since: datetime) -> tuple[int, int]:
    """Requests and tokens of an account since a moment, as far as they are recorded."""
    row = await connection.fetchrow(
        "SELECT count(*) AS requests, coalesce(sum(CASE WHEN outcome = 'ok' THEN input_tokens + output_tokens"
        " ELSE 0 END), 0)::bigint AS tokens FROM calls WHERE provider = $1 AND started_at >= $2",
        provider,
        since,
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row["requests"], row["tokens"]
