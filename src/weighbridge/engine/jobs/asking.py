"""Asks one question about one group until there is a reply: prepares the call, waits for a permit,
sends it, and retries.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import Lane
from weighbridge.engine.jobs.in_flight_call import InFlightCall
from weighbridge.engine.jobs.pictures import Pictures
from weighbridge.engine.quota.permits import CallTooLarge, PermitRequest, PreparedCall, Replied
from weighbridge.errors import PictureRefused, PictureUnreachable, ProviderError
from weighbridge.planning.cost import reply_cost_usd
from weighbridge.planning.tokens import picture_doubt_tokens, request_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.domain.calls import CallReply
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.failures import Failures
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.engine.jobs.judging import Judge
    from weighbridge.engine.jobs.orphaned_calls import OrphanedCalls
    from weighbridge.engine.jobs.pictures import ShownPicture
    from weighbridge.steps import Question

_TIERS: Final = {Lane.FLEX: "flex"}
"""The service tier of each lane that has one of its own."""


class Asker:
    """Asks questions. One per process.

    With `orphaned`, each call gets a key and is recorded before it is sent, so that its reply can
    be fetched after a crash.
    """

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
        self._pictures = Pictures(context)

    async def ask(
        self, question: Question, group: list[JobProduct], job_id: int
    ) -> tuple[set[int], int]:
        """Ask one question about the group until there is a reply or the group is given up.

        Returns the ids of the products that left the group (completed, failed, or moved to another
        job), and the tokens of the reply.
        """
        failures: Counter[type[ProviderError]] = Counter()
        while True:
            try:
                request = await self.prepare(question, group, job_id)
                in_flight, reply = await self._send(request, group)
            except CallTooLarge as refused:
                asked, has_pictures = refused.call.question, bool(refused.call.request.image_urls)
                if self._failures.make_smaller(
                    asked, group, refused.error, has_pictures=has_pictures
                ):
                    continue
                return await self._failures.unsent(group, job_id, refused.error), 0
            except (PictureRefused, PictureUnreachable) as error:
                return await self._failures.unsent(group, job_id, error), 0
            if not isinstance(reply, ProviderError):
                self._failures.passed(in_flight)
                return await self._judge.take(in_flight, reply)
            if found := await self._stored_reply(in_flight, reply):
                return await self._judge.take(*found)
            if gone := await self._failures.after(in_flight, reply, failures[type(reply)]):
                return gone, 0
            failures[type(reply)] += 1

    async def _send(
        self, request: PermitRequest, group: list[JobProduct]
    ) -> tuple[InFlightCall, CallReply | ProviderError]:
        """Send the call when there is a permit for it; returns the call with its reply, or with the
        error.
        """
        async with self._context.governor.permit(request) as permit:
            in_flight = InFlightCall.permitted(request.job_id, group, permit, self._context.clock)
            try:
                reply = await self._context.provider.call(in_flight.request)
            except ProviderError as error:
                return in_flight, error
            permit.outcome = Replied(
                actual=in_flight.charged(reply),
                latency_s=self._context.clock.monotonic_s() - in_flight.started_s,
                processing_s=reply.processing_s,
                remaining=reply.remaining,
                cost_usd=reply_cost_usd(reply, self._context.provider.price),
            )
            return in_flight, reply

    async def _stored_reply(
        self, in_flight: InFlightCall, error: ProviderError
    ) -> tuple[InFlightCall, CallReply] | None:
        """The call with its reply, if that did not arrive but the provider has stored it; else
        None.
        """
        try:
            return await self._orphaned.reply_to(in_flight, error) if self._orphaned else None
        except ProviderError:
            return None  # the next call will raise what is wrong

    async def prepare(
        self, question: Question, group: list[JobProduct], job_id: int
    ) -> PermitRequest:
        """The request for a permit to ask this question about the group.

        For the first question it also has the call that asks all questions at once, unless an
        answer about one of the products was unusable: asked step by step, the usable ones are kept.

        Raises:
            PictureRefused, PictureUnreachable: a required picture cannot be shown.
        """
        questions = self._context.questions
        pictures = await self._pictures.shown(group[0]) if question.sees_image else ()
        key = self._orphaned.new_key() if self._orphaned else None
        is_fresh = not any(product.attempts or product.step_by_step for product in group)
        combined = None
        if question is questions.alone[0] and is_fresh:
            combined = self._prepared(questions.together, group, pictures, key)
        single = self._prepared(question, group, pictures, key)
        steps_left = len(questions.alone) - questions.alone.index(question)
        return PermitRequest(job_id, single, combined, steps_left)

    def _prepared(
        self,
        question: Question,
        group: list[JobProduct],
        pictures: Sequence[ShownPicture],
        key: str | None,
    ) -> PreparedCall:
        """The call that asks this question about the group; with the record of it as an open call,
        if it has a key.
        """
        sizes_px = [picture.size_px for picture in pictures]
        model = self._context.provider.model
        request = question.request(
            [product.subject() for product in group], 0, tuple(p.url for p in pictures)
        )
        return PreparedCall(
            question=question,
            request=request._replace(
                key=key,
                time_factor=max(product.time_factor for product in group),
                tier=_TIERS.get(group[0].stored.lane),
            ),
            prompt_tokens=request_tokens(request, model, sizes_px),
            doubt_tokens=picture_doubt_tokens(model) * sizes_px.count(None) if pictures else 0,
            group_size=len(group),
            attempts=max(product.attempts for product in group),
            open_call=self._orphaned.open_call(key, question, group)
            if self._orphaned and key
            else None,
        )
