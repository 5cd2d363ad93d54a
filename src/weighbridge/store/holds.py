"""Holds: why no call goes to an account at present. One row for each account, seen by every
process.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from weighbridge.store import queue_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.store.database import Connection


class HoldKind(StrEnum):
    """Why calls are held."""

    ALIKE = "alike"  # calls fail alike, until a probe succeeds
    DAY = "day"  # a limit of the day is used up, until it is reset


@dataclass(frozen=True, slots=True)
class Hold:
    """Why calls to an account wait. At `until_s`, in the limiter's time, one call may go as a
    probe; `probes` counts those that were sent.
    """

    kind: HoldKind
    reason: str
    until_s: float
    probes: int = 0


@dataclass(frozen=True, slots=True)
class LateCall:
    """One of the last calls, to judge whether the provider or the products are at fault.

    `bad` is the kind of error, None when the call was of use; `words` is the message. A bad call
    about hard products is no evidence against the provider.
    """

    bad: str | None
    words: str | None
    product_ids: tuple[int, ...]
    is_evidence: bool


async def load(connection: Connection, account: str) -> Hold | None:
    """The present hold of an account; None: calls may go."""
    row = await connection.fetchrow(
        "SELECT kind, reason, until_s, probes FROM holds WHERE account = $1", account
    )
    return (
        Hold(HoldKind(row["kind"]), row["reason"], row["until_s"], row["probes"]) if row else None
    )


async def put(connection: Connection, account: str, hold: Hold) -> bool:
    """Hold the calls of an account and notify every process; does nothing and returns False where
    they are held already.
    """
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
        await queue_state.say_paused(connection, hold.reason)
    return is_news


async def probe_sent(connection: Connection, account: str, until_s: float) -> None:
    """Note that a probe was sent; the next one may go at `until_s`."""
    await connection.execute(
        "UPDATE holds SET probes = probes + 1, until_s = $2 WHERE account = $1", account, until_s
    )


async def lift(connection: Connection, account: str) -> bool:
    """Let calls go again; returns whether the account was held."""
    tag = await connection.execute("DELETE FROM holds WHERE account = $1", account)
    if was_held := bool(tag.endswith(" 1")):
        await queue_state.say_paused(connection, None)
    return was_held


async def lift_all(connection: Connection) -> None:
    """Lift every hold, because somebody starts the queue."""
    await connection.execute("DELETE FROM holds")


@dataclass(frozen=True, slots=True)
class Lately:
    """What the calls around one bad call tell about the provider.

    `calls` are the last ones up to it, newest first. `has_passed_since`: the provider has answered
    a later call well.
    """

    calls: Sequence[LateCall]
    has_passed_since: bool


async def recent_calls(
    connection: Connection,
    provider: str,
    refusals: Sequence[str],
    since: datetime,
    product_ids: Sequence[int],
    most: int,
) -> Lately:
    """The last calls that tell anything about the provider, up to the newest one about these
    products: replies, and refusals of the kinds in `refusals`.

    They are in the order in which they began. A refusal comes at once and an answer takes seconds,
    so one that passes may have been sent before the provider turned bad. Bad calls about products
    that were in trouble before the last call that passed are no evidence: the provider works, and
    these products are hard. Looks back at `most` calls, and no further than the last one that
    passed.
    """
    own = await connection.fetchrow(
        "SELECT started_at, id FROM calls WHERE provider = $1 AND product_ids @> $2::bigint[]"
        " ORDER BY id DESC LIMIT 1",
        provider,
        list(product_ids),
    )
    if own is None:
        return Lately((), has_passed_since=False)
    rows = await connection.fetch(_LATELY, provider, since, list(refusals), *own, most)
    has_passed_since = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM calls WHERE provider = $1 AND (started_at, id) > ($2, $3)"
        " AND outcome = 'ok' AND unusable IS NULL)",
        provider,
        *own,
    )
    return Lately(
        [
            LateCall(row["bad"], row["error"], tuple(row["product_ids"]), row["is_evidence"])
            for row in rows
        ],
        bool(has_passed_since),
    )


async def has_passed(connection: Connection, provider: str, since: datetime) -> bool:
    """Whether the provider has given a usable answer to a call that began at or after `since`."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM calls WHERE provider = $1 AND started_at >= $2 AND "
        "outcome = 'ok' AND unusable IS NULL)",
        provider,
        since,
    )
    return found


