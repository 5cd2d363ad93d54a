"""Stops the queue from failing a whole catalogue because the provider answers wrongly: a 400 to
everything, refusals, empty or cut texts.

After each bad call it looks at the last calls of all processes (`limits.alike`). If they are bad
alike, the account is held: nothing is sent but a probe now and then, the products concerned go back
to `pending` with their attempts forgotten, and when the probes find nothing better the queue stops
with the server's words. A product that had trouble before a call last passed is no evidence: the
provider works, and the product fails on its own attempts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.limits.alike import CALLS_IN_A_ROW, FIRST_CALLS, Judged, alike_in_a_row
from weighbridge.store import holds, products
from weighbridge.store.holds import Hold, HoldKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.clock import Clock
    from weighbridge.engine.quota.circuit_breaker import QueueBreaker
    from weighbridge.errors import RateLimited
    from weighbridge.providers.base import Provider
    from weighbridge.store.database import Database

REFUSALS: Final = ("RequestRefused", "RequestBlocked", "GenerationFailed", "RequestTooLarge")
FIRST_PROBE_S: Final = 5.0
PROBE_GROWTH: Final = 1.5
LEAST_DAY_WAIT_S: Final = 60.0
"""Shorter ones are waited out as any 429."""
RESET_UNKNOWN_S: Final = 900.0
"""How often a provider is asked again that does not say when its day ends."""
CALLS_LOOKED_AT: Final = 5 * CALLS_IN_A_ROW
"""Hard products among the last calls are no evidence: so far back the others are looked for."""
MOST_PROBES: Final = 5
"""Within about a minute: then a person has to look."""


class Brake:
    """One per process."""

    def __init__(
        self, database: Database, clock: Clock, provider: Provider, breaker: QueueBreaker
    ) -> None:
        self._database = database
        self._clock = clock
        self._provider = provider
        self._breaker = breaker
        self._since = clock.now()

    async def passed(self) -> None:
        """A call was of use."""
        if self._breaker.hold is None:
            return
        async with self._database.transaction() as connection:
            if await holds.lift(connection, self._provider.name):
                telemetry.info("queue_resumed", "▶️ Provider answers again; the queue resumes")
        self._breaker.hold = None

    async def failed(self, product_ids: Sequence[int], words: str) -> str | None:
        """A call was bad. Returns why the queue has to stop, if it has to."""
        hold = self._breaker.hold
        async with self._database.transaction() as connection:
            if hold is not None and hold.kind is HoldKind.ALIKE:
                await products.take_back(connection, product_ids)
                return hold.reason if hold.probes >= MOST_PROBES else None
            late = await holds.late_calls(
                connection, self._provider.name, REFUSALS, self._since, CALLS_LOOKED_AT
            )
            run = alike_in_a_row([Judged(call.bad, call.product_ids) for call in late])
            if not run:
                return None
            concerned = {i for call in late[:run] for i in call.product_ids} | {*product_ids}
            await products.take_back(connection, sorted(concerned))
            until_s = self._breaker.limiter_now_s() + FIRST_PROBE_S
            hold = Hold(HoldKind.ALIKE, _reason(run, words), until_s)
            is_news = await holds.put(connection, self._provider.name, hold)
        self._breaker.hold = hold
        if is_news:
            telemetry.warning("queue_paused", f"⏸️ Queue paused: {hold.reason}", reason=hold.reason)
        return None

    async def day_is_over(self, error: RateLimited) -> None:
        """The provider says that a limit of the day is reached: wait for its reset, and say so."""
        wait_s = error.retry_after_s if error.retry_after_s is not None else RESET_UNKNOWN_S
        if wait_s < LEAST_DAY_WAIT_S:
            return
        reason = (
            f"{error} The queue waits {_span(wait_s)} for the limit to reset, then tries again."
        )
        hold = Hold(HoldKind.DAY, reason, self._breaker.limiter_now_s() + wait_s)
        async with self._database.transaction() as connection:
            is_news = await holds.put(connection, self._provider.name, hold)
        self._breaker.hold = self._breaker.hold or hold
        if is_news:
            telemetry.warning("queue_paused", f"⏸️ Queue paused: {reason}", reason=reason)


def _span(span_s: float) -> str:
    return f"{span_s / 3600:.1f} h" if span_s >= 3600 else f"{span_s / 60:.0f} min"


def next_probe_s(probes: int) -> float:
    """How long after a probe the next one may go."""
    return float(FIRST_PROBE_S * PROBE_GROWTH ** (probes + 1))


def _reason(run: int, words: str) -> str:
    first = "first" if run == FIRST_CALLS else "last"
    return (
        f"The {first} {run} calls failed alike and none has passed since: {words.rstrip('.')}. No "
        "product is failed for it; they go back to pending. Check the model and the server."
    )
