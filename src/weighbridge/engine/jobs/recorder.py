"""Records a finished call in one transaction: the call, its answers, and the new state of each
product.

Calls that finish while another is being written share the next transaction: at 300 calls/s, ten of
them share one commit (3 ms of disk).

What was paid for is written however long the database is unavailable. Products that no longer
belong to the job are not changed: they may have been edited, deleted or taken over while the call
was in flight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from weighbridge.engine.database.batcher import Batcher
from weighbridge.engine.quota.permits import JobLost
from weighbridge.store import (
    answers,
    calls,
    footprints,
    jobs,
    open_calls,
    products,
    queue_state,
    variants,
)
from weighbridge.store.membership import Membership, is_held, is_recorded, lock_job_products

if TYPE_CHECKING:
    from uuid import UUID

    from weighbridge.engine.database.retrying import DatabaseRetry
    from weighbridge.store.answers import StoredAnswer
    from weighbridge.store.calls import CallRecord
    from weighbridge.store.database import Connection, Database
    from weighbridge.store.footprints import StoredFootprint

Reasons = Mapping[int, tuple[str, str]]
"""For each product id: the kind of error, and the reason in words for the operator."""

V = TypeVar("V")

RECORD_BATCH: Final = 96
"""The most finished calls that are recorded in one transaction."""
WRITERS: Final = 3
"""The most transactions at the same time: one is assembled while PostgreSQL works on another. With
one transaction at a time (of up to 256 calls) this process and PostgreSQL waited for each other,
and a catalogue took a tenth longer.
"""


_NOTHING: Final[Mapping[int, Any]] = MappingProxyType({})


class Outcome(NamedTuple):
    """Everything that one call, or the end of a job, changes.

    `finished` are new footprints. Products in `asked_alone` and `split` move to new jobs, with one
    product or with each of the given groups. `given_up` have failed. `forgiven` are products whose
    earlier attempts failed and that are answered now: their attempts count from 0 again.
    """

    job_id: int
    call: CallRecord | None = None
    answers: Sequence[StoredAnswer] = ()
    borrowed: Sequence[StoredAnswer] = ()  # about another product, with the call that gave them
    finished: Sequence[StoredFootprint] = ()
    asked_alone: Reasons = _NOTHING
    given_up: Reasons = _NOTHING
    split: Sequence[Sequence[int]] = ()
    forgiven: Sequence[int] = ()
    wasted_usd: Mapping[int, float] = _NOTHING  # cost by product id that is in no answer
    is_asked_again: bool = False  # an empty reply of a batch: the next batch asks again

    def leaving_ids(self) -> set[int]:
        """The ids of the products that leave the job."""
        ids = {*self.asked_alone, *self.given_up}
        ids.update(footprint.product_id for footprint in self.finished)
        ids.update(product_id for part in self.split for product_id in part)
        return ids

    def product_ids(self) -> set[int]:
        """The ids of all products that are changed or get answers."""
        answered = (*self.answers, *self.borrowed)
        return self.leaving_ids() | {answer.product_id for answer in answered}

    def only(self, membership: Membership) -> Outcome:
        """The part of this outcome that still applies, now that only the products in `membership`
        belong to the job.

        Answers about all products that still exist stay: each names its own question.
        """
        belongs = membership.revision_of
        if belongs.keys() >= self.product_ids() and all(
            belongs[f.product_id] == f.revision for f in self.finished
        ):
            return self  # nearly always: the products have not changed
        return self._replace(
            answers=[a for a in self.answers if a.product_id in membership.existing],
            borrowed=[a for a in self.borrowed if a.product_id in belongs],
            finished=[f for f in self.finished if belongs.get(f.product_id) == f.revision],
            asked_alone=_only_those(self.asked_alone, belongs),
            given_up=_only_those(self.given_up, belongs),
            forgiven=[i for i in self.forgiven if i in belongs],
            split=[kept for part in self.split if (kept := [i for i in part if i in belongs])],
        )


def _only_those(reasons: Mapping[int, V], belongs: Mapping[int, int]) -> dict[int, V]:
    return {product_id: why for product_id, why in reasons.items() if product_id in belongs}


class Recorder:
    """Records calls; one per process. `manager_id` is the id under which the process holds jobs."""

    def __init__(self, database: Database, database_retry: DatabaseRetry, manager_id: UUID) -> None:
        self._database = database
        self._database_retry = database_retry
        self._manager_id = manager_id
        self._write_batched = Batcher(self._write_with_retry, RECORD_BATCH, WRITERS)

    async def record(self, outcome: Outcome) -> frozenset[int]:
        """Write the outcome, all or nothing and exactly once; returns the ids of the products that
        stay in the job.

        Raises:
            JobLost: another worker has the job. The call and its answers were stored, nothing else.
        """
        membership = await self._write_batched(outcome)
        if not membership.held:
            raise JobLost
        return frozenset(membership.revision_of.keys() - outcome.leaving_ids())

    async def _write_with_retry(self, outcomes: Sequence[Outcome]) -> list[Membership]:
        """Write the outcomes in one transaction, which is repeated until it succeeds; returns for
        each the products that still belonged to the job.
        """
        tries = count()

        async def write_outcomes() -> list[Membership]:
            async with self._database.transaction() as connection:
                return await self._write(connection, outcomes, again=next(tries) > 0)

        return await self._database_retry(write_outcomes)

    async def release(self, job_id: int) -> None:
        """Return the job's remaining products to `pending`, unless another worker has the job."""

        async def release_if_held() -> None:
            async with self._database.transaction() as connection:
                if await is_held(connection, job_id, self._manager_id):
                    await products.release_jobs(connection, [job_id])

        await self._database_retry(release_if_held)

    async def _write(
        self, connection: Connection, outcomes: Sequence[Outcome], *, again: bool
    ) -> list[Membership]:
        """Write these outcomes in the present transaction, as far as they still apply; returns for
        each the products that still belong to the job.

        `again`: this is a retry, and the try before it may have been committed.
        """
        memberships = await lock_job_products(
            connection, [(o.job_id, o.product_ids()) for o in outcomes], self._manager_id
        )
        new = [
            outcome.only(membership)
            for outcome, membership in zip(outcomes, memberships, strict=True)
            # The connection may have broken after the commit, before its confirmation.
            if not (again and await _is_written(connection, outcome))
        ]
        new = await _without_recorded_calls(connection, new)
        with_calls = [(outcome, outcome.call) for outcome in new if outcome.call is not None]
        call_ids = await calls.insert_calls(connection, [call for _, call in with_calls])
        await answers.insert_answers(
            connection,
            [
                (call_id, answer)
                for call_id, (outcome, _) in zip(call_ids, with_calls, strict=True)
                for answer in outcome.answers
            ]
            + [
                (answer.call_id, answer)
                for outcome in new
                for answer in outcome.borrowed
                if answer.call_id is not None
            ],
        )
        await _move(connection, new)
        return memberships


