"""One finished call is one transaction: the call, its answers, and what becomes of each product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.store import answers, calls, footprints, jobs, products, queue_state

if TYPE_CHECKING:
    from weighbridge.store.answers import StoredAnswer
    from weighbridge.store.calls import CallRecord
    from weighbridge.store.database import Connection, Database
    from weighbridge.store.footprints import StoredFootprint

Reasons = Mapping[int, tuple[str, str]]
"""product id → (kind of error, reason a person can act on)"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that one call, or the end of a job, changes.

    `split` are the new, smaller groups that products of this job move to.
    """

    job_id: int
    call: CallRecord | None = None
    answers: Sequence[StoredAnswer] = ()
    finished: Sequence[StoredFootprint] = ()
    asked_alone: Reasons = field(default_factory=dict)
    given_up: Reasons = field(default_factory=dict)
    split: Sequence[Sequence[int]] = ()
    wasted_usd: float = 0.0  # per product without an answer from this call


async def record(database: Database, outcome: Outcome) -> None:
    """Write it all or nothing. Products that meanwhile left the job are left as they are."""
    async with database.transaction() as connection:
        if outcome.call is not None:
            call_id = await calls.insert_call(connection, outcome.call)
            if outcome.answers:
                await answers.insert_answers(connection, call_id, outcome.answers)
        if outcome.finished:
            await footprints.upsert_footprints(connection, outcome.finished)
            ids = [footprint.product_id for footprint in outcome.finished]
            await products.complete(connection, outcome.job_id, ids)
        if outcome.given_up:
            await products.give_up(connection, outcome.job_id, outcome.given_up, outcome.wasted_usd)
        if outcome.asked_alone:
            await _ask_alone(connection, outcome)
        if outcome.split:
            await _split(connection, outcome)
        if outcome.finished or outcome.given_up:
            await queue_state.announce(connection)


async def _ask_alone(connection: Connection, outcome: Outcome) -> None:
    leaving = await products.leave_group(
        connection, outcome.job_id, outcome.asked_alone, outcome.wasted_usd
    )
    # Priority: their neighbours are nearly done; the batch should not wait for a second round.
    new_jobs = await jobs.enqueue_jobs(connection, len(leaving), priority=1)
    await products.move_to_jobs(connection, dict(zip(leaving, new_jobs, strict=True)))


async def _split(connection: Connection, outcome: Outcome) -> None:
    new_jobs = await jobs.enqueue_jobs(connection, len(outcome.split), priority=1)
    job_of = {
        product_id: job_id
        for job_id, ids in zip(new_jobs, outcome.split, strict=True)
        for product_id in ids
    }
    await products.move_to_jobs(connection, job_of)
