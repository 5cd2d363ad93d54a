"""A call in flight: its question and products, and the record of it when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weighbridge.domain.calls import Cost, Usage
from weighbridge.planning.cost import reply_cost_usd
from weighbridge.providers.base import reply_of
from weighbridge.store.calls import OK, CallRecord

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.clock import Clock
    from weighbridge.domain.calls import CallReply, CallRequest, Lane
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.engine.quota.permits import Permit
    from weighbridge.errors import ProviderError
    from weighbridge.providers.base import Provider
    from weighbridge.steps import Question


class InFlightCall(NamedTuple):
    """A call that was sent, or is about to be.

    `cost` is what was reserved: the prompt as we count it, and the output allowance. `started_s` is
    the time of `started_at` on the monotonic clock. `batch_id` is the batch of the provider in
    which it was sent, if any.
    """

    job_id: int
    question: Question
    step_version: str
    group: list[JobProduct]
    request: CallRequest
    cost: Cost
    allowance: int
    permit: Permit
    started_at: datetime
    started_s: float
    lane: Lane
    batch_id: int | None = None

    @classmethod
    def permitted(
        cls, job_id: int, group: list[JobProduct], permit: Permit, clock: Clock
    ) -> InFlightCall:
        """The call for which the permit was given, beginning now."""
        question, request = permit.call.question, permit.call.request
        return cls(
            job_id=job_id,
            question=question,
            step_version=question.version(group[0].versions),
            group=group,
            request=request._replace(max_output_tokens=permit.allowance),
            cost=permit.cost,
            allowance=permit.allowance,
            permit=permit,
            started_at=clock.now(),
            started_s=clock.monotonic_s(),
            lane=group[0].stored.lane,
        )

    def charged(self, reply: CallReply) -> Cost:
        """What the call takes from the provider's limit: the prompt as the provider counted it, and
        the output allowance.
        """
        prompt_tokens = reply.usage.input_tokens or self.cost.tokens - self.allowance
        return Cost(1, prompt_tokens + self.allowance)

    def answered(
        self,
        provider: Provider,
        latency_s: float,
        reply: CallReply,
        cost_usd: float | None,
        unusable: str | None = None,
    ) -> CallRecord:
        """The record of a call that got a reply, whether or not its answers were accepted.

        `cost_usd` is None if the price is unknown. `unusable` is the kind of error if no answer was
        accepted.
        """
        record = self._record(
            provider,
            latency_s,
            OK,
            None,
            reply.model,
            reply.request_id,
            reply.usage,
            cost_usd or 0.0,
        )
        return record._replace(
            unusable=unusable, service_tier=reply.service_tier, price_known=cost_usd is not None
        )

    def unanswered(self, provider: Provider, latency_s: float, error: ProviderError) -> CallRecord:
        """The record of a call that failed, with its cost if the reply was empty but billed."""
        empty = reply_of(error)
        cost_usd = reply_cost_usd(empty, provider.price) if empty else 0.0
        record = self._record(
            provider,
            latency_s,
            type(error).__name__,
            str(error),
            empty.model if empty else provider.model,
            empty.request_id if empty else None,
            empty.usage if empty else Usage(0, 0),
            cost_usd or 0.0,
        )
        tier = empty.service_tier if empty else None
        return record._replace(service_tier=tier, price_known=cost_usd is not None)

    def _record(
        self,
        provider: Provider,
        latency_s: float,
        outcome: str,
        error: str | None,
        model: str,
        request_id: str | None,
        usage: Usage,
        cost_usd: float,
    ) -> CallRecord:
        """The record of this call with its outcome."""
        return CallRecord(
            started_at=self.started_at,
            latency_s=latency_s,
            waited_s=self.permit.waited_s,
            provider=provider.name,
            model=model,
            simulated=provider.simulated,
            lane=self.lane,
            batch_id=self.batch_id,
            step=self.question.name,
            step_version=self.step_version,
            job_id=self.job_id,
            product_ids=[product.id for product in self.group],
            outcome=outcome,
            error=error,
            request_id=request_id,
            estimated_tokens=self.cost.tokens,
            output_allowance=self.allowance,
            usage=usage,
            cost_usd=cost_usd,
            key=self.request.key,
        )