async def easy_jobs(
    connection: Connection,
    provider: str,
    refusals: Sequence[str],
    since: datetime,
    job_ids: Sequence[int],
) -> frozenset[int]:
    """Those of the jobs with a product that was not in trouble before the last call that passed: a
    failure of these tells something about the provider.
    """
    rows = await connection.fetch(
        _EASY_JOBS, provider, since, list(refusals), *NEWEST, list(job_ids)
    )
    return frozenset(row["job_id"] for row in rows)


NEWEST: Final = (datetime.max.replace(tzinfo=UTC), 2**62)
"""A place after every stored call, as the time when a call began and its id."""
_SAID: Final = """
WITH said AS (
    SELECT started_at, id, CASE WHEN outcome = 'ok' THEN unusable ELSE outcome END AS bad, error,
        product_ids
    FROM calls WHERE provider = $1 AND started_at >= $2 AND (started_at, id) <= ($4, $5)
    AND (outcome = 'ok' OR outcome = ANY($3::text[]))
), passed AS (
    SELECT * FROM said WHERE bad IS NULL ORDER BY started_at DESC, id DESC LIMIT 1
)"""
"""SQL WITH clause: `said` has the calls to a provider whose reply could be read or that it refused,
each with its fault in `bad` (NULL for none); `passed` is the last of them without a fault.
"""
# A call about it, begun before the last one that passed, left the product without an answer.
_IS_HARD: Final = """EXISTS (
    SELECT FROM calls AS earlier
    WHERE earlier.product_ids @> ARRAY[product_id]
    AND (earlier.started_at, earlier.id) < (SELECT started_at, id FROM passed)
    AND earlier.provider = $1 AND earlier.started_at >= $2
    AND (earlier.outcome = 'ok' OR earlier.outcome = ANY($3::text[]))
    AND NOT EXISTS (
        SELECT FROM answers
        WHERE answers.call_id = earlier.id AND answers.product_id = concerned.product_id
    )
)"""
_LATELY: Final = f"""{_SAID}, bad_since AS (
    SELECT * FROM (SELECT * FROM said ORDER BY started_at DESC, id DESC LIMIT $6) AS newest
    WHERE bad IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM passed
        WHERE (passed.started_at, passed.id) > (newest.started_at, newest.id)
    )
)
SELECT bad, error, product_ids, is_evidence FROM (
    SELECT *, true AS is_evidence FROM passed
    UNION ALL
    SELECT *, NOT (
        SELECT bool_and({_IS_HARD}) FROM unnest(late.product_ids) AS concerned (product_id)
    ) FROM bad_since AS late
) AS late ORDER BY started_at DESC, id DESC
"""  # noqa: S608 - put together from constants
_EASY_JOBS: Final = f"""{_SAID}
SELECT DISTINCT concerned.job_id FROM (
    SELECT id AS product_id, job_id FROM products WHERE job_id = ANY($6::bigint[])
) AS concerned WHERE NOT {_IS_HARD}
"""  # noqa: S608 - put together from constants


async def used_since(connection: Connection, provider: str, since: datetime) -> tuple[int, int]:
    """(requests, tokens) that an account has used since a moment, as far as calls are recorded."""
    row = await connection.fetchrow(
        "SELECT count(*) AS requests, coalesce(sum(input_tokens + output_tokens), 0)::bigint AS "
        "tokens FROM calls WHERE provider = $1 AND "
        "started_at >= $2",
        provider,
        since,
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row["requests"], row["tokens"]
