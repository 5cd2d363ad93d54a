"""What becomes of a reply: each product's answers are kept or refused, what is complete is computed, all is recorded."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from weighbridge.engine.recorder import Outcome
from weighbridge.engine.reports import say_what_happened
from weighbridge.limits.retries import MAX_ATTEMPTS
from weighbridge.planning.cost import call_cost_usd
from weighbridge.steps import encode_answer
from weighbridge.store.answers import StoredAnswer
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    from weighbridge.domain.calls import CallReply
    from weighbridge.engine.attempt import Attempt
    from weighbridge.engine.finishing import Finisher
    from weighbridge.engine.members import Member
    from weighbridge.engine.recorder import Recorder
    from weighbridge.engine.workbench import Workbench
    from weighbridge.steps.base import Accepted


class Judge:
    """One per process."""

    def __init__(self, bench: Workbench, finisher: Finisher, recorder: Recorder) -> None:
        self._bench = bench
        self._finisher = finisher
        self._recorder = recorder

    async def take(self, attempt: Attempt, reply: CallReply) -> tuple[set[int], int]:
        """Returns (products that left the group, tokens used).

        Raises JobLost when another worker has the job; what was paid for is stored all the same.
        """
        question, group = attempt.question, attempt.group
        latency_s = self._bench.clock.monotonic_s() - attempt.started_s
        accepted = question.accept(reply, [m.subject() for m in group])
        self._bench.lengths.observe(question, len(group), reply)
        cost_usd = call_cost_usd(reply.usage, self._bench.provider.price)
        share_usd = cost_usd / len(group)
        forgiven = [m.id for m in group if m.attempts and m.code in accepted.answers]
        kept = self._keep(attempt, accepted, share_usd, reply.model)
        asked_alone, given_up = _sort_refusals(group, accepted)
        finished, failed = self._finisher.finish(
            [m for m in group if self._bench.questions.are_answered(m.answers)]
        )
        given_up |= failed
        stay = await self._recorder.record(
            Outcome(
                attempt.job_id,
                call=attempt.answered(self._bench.provider, latency_s, reply, cost_usd),
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
            await self._bench.governor.outages.publish()
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
                        simulated=self._bench.provider.simulated,
                        provider=self._bench.provider.name,
                        model=model,
                        answer=encoded,
                        cost_usd=cost_usd,
                    )
                )
        return kept


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
