"""Processes a reply: accepts or refuses its answers, computes the footprints of products that are
complete, and records everything.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from weighbridge.domain.calls import Lane
from weighbridge.domain.results import AnswerProvenance
from weighbridge.engine.jobs.job_products import weigh_group
from weighbridge.engine.jobs.recorder import Outcome
from weighbridge.engine.jobs.reports import say_what_happened
from weighbridge.engine.jobs.reusing import content_key
from weighbridge.limits.prompts import PromptWatch
from weighbridge.limits.retries import GiveUp, decide
from weighbridge.planning.cost import reply_cost_usd
from weighbridge.steps.mass_units import UnitWatch
from weighbridge.store.answers import StoredAnswer
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from weighbridge.domain.calls import CallReply
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.in_flight_call import InFlightCall
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.engine.jobs.recorder import Recorder
    from weighbridge.limits.time_spent import TimeSpent
    from weighbridge.steps.base import Accepted, Refusal
    from weighbridge.weighing.weigh import Weigher

    Reason = tuple[str, str]  # kind of error, and the reason for people


class Judge:
    """Processes replies; one per process. `spent` is shared with `Failures`."""

    def __init__(
        self,
        context: EngineContext,
        weigher: Weigher,
        recorder: Recorder,
        stop_queue: Callable[[str], Awaitable[None]],
        spent: TimeSpent,
    ) -> None:
        self._spent = spent
        self._context = context
        self._stop_queue = stop_queue
        self._weigher = weigher
        self._recorder = recorder
        self._units = UnitWatch()
        self._prompts = PromptWatch()

    async def take(self, in_flight: InFlightCall, reply: CallReply) -> tuple[set[int], int]:
        """Accept what is usable of a reply, and record it.

        Returns the ids of the products that left the group, and the tokens of the call.

        Raises:
            JobLost: another worker has the job; the call and its answers are stored all the same.
        """
        question, group = in_flight.question, in_flight.group
        latency_s = self._context.clock.monotonic_s() - in_flight.started_s
        subjects = [product.subject(self._units.doubted) for product in group]
        accepted = question.accept(reply, subjects)
        self._units.observe(accepted, subjects)
        attempts = max(product.attempts for product in group)
        self._context.memory.observe(question, len(group), reply, attempts)
        cost_usd = reply_cost_usd(reply, self._context.provider.price)
        share_usd = (cost_usd or 0.0) / len(group)
        unusable = unusable_kind(accepted)
        forgiven = [
            product.id for product in group if product.attempts and product.code in accepted.answers
        ]
        kept = self._keep(in_flight, accepted, share_usd, reply)
        if in_flight.lane is not Lane.BATCH:  # a batch may wait at the provider for hours
            unanswered = [product.id for product in group if product.code not in accepted.answers]
            longest_s = self._context.provider.longest_call_s
            self._spent.add(unanswered, min(latency_s, longest_s))
        asked_alone, given_up = sort_refusals(group, accepted.refusals, self._spent)
        finished, failed = weigh_group(
            self._weigher,
            [product for product in group if self._context.questions.are_answered(product.answers)],
        )
        given_up |= failed
        outcome = Outcome(
            in_flight.job_id,
            call=in_flight.answered(self._context.provider, latency_s, reply, cost_usd, unusable),
            answers=kept,
            finished=finished,
            asked_alone=asked_alone,
            given_up=given_up,
            forgiven=forgiven,
            wasted_usd={
                product.id: share_usd for product in group if product.code not in accepted.answers
            },
        )
        if unusable is None:
            stay = await self._record(in_flight, outcome, accepted, unusable)
        else:
            with self._context.brake.in_doubt():
                stay = await self._record(in_flight, outcome, accepted, unusable)
        with suppress(*DATABASE_ERRORS):
            await self._watch_prompts(in_flight, reply)
            await self._context.governor.breaker.publish()
        tokens = reply.usage.input_tokens + reply.usage.output_tokens
        return {product.id for product in group} - stay, tokens

    async def _record(
        self, in_flight: InFlightCall, outcome: Outcome, accepted: Accepted, unusable: str | None
    ) -> frozenset[int]:
        """Store and log the outcome of the call, and tell the brake; returns the ids of the
        products that stay in the job.
        """
        stay = await self._recorder.record(outcome)
        self._spent.forget((*outcome.given_up, *(done.product_id for done in outcome.finished)))
        here = [p for p in in_flight.group if p.stored.job_id == in_flight.job_id]
        say_what_happened(here, outcome.finished, outcome.asked_alone, outcome.given_up)
        # After the record: what was paid for comes first, whatever the database does.
        with suppress(*DATABASE_ERRORS):
            await self._tell_brake(in_flight, accepted, unusable)
        return stay

    async def _watch_prompts(self, in_flight: InFlightCall, reply: CallReply) -> None:
        """Stop the queue if the server is found to cut prompts: its answers are then about a part
        of the question only.
        """
        ours = in_flight.permit.call.prompt_tokens
        if reason := self._prompts.observe(ours, reply.usage.input_tokens):
            await self._stop_queue(reason)

    async def _tell_brake(
        self, in_flight: InFlightCall, accepted: Accepted, unusable: str | None
    ) -> None:
        """Report a usable or unusable reply to the brake; too many unusable ones stop the queue."""
        if unusable is None:
            await self._context.brake.passed()
            return
        ids = [product.id for product in in_flight.group]
        reason = await self._context.brake.failed(ids, str(accepted.refusals[0].error))
        if reason is not None:
            await self._stop_queue(reason)

    def _keep(
        self, in_flight: InFlightCall, accepted: Accepted, share_usd: float, reply: CallReply
    ) -> list[StoredAnswer]:
        """Add the accepted answers to the products; returns the answers to be stored.

        `share_usd` is each product's share of the cost, and is divided among its answers.
        """
        steps = self._context.questions.steps
        asked = self._context.provider
        provenance = AnswerProvenance(
            step_version=in_flight.step_version,
            provider=reply.provider or asked.name,
            model=reply.model,
            simulated=asked.simulated if reply.simulated is None else reply.simulated,
            answered_at=self._context.clock.now(),
            # A product with a picture is asked about alone.
            without_picture=in_flight.group[0].pictures_lacking()
            if in_flight.question.sees_image
            else None,
        )
        kept = []
        for product in in_flight.group:
            answers = accepted.answers.get(product.code, {})
            key = content_key(product, asked) if answers else None
            for step, answer in answers.items():
                cost_usd = share_usd / len(answers)
                product.keep(answer, provenance, cost_usd)
                product.attempts = 0
                kept.append(
                    StoredAnswer(
                        product_id=product.id,
                        step=step,
                        question_fingerprint=product.question_fingerprint,
                        provenance=provenance,
                        answer=steps.encode(answer),
                        cost_usd=cost_usd,
                        content_key=key,
                    )
                )
        return kept


def unusable_kind(accepted: Accepted) -> str | None:
    """The kind of error of the first refused answer, if no answer of the reply was accepted; else
    None.
    """
    if accepted.answers or not accepted.refusals:
        return None
    return type(accepted.refusals[0].error).__name__


def sort_refusals(
    group: Sequence[JobProduct], refusals: Sequence[Refusal], spent: TimeSpent
) -> tuple[dict[int, Reason], dict[int, Reason]]:
    """The products to be asked about again alone, and those to be given up: (kind of error, reason)
    by product id.
    """
    asked_alone: dict[int, Reason] = {}
    given_up: dict[int, Reason] = {}
    products = {product.code: product for product in group}
    for refusal in refusals:
        product = products[refusal.code]
        kind = type(refusal.error).__name__
        match decide(refusal.error, product.attempts, len(group), jitter=0.0):
            case GiveUp(reason):
                given_up[product.id] = (kind, reason)
            case _ if too_long := spent.reason_to_give_up(product.id):
                given_up[product.id] = (kind, f"{too_long} The last error: {refusal.error}")
            case _:
                asked_alone[product.id] = (kind, str(refusal.error))
    return asked_alone, given_up
