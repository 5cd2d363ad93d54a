"""One of the provider's own budgets (requests or tokens), as far as it can be observed.

Used by `limiter.py`, which holds two. Providers keep token buckets: a level that refills at a rate,
up to a capacity (https://platform.openai.com/docs/guides/rate-limits describes the headers; that
the limit behaves like a bucket was observed). Ours follows the provider's:

- **Headers** tell limit, remaining and time until full, as they were when the call was *admitted*
  (a provider that computed them at the end of a call would show a full budget on every slow one).
  Calls reserved later are still to be subtracted; calls reserved within `JITTER_S` of it may or may
  not be in the figure. So a header gives a range, and the level moves only as far as the range
  demands.
- **Drain**: the difference between how fast the level should have risen and how fast it did is what
  other programs with the same key take. It is learned as a rate.
- **Refusals** (429) say that the level was too low for a call: the burst capacity that we assumed
  above that level was not there.
- **No refusal** after a burst lets the assumed capacity grow. A first burst starts at
  `FIRST_BURST_S` of quota and grows ever faster while calls leave and none is refused (a refusal
  arrives within a tenth of a second), up to a full minute's quota after 0.8 s. After a refusal it
  recovers slowly.
- Without headers, refusals in a row slow the assumed refill.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.limits.headers import HeaderBudget

FIRST_BURST_S: Final = 4.0
"""The first burst to a provider of which nothing is known yet, as the time in which its quota
refills by that amount.
"""

FULL_BURST_S: Final = 60.0
"""The largest burst that is assumed without headers, as the time in which the quota refills by that
amount.
"""

GROWTH: Final = 0.9
"""A burst of G seconds' quota that is being tested grows by GROWTH × G√G a second. At 5 s, where
small accounts refuse, growth is slow: of 500 calls a minute, six are refused before the first
refusal arrives. Larger bursts, where a refusal is less likely, grow faster.
"""

ECHO_S: Final = 0.5
"""A refusal arrives within this time after its call has left; so long after each departure the
assumed burst grows. It does not grow for calls that are only reserved: a process that has just
started takes half a second to send its first call, and until then nothing can be refused.
"""

JITTER_S: Final = 0.25
"""Two calls that were reserved at the same moment may reach the provider this far apart. The quota
that refills in this time is left unused, which costs nothing in a steady flow.
"""

RECOVERY_S: Final = 90.0
"""Time in which the burst that a refusal made smaller is restored. The restored share grows with
the square of the time: 1 % after 9 s, all after 90 s.
"""

DRAIN_MEMORY_S: Final = 15.0
"""Time over which the estimate of the drain, what others take, is averaged."""
LEAST_NET: Final = 0.05
"""The share of the refill that is counted as ours at least, however much others seem to take."""

STORM_S: Final = 1.0
"""Refusals within this time after a first one count as one event with it: their calls were sent
before the first refusal arrived.
"""

ROW_S: Final = 5.0
"""Refusals that follow each other within this time are refusals in a row."""
SLOWDOWN: Final = 0.15
"""Share by which each refusal in a row lowers the assumed refill, where there are no headers."""

TRUSTED: Final = 0.8
"""Headers raise the level only while the assumed burst is at least this share of the capacity that
they state; refusals may have shown it to be smaller.
"""

AGE_MAX_S: Final = 50.0
"""Headers of calls admitted longer ago than this are ignored: our own record does not go back far
enough.
"""


@dataclass(slots=True)
class Bucket:
    """Level, capacity and refill of one budget, in requests or in tokens.

    All times are in seconds of the clock that the limiter is given.
    """

    rate: float  # refill a second
    level: float  # what may be taken now; may be negative
    burst: float  # the most to take at once, as found out or tried
    at_s: float  # the time up to which the level is computed
    capacity: float = 0.0  # from headers; 0 before the first
    ramping: float = 1.0  # 1 until the burst is known (stored as a double, like every field)
    growing_until_s: float = 0.0
    drain: float = 0.0  # what others use, a second (from headers)
    slowdown: float = 0.0  # how much less is refilled than assumed (refusals without headers)
    refused_at_s: float = 0.0  # 0: never
    burst_then: float = 0.0  # the burst just after the last refusal
    slowdown_then: float = 0.0  # the slowdown just after the last refusal
    seen_s: float = 0.0  # when the provider admitted the call whose header we used last

    @classmethod
    def untested(cls, per_minute: float, now_s: float) -> Bucket:
        """A bucket of which only the configured limit is known, and the burst is still to be found
        out.
        """
        rate = per_minute / 60
        first = rate * FIRST_BURST_S
        return cls(rate=rate, level=first, burst=first, at_s=now_s)

    @property
    def net_rate(self) -> float:
        """The part of the refill that is ours, per second."""
        return max(self.rate - self.drain - self.slowdown, LEAST_NET * self.rate)

    @property
    def cap(self) -> float:
        """The highest that the level can be."""
        return min(self.burst, self.capacity) if self.capacity else self.burst

    @property
    def _full_burst(self) -> float:
        """The highest burst to assume: the stated capacity, else a minute's quota."""
        return self.capacity or self.rate * FULL_BURST_S

    @property
    def _floor(self) -> float:
        """What is left untouched, so that jitter does not lead to refusals."""
        return min(self.rate * JITTER_S, self.cap / 4)

    def advance(self, now_s: float) -> None:
        """Bring level and burst up to `now_s`: the level refills, and the assumed burst grows while
        calls are not refused.
        """
        elapsed_s = now_s - self.at_s
        if elapsed_s <= 0:
            return
        cap_before = self.cap
        self.level = min(self.level + self.net_rate * elapsed_s, max(cap_before, self.level))
        full = self.level >= cap_before
        if self.ramping:
            self._grow(min(now_s, self.growing_until_s) - self.at_s)
        elif self.refused_at_s:
            self._recover(now_s)
        if full:  # a full bucket of a larger size is full too
            self.level = max(self.level, self.cap)
        self.at_s = now_s

    def _grow(self, growing_s: float) -> None:
        """Raise the assumed burst by what `growing_s` of growth give, at most to a minute's
        quota.
        """
        if growing_s <= 0:
            return
        burst_s = self.burst / self.rate
        root = burst_s**-0.5 - GROWTH / 2 * growing_s
        if root > FULL_BURST_S**-0.5:
            grown_s = root**-2
        else:
            grown_s = FULL_BURST_S
            self.ramping = 0.0
        self.level += (grown_s - burst_s) * self.rate
        self.burst = grown_s * self.rate

    def _recover(self, now_s: float) -> None:
        """Restore a part of the burst and refill that the last refusal took away."""
        regained = ((now_s - self.refused_at_s) / RECOVERY_S) ** 2
        full = max(self._full_burst, self.burst)
        self.burst = min(full, self.burst_then + full * regained)
        self.slowdown = max(0.0, self.slowdown_then - self.rate * regained)

    def wait_s(self, cost: float) -> float:
        """Seconds until `cost` may be taken; 0 when it may be taken now.

        A cost larger than the burst may be taken as soon as the bucket is full.
        """
        wanted = cost + self._floor
        missing = min(wanted, self.cap) - self.level
        if missing <= 0:
            return 0.0
        wait_s = missing / self.net_rate
        if self.ramping:
            burst_s = self.burst / self.rate
            needed_s = burst_s + (wanted - self.level) / self.rate
            growing_s = (burst_s**-0.5 - needed_s**-0.5) * 2 / GROWTH
            if needed_s < FULL_BURST_S and growing_s <= self.growing_until_s - self.at_s:
                wait_s = min(wait_s, growing_s)
        return wait_s

    def take(self, cost: float) -> None:
        """Subtract `cost` from the level.

        The level may become negative; the next call then waits until it has refilled.
        """
        self.level -= cost

    @property
    def explores(self) -> bool:
        """Whether calls that leave now find out if the assumed burst is accepted: its true size is
        not known yet, and more than half of it is used.
        """
        return bool(self.ramping) and self.level < self.burst / 2

    def departed(self) -> None:
        """Note that reserved calls have left: if they test the burst, it grows while no refusal
        comes.
        """
        if self.explores:
            self.growing_until_s = self.at_s + ECHO_S

    def give_back(self, amount: float) -> None:
        """Correct the level by `amount`, by which a call cost less than was taken (negative: more).

        Where the provider sends headers, a positive amount changes nothing: the next headers
        include it.
        """
        if amount < 0 or not self.capacity:
            self.level = min(self.level + amount, max(self.cap, self.level))

    def observe(
        self,
        seen: HeaderBudget,
        counted_s: float,
        unseen: tuple[float, float],
        own: float = 0.0,
        latest_s: float = 0.0,
    ) -> None:
        """Correct level, capacity and drain by `seen`, the headers of one call.

        The call cost `own`; the provider admitted it at `counted_s`, or at some time from then to
        `latest_s`. `unseen` is the least and the most that we reserved and these headers do not
        include yet.
        """
        age_s = self.at_s - counted_s
        if counted_s < self.seen_s or age_s > AGE_MAX_S:
            return
        first = not self.seen_s
        since_s = counted_s - self.seen_s
        self.seen_s = counted_s
        self._resize(seen)
        refilled = self.net_rate * age_s
        refilled_least = self.net_rate * (self.at_s - max(counted_s, latest_s))
        highest = min(seen.remaining + 1 + refilled - unseen[0], self.cap)
        lowest = min(seen.remaining + refilled_least, self.cap) - unseen[1]
        correction = min(max(self.level, lowest), highest) - self.level
        if first:
            self.level += correction
            return
        correction = min(correction, self.rate)  # never up by more than one second's refill
        if correction < 0 or self.burst >= TRUSTED * self.capacity:
            self.level += correction
        was_full = seen.remaining + own >= self.cap - self._floor
        self._learn_drain(correction, since_s, age_s, was_full=was_full)

    def _resize(self, seen: HeaderBudget) -> None:
        """Take over the refill and capacity that the headers state, instead of assumed ones."""
        self.rate = seen.rate or self.rate
        self.capacity = seen.capacity or self.capacity or self._full_burst
        self.ramping = 0.0
        self.slowdown = self.slowdown_then = 0.0
        if not self.refused_at_s or self.at_s - self.refused_at_s > RECOVERY_S:
            self.burst = self.capacity
        self.level = min(self.level, max(self.cap, 0.0))

    def _learn_drain(
        self, correction: float, since_s: float, age_s: float, *, was_full: bool
    ) -> None:
        """Correct the estimate of what other programs take from the same quota each second.

        `correction` is by how much the level just had to be corrected, `since_s` the time between
        the last two headers, `age_s` the time since the later was computed, and `was_full` whether
        the provider's bucket was full then.
        """
        if was_full or self.level >= self.cap - self._floor:
            # A full bucket does not refill, so what ours refilled meanwhile looks as if others had
            # taken it; the same if it was full until a late call came.
            correction = max(correction, 0.0)
        # What is missing beyond a whole refill since the last header went at once, and is no rate.
        correction = max(correction, -self.rate * since_s)
        drain = self.drain - correction / max(DRAIN_MEMORY_S, since_s)
        drain = min(max(drain, 0.0), self.rate)
        self.level -= (
            drain - self.drain
        ) * age_s  # as if known since the provider admitted the call
        self.drain = drain

    def refused(self, cost: float, now_s: float) -> None:
        """Lower level and burst because the provider refused a call that took `cost` (0: unknown).

        The cost is not given back: our level was too high by about as much as was refused, so
        afterwards it agrees with the provider's.
        """
        was_ramping = bool(self.ramping)
        # With headers a refusal more likely means that others were quicker than that bursts must be
        # small: keep at least half of what the headers say.
        least = min(self.burst, max(self.rate, self.capacity / 2))
        self.burst = max(self.burst - max(self.level, 0.0) - cost, least)
        self.level = min(self.level, 0.0)
        self.ramping = 0.0
        if now_s - self.refused_at_s > STORM_S:  # not one of several that were in flight together
            in_a_row = now_s - self.refused_at_s < ROW_S
            if in_a_row and not self.capacity and not was_ramping:
                self.slowdown += SLOWDOWN * self.net_rate
            self.refused_at_s = now_s
        self.burst_then = self.burst
        self.slowdown_then = self.slowdown

    def relimit(self, per_minute: float) -> None:
        """Take a changed configured limit; it has no effect once the provider has stated
        its own.
        """
        rate = per_minute / 60
        if self.capacity or rate == self.rate:
            return
        share = rate / self.rate
        self.rate = rate
        self.level *= share
        self.burst *= share
        self.burst_then *= share
        self.slowdown *= share
        self.slowdown_then *= share

    def shift(self, delta_s: float) -> None:
        """Move all times by `delta_s`, after the clock was set."""
        self.at_s += delta_s
        self.growing_until_s += delta_s
        self.refused_at_s = self.refused_at_s and self.refused_at_s + delta_s
        self.seen_s = self.seen_s and self.seen_s + delta_s

    def dump(self) -> bytes:
        """All fields as bytes, eight for each."""
        return _STATE.pack(*[getattr(self, name) for name in _NAMES])

    @classmethod
    def load(cls, state: memoryview) -> Bucket:
        """The bucket that `dump` wrote."""
        return cls(*_STATE.unpack_from(state))


_NAMES: Final = tuple(field.name for field in fields(Bucket))
_STATE: Final = struct.Struct(f"<{len(_NAMES)}d")
BUCKET_BYTES: Final = _STATE.size
