"""Fetches the replies to orphaned calls, whose worker died or lost the connection, from the
provider's store.

Used by `worker.py` if the option is on (docs/decisions/0012). Every call is sent with a key, which
is committed with the call's permit. So the open calls in the database are all calls that may have
been billed without being recorded. A worker that gets a product of such a call looks here first. If
the provider stores nothing or lists replies late, the question is asked again, as without the
option. How replies are stored and found: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from weighbridge.domain.calls import Cost
from weighbridge.engine.database.batcher import Batcher
from weighbridge.engine.jobs.in_flight_call import InFlightCall
from weighbridge.engine.jobs.job_products import with_answers
from weighbridge.engine.jobs.reports import (
    say_broken_off,
    say_fetched,
    say_not_fetched,
    say_nothing_kept,
)
from weighbridge.engine.quota.permits import LookedUp, PermitRequest, PreparedCall
from weighbridge.errors import ProviderError
from weighbridge.limits.retries import Wait, decide
from weighbridge.store import calls, open_calls, products
from weighbridge.store.open_calls import OpenCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.domain.calls import CallReply
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.engine.quota.permits import Permit
    from weighbridge.steps import Question

LIST_DELAY_S: Final = 15.0
"""For how long after its end a completion may be missing from the provider's list. The provider
states no time; the tests of OpenAI's own .NET library wait five seconds
(https://github.com/openai/openai-dotnet).
"""
SLOWER: Final = 2.0
"""A call may still be running for up to this factor times the slowest of the last thousand calls.
(It may also never have been sent; then there is no reply to wait for.)
"""
LEAST_LATENCY_S: Final = 5.0
"""For `SLOWER`, the slowest call is taken to have lasted at least this long."""
FIRST_PAUSE_S: Final = 1.0
READ_BATCH: Final = 256
"""Number of groups whose open calls are read by one query."""
LONGEST_PAUSE_S: Final = 30.0
"""The longest pause between two look-ups of a reply; pauses begin with `FIRST_PAUSE_S` and double.
"""


class OrphanedCalls:
    """Fetches stored replies; one per process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._has_said_nothing_kept = False
        self._read_batched = Batcher(self._read_about, READ_BATCH)

    def new_key(self) -> str | None:
        """A key for a call that is about to be sent; None if the provider stores no replies."""
        return uuid4().hex if self._context.provider.keeps_replies else None

    def open_call(self, key: str, question: Question, group: Sequence[JobProduct]) -> OpenCall:
        """The record of a call that is about to be sent; its cost is added with the permit."""
        return OpenCall(
            key=key,
            provider=self._context.provider.name,
            simulated=self._context.provider.simulated,
            question=question.name,
            step_version=question.version(group[0].versions),
            product_ids=[product.id for product in group],
            question_fingerprints=[product.question_fingerprint for product in group],
            started_at=self._context.clock.now(),
        )

    async def about(self, group: Sequence[JobProduct]) -> list[OpenCall]:
        """The open calls of dead workers about any of these products."""
        return await self._read_batched(group) if self._context.provider.keeps_replies else []

    async def _read_about(self, groups: Sequence[Sequence[JobProduct]]) -> list[list[OpenCall]]:
        """For each group, the open calls of dead workers about any of its products."""
        ids = [{product.id for product in group} for group in groups]

        async def read_open_calls() -> list[OpenCall]:
            async with self._context.database.pool.acquire() as connection:
                return await open_calls.about(
                    connection,
                    set().union(*ids),
                    self._context.provider.name,
                    simulated=self._context.provider.simulated,
                )

        found = await self._context.database_retry(read_open_calls)
        return [[c for c in found if not of_group.isdisjoint(c.product_ids)] for of_group in ids]

    async def fetch(self, call: OpenCall, job_id: int) -> tuple[InFlightCall, CallReply] | None:
        """Fetch the reply to an open call; returns the call, as if this worker had made it, and the
        reply. None if there is no reply, or no product needs it any more.

        Raises:
            QueueStopped, JobLost: as for a call.
            ProviderError: an error after which the provider need not be asked again.
        """
        known = (*self._context.questions.alone, self._context.questions.together)
        question = next((q for q in known if q.name == call.question), None)
        group = await self._still_asked(call, question) if question else []
        found = await self._wait_for(call, question, group, job_id) if question and group else None
        if found is None:
            await self._context.database_retry(lambda: self._give_up(call.key))
        return found

    async def reply_to(
        self, in_flight: InFlightCall, error: ProviderError
    ) -> tuple[InFlightCall, CallReply] | None:
        """As `fetch`, for a call of this worker whose connection broke before the reply arrived.

        Raises:
            QueueStopped, JobLost, ProviderError: as `fetch`.
        """
        key = in_flight.request.key
        if key is None or not error.may_be_answered or not self._context.provider.keeps_replies:
            return None
        say_broken_off(in_flight.job_id, error)
        call = self.open_call(key, in_flight.question, in_flight.group).begun(
            in_flight.started_at, in_flight.cost.tokens, in_flight.allowance
        )
        return await self._wait_for(call, in_flight.question, in_flight.group, in_flight.job_id)

    async def _still_asked(self, call: OpenCall, question: Question) -> list[JobProduct]:
        """The products of the call that still need this answer, whatever job they are in now."""
        asked = dict(zip(call.product_ids, call.question_fingerprints, strict=True))

        async def read_products() -> list[JobProduct]:
            async with self._context.database.pool.acquire() as connection:
                return await with_answers(
                    connection,
                    await products.load_products(connection, call.product_ids),
                    self._context.questions,
                    simulated=call.simulated,
                )

        return [
            product
            for product in await self._context.database_retry(read_products)
            if not any(step in product.answers for step in question.steps)
            and all(needed in product.answers for needed in question.needs)
            and question.version(product.versions) == call.step_version
            and product.question_fingerprint == asked[product.id]
        ]

    async def _wait_for(
        self, call: OpenCall, question: Question, group: list[JobProduct], job_id: int
    ) -> tuple[InFlightCall, CallReply] | None:
        """Look for the stored reply until the call must have ended and been listed; returns the
        call and the reply, or None.

        The last look-up is always one that the provider answered.
        """
        asked = question.request([product.subject() for product in group], call.output_allowance)
        request = asked._replace(key=call.key)
        steps_left = len(self._context.questions.alone) - len(question.needs)
        look_up = PreparedCall(question, request, prompt_tokens=0, is_look_up=True)
        wanted = PermitRequest(job_id, look_up, steps_left=steps_left)
        age_s = max(0.0, (self._context.clock.now() - call.started_at).total_seconds())
        started_s = self._context.clock.monotonic_s() - age_s
        until_s = (
            started_s + await self._context.database_retry(self._longest_call_s) + LIST_DELAY_S
        )
        pause_s = FIRST_PAUSE_S
        while await self._context.database_retry(lambda: self._is_open(call.key)):
            permit, reply = await self._look_up(wanted)
            if reply is not None:
                say_fetched(job_id, len(group))
                in_flight = InFlightCall(
                    job_id,
                    question,
                    call.step_version,
                    group,
                    request,
                    Cost(1, call.estimated_tokens),
                    call.output_allowance,
                    permit,
                    call.started_at,
                    started_s,
                    group[0].stored.lane,
                )
                return in_flight, reply
            left_s = until_s - self._context.clock.monotonic_s()
            if left_s <= 0 or not self._context.provider.keeps_replies:
                self._say_not_found(job_id)
                break
            await self._context.governor.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        return None

    async def _look_up(self, wanted: PermitRequest) -> tuple[Permit, CallReply | None]:
        """Ask the provider for a stored reply until it responds; returns the permit, and the reply
        or None.

        Each look-up reserves a request, because it may count against the limit.
        """
        failures = 0
        while True:
            permit, found = await self._find(wanted)
            if not isinstance(found, ProviderError):
                return permit, found
            action = decide(found, failures, 1, self._context.random_source.random())
            if not isinstance(action, Wait):
                raise found
            failures += 1
            await self._context.governor.report_failure(permit, found)
            await self._context.governor.sleep(action.delay_s)

    async def _find(self, wanted: PermitRequest) -> tuple[Permit, CallReply | ProviderError | None]:
        """Look once, with a permit; the result is the reply, None if there is none, or an error."""
        async with self._context.governor.permit(wanted) as permit:
            try:
                reply = await self._context.provider.find(wanted.single.request)
            except ProviderError as error:
                return permit, error
            permit.outcome = LookedUp()
            return permit, reply

    async def _longest_call_s(self) -> float:
        """How long a call can take, by the slowest of the last ones and the time limit."""
        async with self._context.database.pool.acquire() as connection:
            seen_s = await calls.slowest_s(connection)
        given_up_s = self._context.provider.longest_call_s
        return (
            given_up_s if seen_s is None else min(given_up_s, SLOWER * max(seen_s, LEAST_LATENCY_S))
        )

    async def _is_open(self, key: str) -> bool:
        async with self._context.database.pool.acquire() as connection:
            return await open_calls.is_open(connection, key)

    async def _give_up(self, key: str) -> None:
        """Record that no reply to this call is expected any more."""
        async with self._context.database.pool.acquire() as connection:
            await open_calls.give_up(connection, key)

    def _say_not_found(self, job_id: int) -> None:
        """Log that there is no stored reply, or once that the provider stores none at all."""
        if self._context.provider.keeps_replies:
            say_not_fetched(job_id)
        elif not self._has_said_nothing_kept:
            self._has_said_nothing_kept = True
            say_nothing_kept(self._context.provider.name)
