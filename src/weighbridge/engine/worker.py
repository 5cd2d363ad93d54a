"""One job: a group of products goes through the steps in order; what is answered already is skipped.

The worker asks the core what to do, awaits, and records. It never decides on its own how a failed call
is treated: `limits.retries.decide` does.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import Cost
from weighbridge.engine.attempt import Attempt
from weighbridge.engine.earlier_calls import EarlierCalls
from weighbridge.engine.finishing import Finisher
from weighbridge.engine.governor import JobLost, QueueStopped
from weighbridge.engine.members import Member, load_groups
from weighbridge.engine.patience import Patience
from weighbridge.engine.recorder import Outcome, Recorder
from weighbridge.engine.reports import (
    say_begun,
    say_crashed,
    say_ended,
    say_failed_call,
    say_lost,
    say_stopped,
    say_what_happened,
)
from weighbridge.engine.together import Together
from weighbridge.errors import (
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestTooLarge,
)
from weighbridge.limits.refusals import RefusalWatch
from weighbridge.limits.retries import (
    MAX_ATTEMPTS,
    GiveUp,
    Retry,
    Split,
    StopQueue,
    Wait,
    decide,
)
from weighbridge.planning.cost import call_cost_usd
from weighbridge.planning.tokens import request_tokens
from weighbridge.providers.base import remaining_of
from weighbridge.steps import encode_answer
from weighbridge.store import products, stopping
from weighbridge.store.answers import StoredAnswer
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from uuid import UUID

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.clock import Clock
    from weighbridge.domain.calls import CallReply, CallRequest
    from weighbridge.engine.governor import Admission, Governor
    from weighbridge.engine.lengths import Lengths
    from weighbridge.limits.refusals import Refused
    from weighbridge.limits.retries import Action
    from weighbridge.providers.base import Provider
    from weighbridge.steps import Question, Questions
    from weighbridge.steps.base import Accepted
    from weighbridge.store.calls import CallRecord
    from weighbridge.store.database import Database
    from weighbridge.store.open_calls import OpenCall
    from weighbridge.store.products import StoredProduct

LOADED_TOGETHER: Final = 256
"""Groups read in one go."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A call that waits for leave: its allowance is not known yet."""

    question: Question
    request: CallRequest
    prompt_tokens: int


