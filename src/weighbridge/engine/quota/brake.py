"""Keeps a whole catalogue from failing because the provider answers every call wrongly: with a 400,
a refusal, or empty or cut text.

After each bad call the last calls of all processes are looked at (`limits.alike`). If they are bad
in the same way, a hold is stored for the account: only a probe is sent now and then, and the
products concerned return to `pending` with their attempts reset. If the probes fail too, the queue
stops with the server's message. A product that had bad calls before the last good call is no
evidence: the provider works, and the product fails by its own attempts.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from weighbridge.limits.alike import (
    CALLS_IN_A_ROW,
    FIRST_CALLS,
    FIRST_PROBE_S,
    REFUSALS,
    Judged,
    alike_in_a_row,
)
from weighbridge.store import holds, products
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.holds import Hold, HoldKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.clock import Clock
    from weighbridge.engine.database.retrying import DatabaseRetry
    from weighbridge.engine.quota.governor import Governor
    from weighbridge.errors import RateLimited
    from weighbridge.providers.base import Provider
    from weighbridge.store.database import Database

LEAST_DAY_WAIT_S: Final = 60.0
"""If a limit per day asks for a shorter wait than this, its 429 is treated like any other."""
RESET_UNKNOWN_S: Final = 900.0
"""Time between tries, if the provider does not say when its limit per day resets."""
CALLS_LOOKED_AT: Final = 5 * CALLS_IN_A_ROW
"""Number of last calls that are searched for evidence that all calls fail; calls about products
that are themselves hard do not count as evidence.
"""
MOST_PROBES: Final = 5
"""Number of failed probes, within about a minute, after which the queue stops."""


class Brake:
    """Judges bad calls, and stores and lifts holds; one per process."""

    def __init__(
        self,
        database: Database,
        database_retry: DatabaseRetry,
        clock: Clock,
        provider: Provider,
        governor: Governor,
    ) -> None:
        self._database = database
        self._database_retry = database_retry
        self._one_at_a_time = asyncio.Lock()
        self._clock = clock
        self._provider = provider
        self._breaker = governor.breaker
        self._look_again = governor.look_again
        self._since = clock.now()

    @property
    def is_on(self) -> bool:
        """Whether there is a hold because of bad calls, as far as this process knows; then every
        call is a probe.
        """
        hold = self._breaker.hold
        return hold is not None and hold.kind is HoldKind.ALIKE

    async def passed(self) -> None:
        """After a good call, lift the hold if there is one."""
        if self._breaker.hold is None:
            return
        async with self._one_at_a_time:
            await self._database_retry(self._lift)
            self._breaker.hold = None
        await self._publish()

    async def _lift(self) -> bool:
        async with self._database.transaction() as connection:
            return await holds.lift(connection, self._provider.name)

    @contextmanager
    def in_doubt(self) -> Iterator[None]:
        """While a bad call is recorded and judged in this block, only a few further calls may
        begin.
        """
        self._breaker.doubts += 1
        try:
            yield
        finally:
            self._breaker.doubts -= 1
            self._look_again()

    async def failed(self, product_ids: Sequence[int], words: str) -> str | None:
        """Judge a bad call about these products; `words` is its error.

        Returns why the queue must stop, for the operator; None if it need not.
        """
        # Of several bad calls at once the first is judged; the others find its hold.
        async with self._one_at_a_time:
            hold = await self._database_retry(lambda: self._judge(product_ids, words))
            if hold is None:
                return None
            self._breaker.hold = hold
        await self._publish()
        return hold.reason if hold.probes >= MOST_PROBES else None

    async def _judge(self, product_ids: Sequence[int], words: str) -> Hold | None:
        """The hold that applies after a bad call, which is stored here if it is new; None if the
        evidence is not enough for one.
        """
        account = self._provider.name
        async with self._database.transaction() as connection:
            hold = await holds.load(connection, account)
            if hold is not None and hold.kind is HoldKind.ALIKE:
                await products.take_back(connection, product_ids)
                return hold
            lately = await holds.recent_calls(
                connection, account, REFUSALS, self._since, product_ids, CALLS_LOOKED_AT
            )
            evidence = [call for call in lately.calls if call.is_evidence]
            run = alike_in_a_row([Judged(call.bad, call.product_ids) for call in evidence])
            if not run:
                return None
            # Hard products too: this time the provider was at fault.
            alike = [call for call in lately.calls if call.bad == evidence[0].bad]
            concerned = {i for call in alike for i in call.product_ids} | {*product_ids}
            await products.take_back(connection, sorted(concerned))
            if lately.has_passed_since:
                return None  # a call has succeeded meanwhile: the provider answers again
            until_s = self._breaker.limiter_now_s() + FIRST_PROBE_S
            hold = Hold(HoldKind.ALIKE, _reason(run, words), until_s)
            self._breaker.about_to_hold(hold.reason)
            await holds.put(connection, account, hold)
            return hold

    async def hold_until_day_limit_resets(self, error: RateLimited) -> None:
        """After a 429 of a limit per day, store a hold until the limit resets, and publish it."""
        wait_s = error.retry_after_s if error.retry_after_s is not None else RESET_UNKNOWN_S
        if wait_s < LEAST_DAY_WAIT_S:
            return
        reason = (
            f"{error} The queue waits {_span(wait_s)} for the limit to reset, then tries again."
        )
        hold = Hold(HoldKind.DAY, reason, self._breaker.limiter_now_s() + wait_s)
        self._breaker.about_to_hold(hold.reason)
        async with self._database.transaction() as connection:
            await holds.put(connection, self._provider.name, hold)
        self._breaker.hold = self._breaker.hold or hold
        await self._publish()

    async def _publish(self) -> None:
        """Let the circuit breaker publish that a pause has begun or ended."""
        with suppress(*DATABASE_ERRORS):
            await self._breaker.publish()


def _span(span_s: float) -> str:
    """A span of time for people, in hours or minutes."""
    return f"{span_s / 3600:.1f} h" if span_s >= 3600 else f"{span_s / 60:.0f} min"


def _reason(run: int, words: str) -> str:
    """The reason for a hold after `run` bad calls in a row, for the operator."""
    first = "first" if run == FIRST_CALLS else "last"
    return (
        f"The {first} {run} calls failed in the same way, and none has succeeded since: "
        f"{words.rstrip('.')}. Their products are pending again, not failed. Check the model "
        "and the server."
    )
