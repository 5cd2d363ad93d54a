"""One job: a group of products goes through the steps in order; what is answered already is skipped.

The worker asks the core what to do, awaits, and records. It never decides on its own how a failed call
is treated: `limits.retries.decide` does.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from weighbridge import telemetry
from weighbridge.carbon.calculate import METHOD_VERSION, calculate
from weighbridge.domain.answers import (
    Answer,
    BillOfMaterials,
    Classification,
    ManufacturingProcesses,
    StepName,
    Subject,
)
from weighbridge.domain.calls import CallReply, Cost, Lane, Usage
from weighbridge.domain.results import Provenance
from weighbridge.engine.governor import Admission, JobLost, QueueStopped
from weighbridge.engine.recorder import Outcome, record
from weighbridge.errors import (
    AnswerError,
    CalculationError,
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestTooLarge,
)
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
from weighbridge.steps import decode_answer, encode_answer
from weighbridge.store import jobs, products, queue_state
from weighbridge.store.answers import StoredAnswer, load_answers
from weighbridge.store.calls import OK, CallRecord
from weighbridge.store.footprints import StoredFootprint

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.clock import Clock
    from weighbridge.domain.calls import CallRequest
    from weighbridge.engine.governor import Governor
    from weighbridge.engine.lengths import Lengths
    from weighbridge.providers.base import Provider
    from weighbridge.steps.base import Accepted, Step
    from weighbridge.store.database import Database
    from weighbridge.store.products import StoredProduct

STEPS_THAT_SEE_IMAGES: Final = frozenset({StepName.CLASSIFICATION, StepName.BILL_OF_MATERIALS})
"""How a product is made is decided from its bill; a picture would be paid for once more without use."""


@dataclass(slots=True)
class Member:
    """A product of the group, on its way through the steps."""

    stored: StoredProduct
    answers: dict[StepName, Answer] = field(default_factory=dict)
    kept: dict[StepName, dict[str, Any]] = field(default_factory=dict)  # storage form
    cost_usd: float = 0.0

    @property
    def id(self) -> int:
        """The product's number in the database."""
        return self.stored.id

    @property
    def code(self) -> str:
        """The product's code, by which answers name it."""
        return self.stored.product.code

    def subject(self) -> Subject:
        """As a step sees it."""
        return Subject(self.stored.product, self.answers)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One call in progress."""

    step: Step
    group: list[Member]
    request: CallRequest
    cost: Cost
    allowance: int
    admission: Admission
    started_at: datetime
    started_s: float


class _GroupGone(Exception):
    """Nothing is left to do in this job: its products went elsewhere."""


class Worker:
    """Runs jobs. One per process; any number of jobs at a time."""

    def __init__(
        self,
        *,
        database: Database,
        provider: Provider,
        pipeline: Sequence[Step],
        factors: FactorTable,
        governor: Governor,
        lengths: Lengths,
        clock: Clock,
        random_source: random.Random,
    ) -> None:
        self._database = database
        self._provider = provider
        self._pipeline = pipeline
        self._factors = factors
        self._governor = governor
        self._lengths = lengths
        self._clock = clock
        self._random = random_source
        self._versions = {step.name: step.version for step in pipeline}
        self.calls_begun = 0

    async def work(self, job_id: int) -> None:
        """Take the group as far as it goes. Never raises but for cancellation."""
        try:
            await self._work(job_id)
        except QueueStopped:
            async with self._database.transaction() as connection:
                await products.release_jobs(connection, [job_id])
        except JobLost:
            telemetry.warning(
                "job_lost", f"⚠️ Job {job_id} was taken over by another worker", job_id=job_id
            )
        except _GroupGone:
            pass
        except Exception as error:  # noqa: BLE001 - the one place: nothing may kill the worker
            telemetry.crashed("job_crashed", f"❌ Job {job_id} crashed: {error!r}", job_id=job_id)
            await self._bury(job_id, error)

    async def _work(self, job_id: int) -> None:
        group = await self._load(job_id)
        if not group:
            return
        telemetry.info(
            "batch_started",
            f"🔄 Processing batch of {len(group)} products using batch AI processing",
            job_id=job_id,
            products=len(group),
        )
        tokens = 0
        # Those whose every answer is held already: a crash came between the last answer and the footprint,
        # or only something changed that the model is not asked about.
        answered = [m for m in group if len(m.answers) == len(self._pipeline)]
        await self._finish_without_call(answered, job_id)
        group = [m for m in group if m not in answered]
        for step in self._pipeline:
            unanswered = [m for m in group if step.name not in m.answers]
            if unanswered:
                gone, used = await self._ask(step, unanswered, job_id)
                tokens += used
                group = [m for m in group if m.id not in gone]
        telemetry.info(
            "batch_completed",
            f"📊 Batch processing completed. Tokens used: {tokens:,}",
            job_id=job_id,
            tokens=tokens,
        )

    async def _load(self, job_id: int) -> list[Member]:
        async with self._database.transaction() as connection:
            stored = await products.load_members(connection, job_id)
            if not stored:
                return []
            found = await load_answers(
                connection,
                {s.id: s.product.question_fingerprint() for s in stored},
                self._versions,
                simulated=self._provider.simulated,
            )
        members = []
        for product in stored:
            member = Member(product)
            for step, answer in found.get(product.id, {}).items():
                member.answers[step] = decode_answer(step, answer.answer)
                member.kept[step] = dict(answer.answer)
                member.cost_usd += answer.cost_usd
            members.append(member)
        return members

    # Asking -------------------------------------------------------------------------------------

    async def _ask(self, step: Step, group: list[Member], job_id: int) -> tuple[set[int], int]:
        """Ask one question until there is a reply; returns (products that left the group, tokens used)."""
        failures = 0
        while True:
            attempt = await self._begin(step, group, job_id)
            try:
                reply = await self._provider.call(attempt.request)
            except ProviderError as error:
                self._governor.failed(attempt.admission)
                await self._after_failure(attempt, error, failures, job_id)
                failures += 1
            except BaseException:
                self._governor.failed(attempt.admission)
                raise
            else:
                return await self._after_reply(attempt, reply, job_id)

    async def _begin(self, step: Step, group: list[Member], job_id: int) -> _Attempt:
        """Put the request together and wait until it may go."""
        tried = max(m.stored.attempts for m in group)
        allowance = self._lengths.allowance(step, len(group), tried)
        image_url = None
        if step.name in STEPS_THAT_SEE_IMAGES and group[0].stored.product.has_image:
            image_url = await self._image_url(group[0].stored)
        request = step.request([m.subject() for m in group], allowance, image_url)
        picture = group[0].stored.product.picture if image_url else None
        size = (picture.width_px, picture.height_px) if picture else None
        prompt_tokens = request_tokens(request, self._provider.model, size)
        cost = Cost(requests=1, tokens=prompt_tokens + allowance)
        admission = await self._governor.admit(cost, job_id)
        self.calls_begun += 1
        return _Attempt(
            step,
            group,
            request,
            cost,
            allowance,
            admission,
            self._clock.now(),
            self._clock.monotonic_s(),
        )

    async def _image_url(self, stored: StoredProduct) -> str | None:
        product = stored.product
        if product.picture is None:
            return product.image_url
        async with self._database.pool.acquire() as connection:
            data = await products.load_picture(connection, product.picture.sha256)
        return f"data:{product.picture.media_type};base64,{base64.b64encode(data).decode('ascii')}"

    async def _after_reply(
        self, attempt: _Attempt, reply: CallReply, job_id: int
    ) -> tuple[set[int], int]:
        step, group = attempt.step, attempt.group
        latency_s = self._clock.monotonic_s() - attempt.started_s
        # The provider charges its limit with the prompt it counted and the allowance that was sent.
        charged = Cost(
            1,
            (reply.usage.input_tokens or attempt.cost.tokens - attempt.allowance)
            + attempt.allowance,
        )
        self._governor.finished(attempt.admission, actual=charged, latency_s=latency_s)
        self._governor.observe(attempt.admission, reply.remaining)
        await self._governor.publish_outage()
        accepted = step.accept(reply, [m.subject() for m in group])
        self._lengths.observe(step, len(group), reply)
        cost_usd = call_cost_usd(reply.usage, self._provider.price)
        share_usd = cost_usd / len(group)
        kept = self._keep(step, group, accepted, share_usd, reply.model)
        asked_alone, given_up = self._sort_refusals(group, accepted)
        finished: list[StoredFootprint] = []
        if step is self._pipeline[-1]:
            finished, failed = self._footprints([m for m in group if m.code in accepted.answers])
            given_up |= failed
        call = self._call_record(attempt, job_id, latency_s, OK, None, reply, cost_usd)
        await record(
            self._database,
            Outcome(
                job_id=job_id,
                call=call,
                answers=kept,
                finished=finished,
                asked_alone=asked_alone,
                given_up=given_up,
                wasted_usd=share_usd,
            ),
        )
        self._say_what_happened(group, finished, asked_alone, given_up)
        tokens = reply.usage.input_tokens + reply.usage.output_tokens
        return {*asked_alone, *given_up}, tokens

    def _keep(
        self, step: Step, group: list[Member], accepted: Accepted, share_usd: float, model: str
    ) -> list[StoredAnswer]:
        """Note the accepted answers in the members; returns them in storage form."""
        kept = []
        for member in group:
            answer = accepted.answers.get(member.code)
            if answer is None:
                continue
            encoded = encode_answer(answer)
            member.answers[step.name] = answer
            member.kept[step.name] = encoded
            member.cost_usd += share_usd
            kept.append(
                StoredAnswer(
                    product_id=member.id,
                    step=step.name,
                    step_version=step.version,
                    question_fingerprint=member.stored.product.question_fingerprint(),
                    simulated=self._provider.simulated,
                    provider=self._provider.name,
                    model=model,
                    answer=encoded,
                    cost_usd=share_usd,
                )
            )
        return kept

    @staticmethod
    def _sort_refusals(
        group: list[Member], accepted: Accepted
    ) -> tuple[dict[int, tuple[str, str]], dict[int, tuple[str, str]]]:
        """(asked again alone, given up) by product id."""
        asked_alone: dict[int, tuple[str, str]] = {}
        given_up: dict[int, tuple[str, str]] = {}
        members = {member.code: member for member in group}
        for refusal in accepted.refusals:
            member = members[refusal.code]
            why = (type(refusal.error).__name__, str(refusal.error))
            if member.stored.attempts >= MAX_ATTEMPTS:
                given_up[member.id] = (
                    why[0],
                    f"No usable answer in {member.stored.attempts + 1} attempts. The last one: {why[1]}",
                )
            else:
                asked_alone[member.id] = why
        return asked_alone, given_up

    # Failing ------------------------------------------------------------------------------------

    async def _after_failure(
        self, attempt: _Attempt, error: ProviderError, failures: int, job_id: int
    ) -> None:
        """Do what the table says. Returns when the same call is to be tried again."""
        latency_s = self._clock.monotonic_s() - attempt.started_s
        call = self._call_record(
            attempt, job_id, latency_s, type(error).__name__, str(error), None, 0.0
        )
        telemetry.error(
            "group_failed",
            f"❌ Error processing batch group {job_id}: {_headline(error)}",
            job_id=job_id,
            error=type(error).__name__,
            detail=str(error),
        )
        action = decide(error, failures, len(attempt.group), self._random.random())
        match action:
            case Wait(delay_s) | Retry(delay_s):
                await record(self._database, Outcome(job_id, call=call))
                if isinstance(error, RateLimited):
                    self._governor.refused(attempt.admission, error.retry_after_s)
                    if remaining := remaining_of(error):
                        self._governor.observe(attempt.admission, remaining)
                elif isinstance(error, ProviderUnreachable | ProviderTimeout | ProviderOverloaded):
                    await self._governor.unreachable(str(error))
                await self._governor.sleep(delay_s)
            case Split():
                middle = len(attempt.group) // 2
                ids = [m.id for m in attempt.group]
                halves = [half for half in (ids[:middle], ids[middle:]) if half]
                await record(self._database, Outcome(job_id, call=call, split=halves))
                await self._leave(attempt, job_id)
            case GiveUp(reason):
                await self._give_up_or_ask_alone(attempt, job_id, call, error, reason)
            case StopQueue(reason):
                await record(self._database, Outcome(job_id, call=call))
                await self._stop_queue(reason)
            case _:  # AskAlone
                await self._give_up_or_ask_alone(attempt, job_id, call, error, str(error))

    async def _give_up_or_ask_alone(
        self, attempt: _Attempt, job_id: int, call: CallRecord, error: ProviderError, reason: str
    ) -> None:
        """A refused group is asked one by one: only the product that caused it shall fail."""
        why = {m.id: (type(error).__name__, reason) for m in attempt.group}
        alone = len(attempt.group) > 1
        await record(
            self._database,
            Outcome(
                job_id,
                call=call,
                asked_alone=why if alone else {},
                given_up={} if alone else why,
            ),
        )
        self._say_what_happened(attempt.group, [], why if alone else {}, {} if alone else why)
        await self._leave(attempt, job_id)

    async def _leave(self, attempt: _Attempt, job_id: int) -> None:
        """The asked products are gone from this job; others of it may remain to be finished."""
        if await self._load(job_id):
            async with self._database.transaction() as connection:
                (follow_up,) = await jobs.enqueue_jobs(connection, 1, priority=1)
                remaining = await products.load_members(connection, job_id)
                await products.move_to_jobs(connection, {m.id: follow_up for m in remaining})
        raise _GroupGone

    async def _stop_queue(self, reason: str) -> None:
        telemetry.error("queue_stopped", f"🛑 Queue stopped: {reason}", reason=reason)
        async with self._database.transaction() as connection:
            await queue_state.update(connection, running=False, paused_reason=reason)
        raise QueueStopped

    async def _bury(self, job_id: int, error: Exception) -> None:
        """A crash of ours counts as an attempt of each product, alone, so that one cannot stop the rest."""
        async with self._database.transaction() as connection:
            members = await products.load_members(connection, job_id)
        why = ("InternalError", f"Weighbridge itself failed ({type(error).__name__}); see the log")
        tired = {m.id: why for m in members if m.attempts >= MAX_ATTEMPTS}
        others = {m.id: why for m in members if m.id not in tired}
        await record(self._database, Outcome(job_id, asked_alone=others, given_up=tired))

    # Finishing ----------------------------------------------------------------------------------

    async def _finish_without_call(self, group: list[Member], job_id: int) -> None:
        if not group:
            return
        finished, failed = self._footprints(group)
        await record(self._database, Outcome(job_id, finished=finished, given_up=failed))
        self._say_what_happened(group, finished, {}, failed)

    def _footprints(
        self, group: list[Member]
    ) -> tuple[list[StoredFootprint], dict[int, tuple[str, str]]]:
        """Step 4, computed. Returns (footprints, products whose figures cannot be computed)."""
        finished: list[StoredFootprint] = []
        failed: dict[int, tuple[str, str]] = {}
        for member in group:
            try:
                finished.append(self._footprint(member))
            except CalculationError as error:
                failed[member.id] = (type(error).__name__, str(error))
        return finished, failed

    def _footprint(self, member: Member) -> StoredFootprint:
        classification = member.answers[StepName.CLASSIFICATION]
        bill = member.answers[StepName.BILL_OF_MATERIALS]
        processes = member.answers[StepName.MANUFACTURING]
        if not (
            isinstance(classification, Classification)
            and isinstance(bill, BillOfMaterials)
            and isinstance(processes, ManufacturingProcesses)
        ):
            raise CalculationError(
                f"The stored answers of product {member.code} do not fit their steps"
            )
        footprint = calculate(member.stored.product, classification, bill, processes, self._factors)
        return StoredFootprint(
            product_id=member.id,
            revision=member.stored.revision,
            footprint=footprint,
            classification=classification,
            answers={step.value: answer for step, answer in member.kept.items()},
            provenance=Provenance(
                method=METHOD_VERSION,
                factors=f"{self._factors.name} {self._factors.version}",
                steps={step.value: version for step, version in self._versions.items()},
                provider=self._provider.name,
                model=self._provider.model,
                simulated=self._provider.simulated,
            ),
            cost_usd=member.cost_usd + member.stored.spent_usd,
        )

    # Saying -------------------------------------------------------------------------------------

    def _call_record(
        self,
        attempt: _Attempt,
        job_id: int,
        latency_s: float,
        outcome: str,
        error: str | None,
        reply: CallReply | None,
        cost_usd: float,
    ) -> CallRecord:
        return CallRecord(
            started_at=attempt.started_at,
            latency_s=latency_s,
            waited_s=attempt.admission.waited_s,
            provider=self._provider.name,
            model=reply.model if reply else self._provider.model,
            simulated=self._provider.simulated,
            lane=Lane.LIVE,
            step=attempt.step.name,
            step_version=attempt.step.version,
            job_id=job_id,
            product_ids=[m.id for m in attempt.group],
            outcome=outcome,
            error=error,
            request_id=reply.request_id if reply else None,
            estimated_tokens=attempt.cost.tokens,
            output_allowance=attempt.allowance,
            usage=reply.usage if reply else Usage(0, 0),
            cost_usd=cost_usd,
        )

    @staticmethod
    def _say_what_happened(
        group: list[Member],
        finished: Sequence[StoredFootprint],
        asked_alone: dict[int, tuple[str, str]],
        given_up: dict[int, tuple[str, str]],
    ) -> None:
        done = {footprint.product_id for footprint in finished}
        for member in group:
            if member.id in done:
                telemetry.info(
                    "product_completed",
                    f"✅ Successfully batch processed product {member.code}",
                    code=member.code,
                )
            elif member.id in given_up:
                kind, reason = given_up[member.id]
                telemetry.error(
                    "product_failed",
                    f"❌ Product {member.code} failed: {reason}",
                    code=member.code,
                    error=kind,
                )
            elif member.id in asked_alone:
                kind, reason = asked_alone[member.id]
                telemetry.warning(
                    "product_asked_alone",
                    f"⚠️ Product {member.code} is asked again alone: {reason}",
                    code=member.code,
                    error=kind,
                )


_HEADLINES: Final = {
    RateLimited: "Rate limit exceeded",
    ProviderTimeout: "Request timed out",
    ProviderUnreachable: "Provider unreachable",
    ProviderOverloaded: "Provider overloaded",
    RequestTooLarge: "Request too large",
}


def _headline(error: AnswerError | ProviderError) -> str:
    return _HEADLINES.get(type(error), str(error))
