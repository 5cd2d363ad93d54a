"""The simulated account's rate limit: two token buckets, and the headers that report them.

`account.py` asks it to admit each call. Written independently of Weighbridge's own limiter, so that
a mistake there is not repeated here. Takes `now_s` as an argument; does no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60.0
_EPSILON: Final = 1e-6  # tolerance for rounding errors of refilling


class TokenBucket:
    """A budget per minute that refills continuously up to `burst_s` seconds' worth."""

    def __init__(self, per_minute: int, burst_s: float, now_s: float) -> None:
        self.per_minute = per_minute
        self.rate_per_s = per_minute / MINUTE_S
        self.capacity = max(1.0, self.rate_per_s * burst_s)
        self.level = self.capacity
        self._refilled_at_s = now_s

    def refill(self, now_s: float) -> None:
        """Add what has refilled up to `now_s`."""
        if now_s > self._refilled_at_s:
            grown = self.level + (now_s - self._refilled_at_s) * self.rate_per_s
            self.level = min(self.capacity, grown)
            self._refilled_at_s = now_s

    def wait_s(self, cost: float) -> float:
        """Seconds until `cost` would be admitted; 0 when it would be admitted now.

        A cost above the capacity is admitted when the bucket is full, and makes the level negative:
        otherwise a small burst would exclude every long prompt for ever.
        """
        missing = min(cost, self.capacity) - self.level
        return 0.0 if missing <= _EPSILON else missing / self.rate_per_s

    def take(self, cost: float) -> None:
        """Charge `cost`; the caller has made sure that `wait_s` is 0."""
        self.level -= cost

    @property
    def remaining(self) -> int:
        """How much may still be taken at once, in whole requests or tokens."""
        return max(0, math.floor(self.level + _EPSILON))

    @property
    def reset_s(self) -> float:
        """Seconds until the bucket is full again."""
        return max(0.0, (self.capacity - self.level) / self.rate_per_s)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a call was not admitted, in the figures that the 429 names.

    `limit` is per minute; `used` is what the bucket has given out, `requested` what the call costs.
    """

    kind: str  # "requests" or "tokens"
    limit: int
    used: int
    requested: int
    wait_s: float
    too_large: bool = False  # can never be admitted


class Quota:
    """Requests and tokens of one account. A call is admitted when both buckets can pay for it."""

    def __init__(
        self,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        burst_s: float,
        now_s: float,
    ) -> None:
        self.requests = _bucket(requests_per_minute, burst_s, now_s)
        self.tokens = _bucket(tokens_per_minute, burst_s, now_s)

    def admit(self, tokens: int, now_s: float) -> Refused | None:
        """Charge one request and `tokens`; None if admitted, else why not. Refusals cost
        nothing.
        """
        if self.requests:
            self.requests.refill(now_s)
            if refused := _refusal("requests", self.requests, 1):
                return refused
        if self.tokens:
            self.tokens.refill(now_s)
            if refused := _refusal("tokens", self.tokens, tokens):
                return refused
            self.tokens.take(tokens)
        if self.requests:
            self.requests.take(1)
        return None

    def give_back(self, tokens: int) -> None:
        """Undo an admission of one request with so many tokens."""
        for bucket, cost in ((self.requests, 1), (self.tokens, tokens)):
            if bucket:
                bucket.level = min(bucket.capacity, bucket.level + cost)

    def change(
        self,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        burst_s: float,
        now_s: float,
    ) -> None:
        """Set new limits. A bucket that was half full stays half full."""
        before = (self.requests, self.tokens)
        self.requests = _bucket(requests_per_minute, burst_s, now_s)
        self.tokens = _bucket(tokens_per_minute, burst_s, now_s)
        for old, new in zip(before, (self.requests, self.tokens), strict=True):
            if old and new:
                old.refill(now_s)
                new.level = new.capacity * old.level / old.capacity

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The x-ratelimit-* headers at the moment of the last admission or refusal."""
        found: list[tuple[bytes, bytes]] = []
        for name, bucket in ((b"requests", self.requests), (b"tokens", self.tokens)):
            if bucket:
                reset = format_duration(bucket.reset_s).encode()
                found.append((b"x-ratelimit-limit-" + name, b"%d" % bucket.per_minute))
                found.append((b"x-ratelimit-remaining-" + name, b"%d" % bucket.remaining))
                found.append((b"x-ratelimit-reset-" + name, reset))
        return found


def format_duration(span_s: float) -> str:
    """A span as OpenAI writes it: `12ms`, `1s`, `1.2s`, `6m0s`, `1h0m0s`, rounded up to a
    millisecond.
    """
    thousandths = math.ceil(round(span_s * 1000, 6))
    if thousandths < 1000:
        return f"{thousandths}ms"
    minutes, rest = divmod(thousandths, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if minutes == 0:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"


def _bucket(per_minute: int | None, burst_s: float, now_s: float) -> TokenBucket | None:
    return None if per_minute is None else TokenBucket(per_minute, burst_s, now_s)


def _refusal(kind: str, bucket: TokenBucket, cost: int) -> Refused | None:
    """Why the bucket cannot pay `cost` now; None if it can."""
    if cost > max(bucket.per_minute, bucket.capacity):
        return Refused(kind, bucket.per_minute, 0, cost, 0.0, too_large=True)
    wait_s = bucket.wait_s(cost)
    if wait_s <= 0:
        return None
    used = min(bucket.per_minute, max(0, math.ceil(bucket.capacity - bucket.level)))
    return Refused(kind, bucket.per_minute, used, cost, wait_s)