class Worker:
    """Runs jobs. One per process; any number of jobs at a time."""

    def __init__(
        self,
        *,
        database: Database,
        provider: Provider,
        questions: Questions,
        factors: FactorTable,
        governor: Governor,
        lengths: Lengths,
        clock: Clock,
        random_source: random.Random,
        manager_id: UUID,
        fetches_replies: bool = False,
    ) -> None:
        self._database = database
        self._provider = provider
        self._questions = questions
        self._governor = governor
        self._lengths = lengths
        self._clock = clock
        self._random = random_source
        self._finisher = Finisher(factors, provider)
        self._patience = Patience(clock)
        self._recorder = Recorder(database, self._patience, manager_id)
        self._load_together = Together(self._load_groups, LOADED_TOGETHER)
        self._refusals = RefusalWatch()
        self._earlier = EarlierCalls(
            database=database,
            provider=provider,
            questions=questions,
            governor=governor,
            clock=clock,
            random_source=random_source,
            patience=self._patience,
            tell_governor=self._tell_governor,
        )
        self._fetches_replies = fetches_replies
        self.calls_begun = 0

    async def work(self, job_id: int) -> None:
        """Take the group as far as it goes. Never raises but for cancellation."""
        try:
            await self._work(job_id)
        except QueueStopped:
            await self._recorder.release(job_id)
        except JobLost:
            say_lost(job_id)
        except Exception as error:  # noqa: BLE001 - the one place: nothing may kill the worker
            say_crashed(job_id, error)
            with suppress(JobLost):
                await self._bury(job_id, error)
        finally:
            self._refusals.forget(job_id)

    async def _work(self, job_id: int) -> None:
        group = await self._load_together(job_id)
        if self._fetches_replies and await self._fetch_earlier(group, job_id):
            group = await self._load_together(job_id)
        if not group:
            return
        say_begun(job_id, len(group))
        # Those whose every answer is held already: a crash came between the last answer and the footprint,
        # or only something changed that the model is not asked about.
        answered = [m for m in group if self._is_done(m)]
        await self._finish_without_call(answered, job_id)
        group = [m for m in group if m not in answered]
        tokens = 0
        for question in self._questions.alone:
            for unanswered in _by_version(question, group):
                gone, used = await self._ask(question, unanswered, job_id)
                tokens += used
                group = [m for m in group if m.id not in gone]
        say_ended(job_id, tokens)

    def _is_done(self, member: Member) -> bool:
        return len(member.answers) == len(self._questions.alone)

    async def _load_groups(self, job_ids: Sequence[int]) -> list[list[Member]]:
        async def read() -> list[list[Member]]:
            async with self._database.pool.acquire() as connection:
                return await load_groups(
                    connection, job_ids, self._questions, simulated=self._provider.simulated
                )

        return await self._patience(read)

    async def _fetch_earlier(self, group: list[Member], job_id: int) -> bool:
        """Put on record what a worker that died has paid for these products; whether anything is new."""
        earlier = await self._earlier.about(group)
        for call in earlier:
            try:
                found = await self._earlier.fetch(call, job_id)
            except ProviderError as error:
                action = decide(error, 0, 1, self._random.random())
                if not isinstance(action, StopQueue):
                    raise
                await self._stop_queue(action.reason)
                raise QueueStopped from error
            if found:
                await self._take_reply(*found)
        return bool(earlier)

    # Asking -------------------------------------------------------------------------------------

    async def _ask(
        self, question: Question, group: list[Member], job_id: int
    ) -> tuple[set[int], int]:
        """Ask one question until there is a reply; returns (products that left the group, tokens used)."""
        failures = 0
        while True:
            try:
                attempt = await self._begin(question, group, job_id)
            except RequestTooLarge as error:  # more than a whole minute's quota: it was not sent
                if self._asks_less(self._wanted(question, group), group, error):
                    continue
                action = decide(error, failures, len(group), self._random.random())
                return await self._disperse(group, job_id, None, error, action), 0
            try:
                reply = await self._provider.call(attempt.request)
            except ProviderError as error:
                self._governor.failed(attempt.admission)
                gone = await self._after_failure(attempt, error, failures)
                if gone:
                    return gone, 0
                failures += 1
            except BaseException:
                self._governor.failed(attempt.admission)
                raise
            else:
                return await self._after_reply(attempt, reply)

    def _wanted(self, question: Question, group: list[Member]) -> Question:
        """Everything at once, if that is the setting, of products that nothing is known of.

        Whoever gave no usable answer to it is asked step by step: what is good is then kept.
        """
        begins = question is self._questions.alone[0] and self._governor.asks_together
        return (
            self._questions.together
            if begins and not any(m.attempts or m.step_by_step for m in group)
            else question
        )

    def _asks_less(self, question: Question, group: list[Member], error: ProviderError) -> bool:
        """Whether a call that was too large even for one product can be put in parts; it will be."""
        too_large = isinstance(error, RequestTooLarge | RateLimited)
        if not too_large or len(group) > 1 or question is not self._questions.together:
            return False
        group[0].step_by_step = True
        return True

    async def _begin(self, question: Question, group: list[Member], job_id: int) -> Attempt:
        """Put the request together and wait until it may go."""
        tried = max(m.attempts for m in group)
        image_url = None
        if question.sees_image and group[0].stored.product.has_image:
            image_url = await self._image_url(group[0].stored)
        draft = self._draft(self._wanted(question, group), group, image_url)

        def price() -> Cost:
            # Asked when the call may go: the setting may be another by then, and more output lengths are known.
            nonlocal draft
            wanted = self._wanted(question, group)
            if draft.question is not wanted:
                draft = self._draft(wanted, group, image_url)
            allowance = self._lengths.allowance(wanted, len(group), tried)
            return Cost(1, draft.prompt_tokens + allowance)

        alone = self._questions.alone
        steps_left = len(alone) - alone.index(question)
        key = self._earlier.new_key() if self._fetches_replies else None

        def note(cost: Cost) -> OpenCall:
            return self._earlier.note(
                key or "", draft.question, group, cost, cost.tokens - draft.prompt_tokens
            )

        admission = await self._governor.admit(price, job_id, steps_left, note if key else None)
        allowance = admission.cost.tokens - draft.prompt_tokens
        self.calls_begun += 1
        return Attempt(
            job_id,
            draft.question,
            draft.question.version(group[0].versions),
            group,
            replace(draft.request, max_output_tokens=allowance, key=key),
            admission.cost,
            allowance,
            admission,
            self._clock.now(),
            self._clock.monotonic_s(),
        )

    def _draft(self, question: Question, group: list[Member], image_url: str | None) -> _Draft:
        request = question.request([m.subject() for m in group], 0, image_url)
        picture = group[0].stored.product.picture if image_url else None
        size = (picture.width_px, picture.height_px) if picture else None
        return _Draft(question, request, request_tokens(request, self._provider.model, size))

    async def _image_url(self, stored: StoredProduct) -> str | None:
        picture = stored.product.picture
        if picture is None:
            return stored.product.image_url

        async def read() -> bytes:
            async with self._database.pool.acquire() as connection:
                return await products.load_picture(connection, picture.sha256)

        data = await self._patience(read)
        return f"data:{picture.media_type};base64,{base64.b64encode(data).decode('ascii')}"

    async def _after_reply(self, attempt: Attempt, reply: CallReply) -> tuple[set[int], int]:
        self._governor.finished(
            attempt.admission,
            actual=attempt.charged(reply),
            latency_s=self._clock.monotonic_s() - attempt.started_s,
            processing_s=reply.processing_s,
        )
        self._refusals.passed(attempt.job_id, attempt.admission.cost.tokens)
        self._governor.observe(attempt.admission, reply.remaining)
        return await self._take_reply(attempt, reply)

    async def _take_reply(self, attempt: Attempt, reply: CallReply) -> tuple[set[int], int]:
        """Judge it and record it; returns (products that left the group, tokens used)."""
        question, group = attempt.question, attempt.group
        latency_s = self._clock.monotonic_s() - attempt.started_s
        accepted = question.accept(reply, [m.subject() for m in group])
        self._lengths.observe(question, len(group), reply)
        cost_usd = call_cost_usd(reply.usage, self._provider.price)
        share_usd = cost_usd / len(group)
        forgiven = [m.id for m in group if m.attempts and m.code in accepted.answers]
        kept = self._keep(attempt, accepted, share_usd, reply.model)
        asked_alone, given_up = _sort_refusals(group, accepted)
        finished, failed = self._finisher.finish([m for m in group if self._is_done(m)])
        given_up |= failed
        stay = await self._recorder.record(
            Outcome(
                attempt.job_id,
                call=attempt.answered(self._provider, latency_s, reply, cost_usd),
                answers=kept,
                finished=finished,
                asked_alone=asked_alone,
                given_up=given_up,
                forgiven=forgiven,
                wasted_usd={m.id: share_usd for m in group if m.code not in accepted.answers},
            ),
        )
        here = [m for m in group if m.stored.job_id == attempt.job_id]
        say_what_happened(here, finished, asked_alone, given_up)
        # After the record: what was paid for comes first, whatever the database does.
        with suppress(*DATABASE_ERRORS):
            await self._governor.outages.publish()
        tokens = reply.usage.input_tokens + reply.usage.output_tokens
        return {m.id for m in group} - stay, tokens

    def _keep(
        self, attempt: Attempt, accepted: Accepted, share_usd: float, model: str
    ) -> list[StoredAnswer]:
        """Note the accepted answers in the members; returns them in storage form.

        What a product's part of the call has cost is shared among the answers that came of it.
        """
        kept = []
        for member in attempt.group:
            answers = accepted.answers.get(member.code, {})
            for step, answer in answers.items():
                encoded = encode_answer(answer)
                cost_usd = share_usd / len(answers)
                member.answers[step] = answer
                member.kept[step] = encoded
                member.versions[step] = attempt.step_version
                member.cost_usd += cost_usd
                member.attempts = 0
                kept.append(
                    StoredAnswer(
                        product_id=member.id,
                        step=step,
                        step_version=attempt.step_version,
                        question_fingerprint=member.question_fingerprint,
                        simulated=self._provider.simulated,
                        provider=self._provider.name,
                        model=model,
                        answer=encoded,
                        cost_usd=cost_usd,
                    )
                )
        return kept

    # Failing ------------------------------------------------------------------------------------

    async def _after_failure(
        self, attempt: Attempt, error: ProviderError, failures: int
    ) -> set[int]:
        """Do what the table says; returns the products that left. None of them: try the same call again."""
        latency_s = self._clock.monotonic_s() - attempt.started_s
        call = attempt.unanswered(self._provider, latency_s, error)
        say_failed_call(attempt.job_id, error)
        await self._tell_governor(attempt.admission, error)
        refused = self._refused(attempt, error)
        action = decide(error, failures, len(attempt.group), self._random.random(), refused)
        if isinstance(action, GiveUp) and self._asks_less(attempt.question, attempt.group, error):
            await self._recorder.record(Outcome(attempt.job_id, call=call))
            self._refusals.forget(attempt.job_id)
            return set()
        match action:
            case Wait(delay_s) | Retry(delay_s):
                await self._recorder.record(Outcome(attempt.job_id, call=call))
                await self._governor.sleep(delay_s)
                return set()
            case StopQueue(reason):
                await self._recorder.record(Outcome(attempt.job_id, call=call))
                await self._stop_queue(reason)
                raise QueueStopped
            case _:
                return await self._disperse(attempt.group, attempt.job_id, call, error, action)

    def _refused(self, attempt: Attempt, error: ProviderError) -> Refused | None:
        if not isinstance(error, RateLimited):
            self._refusals.forget(attempt.job_id)
            return None
        remaining = remaining_of(error)
        stated_limit = remaining.tokens_limit if remaining else None
        return self._refusals.refused(attempt.job_id, attempt.admission.cost.tokens, stated_limit)

    async def _tell_governor(self, admission: Admission, error: ProviderError) -> None:
        if isinstance(error, RateLimited):
            self._governor.refused(admission, error.retry_after_s)
            if remaining := remaining_of(error):
                self._governor.observe(admission, remaining)
        elif isinstance(error, ProviderUnreachable | ProviderTimeout | ProviderOverloaded):
            with suppress(*DATABASE_ERRORS):
                await self._governor.outages.unreachable(str(error))

    async def _disperse(
        self,
        group: list[Member],
        job_id: int,
        call: CallRecord | None,
        error: ProviderError,
        action: Action,
    ) -> set[int]:
        """The group cannot go on together: halves, or each alone, so that only the product at fault fails."""
        ids = [m.id for m in group]
        if isinstance(action, Split):
            middle = len(ids) // 2
            halves = [half for half in (ids[:middle], ids[middle:]) if half]
            await self._recorder.record(Outcome(job_id, call=call, split=halves))
            return set(ids)
        reason = action.reason if isinstance(action, GiveUp) else str(error)
        why = dict.fromkeys(ids, (type(error).__name__, reason))
        alone, given_up = (why, {}) if len(group) > 1 else ({}, why)
        await self._recorder.record(
            Outcome(job_id, call=call, asked_alone=alone, given_up=given_up)
        )
        say_what_happened(group, asked_alone=alone, given_up=given_up)
        return set(ids)

    async def _stop_queue(self, reason: str) -> None:
        """Every product goes back to `pending`: those that nobody has begun now, the others as they stop."""

        async def write() -> bool:
            async with self._database.transaction() as connection:
                was_running, _ = await stopping.stop(connection, reason)
                return was_running

        if await self._patience(write):
            say_stopped(reason)

    async def _bury(self, job_id: int, error: Exception) -> None:
        """A crash of ours counts as an attempt of each product, alone, so that one cannot stop the rest."""

        async def read() -> list[StoredProduct]:
            async with self._database.pool.acquire() as connection:
                return await products.load_members(connection, [job_id])

        members = await self._patience(read)
        why = ("InternalError", f"Weighbridge itself failed ({type(error).__name__}); see the log")
        tired = {m.id: why for m in members if m.attempts >= MAX_ATTEMPTS}
        others = {m.id: why for m in members if m.id not in tired}
        await self._recorder.record(Outcome(job_id, asked_alone=others, given_up=tired))

    # Finishing ----------------------------------------------------------------------------------

    async def _finish_without_call(self, group: list[Member], job_id: int) -> None:
        if not group:
            return
        finished, failed = self._finisher.finish(group)
        await self._recorder.record(Outcome(job_id, finished=finished, given_up=failed))
        say_what_happened(group, finished, given_up=failed)


def _by_version(question: Question, group: list[Member]) -> list[list[Member]]:
    """Those without an answer, apart where earlier answers are from different questions: they make another one of this."""
    (step,) = question.steps
    found: dict[str, list[Member]] = {}
    for member in group:
        if step not in member.answers:
            found.setdefault(question.version(member.versions), []).append(member)
    return list(found.values())


def _sort_refusals(
    group: list[Member], accepted: Accepted
) -> tuple[dict[int, tuple[str, str]], dict[int, tuple[str, str]]]:
    """(asked again alone, given up) by product id, each with kind of error and reason."""
    asked_alone: dict[int, tuple[str, str]] = {}
    given_up: dict[int, tuple[str, str]] = {}
    members = {member.code: member for member in group}
    for refusal in accepted.refusals:
        member = members[refusal.code]
        kind, reason = type(refusal.error).__name__, str(refusal.error)
        tried = member.attempts
        if tried >= MAX_ATTEMPTS:
            reason = f"No usable answer in {tried + 1} attempts. The last one: {reason}"
            given_up[member.id] = (kind, reason)
        else:
            asked_alone[member.id] = (kind, reason)
    return asked_alone, given_up
