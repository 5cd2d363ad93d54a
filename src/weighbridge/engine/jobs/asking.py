"""One question about one group, until there is a reply: put together, let go by the governor, sent, sent again."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.domain.calls import Cost
from weighbridge.engine.jobs.in_flight_call import InFlightCall
from weighbridge.errors import ProviderError, RequestTooLarge
from weighbridge.planning.tokens import request_tokens
from weighbridge.store import products

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.domain.calls import CallReply, CallRequest
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.failures import Failures
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.engine.jobs.judging import Judge
    from weighbridge.engine.jobs.orphaned_calls import OrphanedCalls
    from weighbridge.steps import Question
    from weighbridge.store.open_calls import OpenCall
    from weighbridge.store.products import StoredProduct


class _Draft(NamedTuple):
    """A call that waits for leave: its allowance is not known yet."""

    question: Question
    request: CallRequest
    prompt_tokens: int


class Asker:
    """One per process. `earlier` notes each call before it goes; None: nothing is noted."""

    def __init__(
        self,
        context: EngineContext,
        judge: Judge,
        failures: Failures,
        orphaned: OrphanedCalls | None,
    ) -> None:
        self._context = context
        self._judge = judge
        self._failures = failures
        self._orphaned = orphaned

    async def ask(
        self, question: Question, group: list[JobProduct], job_id: int
    ) -> tuple[set[int], int]:
        """Ask one question until there is a reply; returns (products that left the group, tokens used)."""
        failures = 0
        while True:
            try:
                in_flight = await self._begin(question, group, job_id)
            except RequestTooLarge as error:  # more than a whole minute's quota: it was not sent
                if self._failures.asks_less(self._wanted(question, group), group, error):
                    continue
                return await self._failures.unsent(group, job_id, error), 0
            try:
                reply = await self._context.provider.call(in_flight.request)
            except ProviderError as error:
                self._context.governor.failed(in_flight.permit)
                found = await self._stored_reply(in_flight, error)
                if found:
                    return await self._judge.take(*found)
                gone = await self._failures.after(in_flight, error, failures)
                if gone:
                    return gone, 0
                failures += 1
            except BaseException:
                self._context.governor.failed(in_flight.permit)
                raise
            else:
                return await self._after_reply(in_flight, reply)

    async def _stored_reply(
        self, in_flight: InFlightCall, error: ProviderError
    ) -> tuple[InFlightCall, CallReply] | None:
        """What may have been paid for though it did not arrive, where replies are kept."""
        try:
            return await self._orphaned.reply_to(in_flight, error) if self._orphaned else None
        except (
            ProviderError
        ):  # nothing can be looked up now: then nothing can be asked either, and that says why
            return None

    async def _after_reply(self, in_flight: InFlightCall, reply: CallReply) -> tuple[set[int], int]:
        self._context.governor.finished(
            in_flight.permit,
            actual=in_flight.charged(reply),
            latency_s=self._context.clock.monotonic_s() - in_flight.started_s,
            processing_s=reply.processing_s,
        )
        self._failures.refusals.passed(in_flight.job_id, in_flight.permit.cost.tokens)
        self._context.governor.observe(in_flight.permit, reply.remaining)
        return await self._judge.take(in_flight, reply)

    def _wanted(self, question: Question, group: list[JobProduct]) -> Question:
        """Everything at once, if that is the setting, of products that nothing is known of.

        Whoever gave no usable answer to it is asked step by step: what is good is then kept.
        """
        begins = (
            question is self._context.questions.alone[0] and self._context.governor.asks_together
        )
        return (
            self._context.questions.together
            if begins and not any(m.attempts or m.step_by_step for m in group)
            else question
        )

    async def _begin(
        self, question: Question, group: list[JobProduct], job_id: int
    ) -> InFlightCall:
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
            allowance = self._context.allowances.allowance(wanted, len(group), tried)
            return Cost(1, draft.prompt_tokens + allowance)

        alone = self._context.questions.alone
        steps_left = len(alone) - alone.index(question)
        key = self._orphaned.new_key() if self._orphaned else None
        note: Callable[[Cost], OpenCall] | None = None
        if self._orphaned and key:
            write = partial(self._orphaned.note, key)

            def note(cost: Cost) -> OpenCall:
                return write(draft.question, group, cost, cost.tokens - draft.prompt_tokens)

        permit = await self._context.governor.admit(price, job_id, steps_left, note)
        allowance = permit.cost.tokens - draft.prompt_tokens
        return InFlightCall(
            job_id,
            draft.question,
            draft.question.version(group[0].versions),
            group,
            draft.request._replace(max_output_tokens=allowance, key=key),
            permit.cost,
            allowance,
            permit,
            self._context.clock.now(),
            self._context.clock.monotonic_s(),
        )

    def _draft(self, question: Question, group: list[JobProduct], image_url: str | None) -> _Draft:
        request = question.request([m.subject() for m in group], 0, image_url)
        picture = group[0].stored.product.picture if image_url else None
        size = (picture.width_px, picture.height_px) if picture else None
        return _Draft(
            question, request, request_tokens(request, self._context.provider.model, size)
        )

    async def _image_url(self, stored: StoredProduct) -> str | None:
        picture = stored.product.picture
        if picture is None:
            return stored.product.image_url

        async def read() -> bytes:
            async with self._context.database.pool.acquire() as connection:
                return await products.load_picture(connection, picture.sha256)

        data = await self._context.database_retry(read)
        return f"data:{picture.media_type};base64,{base64.b64encode(data).decode('ascii')}"
