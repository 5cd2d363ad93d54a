"""One question about one group, until there is a reply: put together, let go by the governor, sent, sent again."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.domain.calls import Cost
from weighbridge.engine.attempt import Attempt
from weighbridge.errors import ProviderError, RequestTooLarge
from weighbridge.planning.tokens import request_tokens
from weighbridge.store import products

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.domain.calls import CallReply, CallRequest
    from weighbridge.engine.earlier_calls import EarlierCalls
    from weighbridge.engine.failures import Failures
    from weighbridge.engine.judging import Judge
    from weighbridge.engine.members import Member
    from weighbridge.engine.workbench import Workbench
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
        self, bench: Workbench, judge: Judge, failures: Failures, earlier: EarlierCalls | None
    ) -> None:
        self._bench = bench
        self._judge = judge
        self._failures = failures
        self._earlier = earlier

    async def ask(
        self, question: Question, group: list[Member], job_id: int
    ) -> tuple[set[int], int]:
        """Ask one question until there is a reply; returns (products that left the group, tokens used)."""
        failures = 0
        while True:
            try:
                attempt = await self._begin(question, group, job_id)
            except RequestTooLarge as error:  # more than a whole minute's quota: it was not sent
                if self._failures.asks_less(self._wanted(question, group), group, error):
                    continue
                return await self._failures.unsent(group, job_id, error), 0
            try:
                reply = await self._bench.provider.call(attempt.request)
            except ProviderError as error:
                self._bench.governor.failed(attempt.admission)
                found = await self._stored_reply(attempt, error)
                if found:
                    return await self._judge.take(*found)
                gone = await self._failures.after(attempt, error, failures)
                if gone:
                    return gone, 0
                failures += 1
            except BaseException:
                self._bench.governor.failed(attempt.admission)
                raise
            else:
                return await self._after_reply(attempt, reply)

    async def _stored_reply(
        self, attempt: Attempt, error: ProviderError
    ) -> tuple[Attempt, CallReply] | None:
        """What may have been paid for though it did not arrive, where replies are kept."""
        try:
            return await self._earlier.reply_to(attempt, error) if self._earlier else None
        except (
            ProviderError
        ):  # nothing can be looked up now: then nothing can be asked either, and that says why
            return None

    async def _after_reply(self, attempt: Attempt, reply: CallReply) -> tuple[set[int], int]:
        self._bench.governor.finished(
            attempt.admission,
            actual=attempt.charged(reply),
            latency_s=self._bench.clock.monotonic_s() - attempt.started_s,
            processing_s=reply.processing_s,
        )
        self._failures.refusals.passed(attempt.job_id, attempt.admission.cost.tokens)
        self._bench.governor.observe(attempt.admission, reply.remaining)
        return await self._judge.take(attempt, reply)

    def _wanted(self, question: Question, group: list[Member]) -> Question:
        """Everything at once, if that is the setting, of products that nothing is known of.

        Whoever gave no usable answer to it is asked step by step: what is good is then kept.
        """
        begins = question is self._bench.questions.alone[0] and self._bench.governor.asks_together
        return (
            self._bench.questions.together
            if begins and not any(m.attempts or m.step_by_step for m in group)
            else question
        )

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
            allowance = self._bench.lengths.allowance(wanted, len(group), tried)
            return Cost(1, draft.prompt_tokens + allowance)

        alone = self._bench.questions.alone
        steps_left = len(alone) - alone.index(question)
        key = self._earlier.new_key() if self._earlier else None
        note: Callable[[Cost], OpenCall] | None = None
        if self._earlier and key:
            write = partial(self._earlier.note, key)

            def note(cost: Cost) -> OpenCall:
                return write(draft.question, group, cost, cost.tokens - draft.prompt_tokens)

        admission = await self._bench.governor.admit(price, job_id, steps_left, note)
        allowance = admission.cost.tokens - draft.prompt_tokens
        return Attempt(
            job_id,
            draft.question,
            draft.question.version(group[0].versions),
            group,
            draft.request._replace(max_output_tokens=allowance, key=key),
            admission.cost,
            allowance,
            admission,
            self._bench.clock.now(),
            self._bench.clock.monotonic_s(),
        )

    def _draft(self, question: Question, group: list[Member], image_url: str | None) -> _Draft:
        request = question.request([m.subject() for m in group], 0, image_url)
        picture = group[0].stored.product.picture if image_url else None
        size = (picture.width_px, picture.height_px) if picture else None
        return _Draft(question, request, request_tokens(request, self._bench.provider.model, size))

    async def _image_url(self, stored: StoredProduct) -> str | None:
        picture = stored.product.picture
        if picture is None:
            return stored.product.image_url

        async def read() -> bytes:
            async with self._bench.database.pool.acquire() as connection:
                return await products.load_picture(connection, picture.sha256)

        data = await self._bench.patience(read)
        return f"data:{picture.media_type};base64,{base64.b64encode(data).decode('ascii')}"