async def _is_written(connection: Connection, outcome: Outcome) -> bool:
    """Whether the outcome's call is in the database already."""
    call = outcome.call
    return call is not None and await is_recorded(
        connection, call.job_id, call.step, call.started_at
    )


async def _without_recorded_calls(connection: Connection, outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes, without calls that are recorded already. Two workers may have got the same
    reply, one from its connection and one from the provider's store; it was billed once, and must
    count once.
    """
    answered, empty = set[str](), set[str]()
    for outcome in outcomes:
        if outcome.call and outcome.call.key:
            (empty if outcome.is_asked_again else answered).add(outcome.call.key)
    unrecorded = await open_calls.close(connection, sorted(answered))
    unrecorded |= await open_calls.mark_empty(connection, sorted(empty))
    claimed = []
    for outcome in outcomes:
        key = outcome.call.key if outcome.call else None
        is_recorded_already = key is not None and key not in unrecorded
        unrecorded.discard(key or "")
        if is_recorded_already:
            outcome = outcome._replace(call=None, answers=(), wasted_usd=_NOTHING)
        claimed.append(outcome)
    return claimed


async def _move(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Move the products of these outcomes to their next state or job."""
    job_of = {done.product_id: outcome.job_id for outcome in outcomes for done in outcome.finished}
    if job_of:
        await footprints.upsert_footprints(
            connection, [done for outcome in outcomes for done in outcome.finished]
        )
        borrowers = {
            answer.product_id
            for outcome in outcomes
            for answer in outcome.borrowed
            if not answer.provenance.reused
        }
        await products.complete(connection, job_of, borrowers)
        await variants.enqueue_waiting(connection, [*job_of.keys() - borrowers])
    if forgiven := [product_id for outcome in outcomes for product_id in outcome.forgiven]:
        await products.forgive(connection, forgiven)
    for outcome in outcomes:
        if outcome.given_up:
            await products.give_up(connection, outcome.job_id, outcome.given_up, outcome.wasted_usd)
            await variants.free_waiting_for(connection, list(outcome.given_up))
        if outcome.asked_alone:
            await _ask_alone(connection, outcome)
        if outcome.split:
            await _split(connection, outcome)
        leaving = {*outcome.asked_alone, *outcome.given_up}
        if rest := {i: usd for i, usd in outcome.wasted_usd.items() if usd and i not in leaving}:
            await products.add_spent(connection, rest)
    if any(outcome.finished or outcome.given_up for outcome in outcomes):
        await queue_state.announce(connection)


async def _ask_alone(connection: Connection, outcome: Outcome) -> None:
    """Give each product that is to be asked about alone a job of its own."""
    leaving = await products.leave_group(
        connection, outcome.job_id, outcome.asked_alone, outcome.wasted_usd
    )
    # With priority: the other products of the batch are nearly done, and it must wait for these.
    new_jobs = await jobs.enqueue_jobs(connection, len(leaving), priority=1)
    await products.move_to_jobs(connection, dict(zip(leaving, new_jobs, strict=True)))
    await jobs.route(connection, new_jobs)


async def _split(connection: Connection, outcome: Outcome) -> None:
    """Give each part of the group a job of its own."""
    new_jobs = await jobs.enqueue_jobs(connection, len(outcome.split), priority=1)
    job_of = {
        product_id: job_id
        for job_id, ids in zip(new_jobs, outcome.split, strict=True)
        for product_id in ids
    }
    await products.move_to_jobs(connection, job_of)
    await jobs.route(connection, new_jobs)
