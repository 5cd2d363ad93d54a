"""Calls of a worker that died, or whose connection broke: their replies are fetched from the provider's store instead of being bought again.

Used by `worker.py` where the option is on (decision 0012). Every call leaves with a key, and the key is committed
with the leave, so at any moment the open calls in the database are all that can have been paid for without
being on record. Whoever takes up a product of theirs comes here first. The worst that a provider which stores
nothing, lists late or lists nothing can do is to have the question asked again, as without the option.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from weighbridge.domain.calls import Cost
from weighbridge.engine.attempt import Attempt
from weighbridge.engine.failures import tell_governor
from weighbridge.engine.members import with_answers
from weighbridge.engine.reports import (
    say_broken_off,
    say_fetched,
    say_not_fetched,
    say_nothing_kept,
)
from weighbridge.engine.together import Together
from weighbridge.errors import ProviderError
from weighbridge.limits.retries import Wait, decide
from weighbridge.store import calls, open_calls, products
from weighbridge.store.open_calls import OpenCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.domain.calls import CallReply, CallRequest
    from weighbridge.engine.admission import Admission
    from weighbridge.engine.members import Member
    from weighbridge.engine.workbench import Workbench
    from weighbridge.steps import Question

LIST_DELAY_S: Final = 15.0
"""How much later than it was finished a completion may be listed. Nothing is promised; OpenAI's own tests of its
.NET library wait five seconds before they look."""
SLOWER: Final = 2.0
"""A call is thought to be running still for so many times the slowest of the last thousand. It may have died with its
process before it was sent, and then there is nothing to wait for."""
LEAST_LATENCY_S: Final = 5.0
FIRST_PAUSE_S: Final = 1.0
READ_TOGETHER: Final = 256
"""Groups asked about in one go."""
LONGEST_PAUSE_S: Final = 30.0


class EarlierCalls:
    """One per process."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._has_said_nothing_kept = False
        self._read_together = Together(self._read_about, READ_TOGETHER)

    def new_key(self) -> str | None:
        """For a call that is about to be made; None where nothing can be found again."""
        return uuid4().hex if self._bench.provider.keeps_replies else None

    def note(
        self, key: str, question: Question, group: Sequence[Member], cost: Cost, allowance: int
    ) -> OpenCall:
        """What is to be known of a call that is given leave now, if nobody ever ends it."""
        return OpenCall(
            key=key,
            provider=self._bench.provider.name,
            simulated=self._bench.provider.simulated,
            question=question.name,
            step_version=question.version(group[0].versions),
            product_ids=[m.id for m in group],
            question_fingerprints=[m.question_fingerprint for m in group],
            started_at=self._bench.clock.now(),
            estimated_tokens=cost.tokens,
            output_allowance=allowance,
        )

    async def about(self, group: Sequence[Member]) -> list[OpenCall]:
        """The calls that others began about these products and did not end."""
        return await self._read_together(group) if self._bench.provider.keeps_replies else []

    async def _read_about(self, groups: Sequence[Sequence[Member]]) -> list[list[OpenCall]]:
        ids = [{m.id for m in group} for group in groups]

        async def read() -> list[OpenCall]:
            async with self._bench.database.pool.acquire() as connection:
                return await open_calls.about(
                    connection,
                    set().union(*ids),
                    self._bench.provider.name,
                    simulated=self._bench.provider.simulated,
                )

        found = await self._bench.patience(read)
        return [[c for c in found if not of_group.isdisjoint(c.product_ids)] for of_group in ids]

    async def fetch(self, call: OpenCall, job_id: int) -> tuple[Attempt, CallReply] | None:
        """The reply, and the call as if this worker had made it; None if it is not to be had or not needed.

        Raises:
            QueueStopped, JobLost: as for a call.
            ProviderError: one that does not pass by itself.
        """
        known = (*self._bench.questions.alone, self._bench.questions.together)
        question = next((q for q in known if q.name == call.question), None)
        group = await self._still_asked(call, question) if question else []
        found = await self._wait_for(call, question, group, job_id) if question and group else None
        if found is None:
            await self._bench.patience(lambda: self._give_up(call.key))
        return found

    async def reply_to(
        self, attempt: Attempt, error: ProviderError
    ) -> tuple[Attempt, CallReply] | None:
        """The same for a call of this very worker whose connection broke before the reply was here.

        Raises:
            QueueStopped, JobLost, ProviderError: as `fetch`.
        """
        key = attempt.request.key
        if key is None or not error.may_be_answered or not self._bench.provider.keeps_replies:
            return None
        say_broken_off(attempt.job_id, error)
        noted = self.note(key, attempt.question, attempt.group, attempt.cost, attempt.allowance)
        call = replace(noted, started_at=attempt.started_at)
        return await self._wait_for(call, attempt.question, attempt.group, attempt.job_id)

    async def _still_asked(self, call: OpenCall, question: Question) -> list[Member]:
        """Those products of the call to whom its reply would still be an answer, whatever job they are in now."""
        asked = dict(zip(call.product_ids, call.question_fingerprints, strict=True))

        async def read() -> list[Member]:
            async with self._bench.database.pool.acquire() as connection:
                return await with_answers(
                    connection,
                    await products.load_products(connection, call.product_ids),
                    self._bench.questions,
                    simulated=call.simulated,
                )

        return [
            m
            for m in await self._bench.patience(read)
            if not any(step in m.answers for step in question.steps)
            and all(needed in m.answers for needed in question.needs)
            and question.version(m.versions) == call.step_version
            and m.question_fingerprint == asked[m.id]
        ]

    async def _wait_for(
        self, call: OpenCall, question: Question, group: list[Member], job_id: int
    ) -> tuple[Attempt, CallReply] | None:
        """Look again and again for as long as the call may take and be listed late, counted from its beginning.

        The last look is always one that the provider has answered.
        """
        asked = question.request([m.subject() for m in group], call.output_allowance)
        request = asked._replace(key=call.key)
        steps_left = len(self._bench.questions.alone) - len(question.needs)
        age_s = max(0.0, (self._bench.clock.now() - call.started_at).total_seconds())
        started_s = self._bench.clock.monotonic_s() - age_s
        until_s = started_s + await self._bench.patience(self._longest_call_s) + LIST_DELAY_S
        pause_s = FIRST_PAUSE_S
        while await self._bench.patience(lambda: self._is_open(call.key)):
            admission, reply = await self._look_up(request, job_id, steps_left)
            if reply is not None:
                say_fetched(job_id, len(group))
                attempt = Attempt(
                    job_id,
                    question,
                    call.step_version,
                    group,
                    request,
                    Cost(1, call.estimated_tokens),
                    call.output_allowance,
                    admission,
                    call.started_at,
                    started_s,
                )
                return attempt, reply
            left_s = until_s - self._bench.clock.monotonic_s()
            if left_s <= 0 or not self._bench.provider.keeps_replies:
                self._say_not_found(job_id)
                break
            await self._bench.governor.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        return None

    async def _look_up(
        self, request: CallRequest, job_id: int, steps_left: int
    ) -> tuple[Admission, CallReply | None]:
        """Ask the provider once, however long it is away. Counted as a request: nobody says that it is none."""
        failures = 0
        while True:
            admission = await self._bench.governor.admit(lambda: Cost(1, 0), job_id, steps_left)
            try:
                reply = await self._bench.provider.find(request)
            except ProviderError as error:
                self._bench.governor.failed(admission)
                action = decide(error, failures, 1, self._bench.random_source.random())
                if not isinstance(action, Wait):
                    raise
                failures += 1
                await tell_governor(self._bench.governor, admission, error)
                await self._bench.governor.sleep(action.delay_s)
            except BaseException:
                self._bench.governor.failed(admission)
                raise
            else:
                self._bench.governor.looked_up(admission)
                return admission, reply

    async def _longest_call_s(self) -> float:
        async with self._bench.database.pool.acquire() as connection:
            seen_s = await calls.slowest_s(connection)
        given_up_s = self._bench.provider.longest_call_s
        return (
            given_up_s if seen_s is None else min(given_up_s, SLOWER * max(seen_s, LEAST_LATENCY_S))
        )

    async def _is_open(self, key: str) -> bool:
        async with self._bench.database.pool.acquire() as connection:
            return await open_calls.is_open(connection, key)

    async def _give_up(self, key: str) -> None:
        async with self._bench.database.pool.acquire() as connection:
            await open_calls.give_up(connection, key)

    def _say_not_found(self, job_id: int) -> None:
        if self._bench.provider.keeps_replies:
            say_not_fetched(job_id)
        elif not self._has_said_nothing_kept:
            self._has_said_nothing_kept = True
            say_nothing_kept(self._bench.provider.name)
