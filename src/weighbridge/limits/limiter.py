"""The limiter: decides when the next call may go. Nothing else decides about the quota.

Theory of operation. A call costs one request and some tokens, and must fit two limits at once:

                      reserve(cost, now)
                             │
             ┌───────────────┴────────────────┐
             ▼                                ▼
      the configured limit           the provider's own limit
      window.py                      bucket.py, one for requests, one for tokens
      never more in any              a level that refills at a rate, up to a burst;
      sliding 60 s                   learned from headers and refusals
             └───────────────┬────────────────┘
                             ▼
           Reservation, or NotBefore the later of the two

1. What is reserved is what providers charge when they admit a call: the prompt plus the output
allowance
   that is sent, however short the answer (https://platform.openai.com/docs/guides/rate-limits).
2. `sent` moves a reservation to the moment at which the call reached the provider: its minute
begins then, and so must ours. Where only the reply shows that it has (a gateway may have kept the
call for seconds), `arrived_by` keeps it charged until a minute after that.
3. `settle` corrects the charge to what the provider counted, `observe` takes over what its
   `x-ratelimit-*` headers say, and `refused` handles a 429: a small correction, never a long stop.
4. Calls are granted in the order of asking. The caller stops at the first that has to wait, so that
   small calls do not starve a large one.
5. The whole state is 4 KB at most: `dump` and `load` keep it in one row of PostgreSQL that all
   processes share (`engine/quota/rounds.py`).

Pure: every `now_s` is an argument, and must come from one clock, the same for all who share the
state.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from weighbridge.domain.calls import Cost, Remaining
from weighbridge.errors import RequestTooLarge, SchemaTooNew
from weighbridge.limits.bucket import BUCKET_BYTES, JITTER_S, Bucket
from weighbridge.limits.headers import read_budget
from weighbridge.limits.window import WINDOW_MS, Window

HOLD_MAX_S: Final = 3.0
"""After a 429 nothing is reserved for as long as it asks, but no longer than this: the level, not
the pause, keeps us within the provider's limit, and a long pause loses quota for good."""

HOLD_DEFAULT_S: Final = 0.25
CLOCK_SET_BACK_S: Final = 1.0
TICK_S: Final = 0.001  # against rounding: `NotBefore` is this much later than computed

_VERSION: Final = 1
_HEADER: Final = struct.Struct("<Bdd")
_LIMITS: Final = struct.Struct("<qq")


@dataclass(frozen=True, slots=True)
class Limits:
    """The configured limits, per minute."""

    requests_per_minute: int
    tokens_per_minute: int

    def __post_init__(self) -> None:
        if self.requests_per_minute < 1 or self.tokens_per_minute < 1:
            msg = "Limits must be at least one request and one token per minute."
            raise ValueError(msg)


class Reservation(NamedTuple):
    """The call may go now. Pass this to `sent`, `observe`, `refused` and `settle`.

    `counted_s` is when the call reached the provider, or the earliest that it can have;
    `latest_s`, where it is later, is the latest.
    """

    at_s: float
    cost: Cost
    slot: int
    counted_s: float
    latest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class NotBefore:
    """The call may not go; ask again at `at_s`. If nothing else happens, it may go then.

    `limit` says for people why.
    """

    at_s: float
    limit: str = ""


class Limiter:
    """The quota of one account with one provider."""

    __slots__ = ("_at_s", "_held_until_s", "_requests", "_tokens", "_window", "limits")

    def __init__(self, limits: Limits, now_s: float = 0.0) -> None:
        self.limits = limits
        self._at_s = now_s
        self._held_until_s = 0.0
        self._window = Window()
        self._requests = Bucket.untested(limits.requests_per_minute, now_s)
        self._tokens = Bucket.untested(limits.tokens_per_minute, now_s)

    def reserve(self, cost: Cost, now_s: float) -> Reservation | NotBefore:
        """Take `cost` from the budget now, or say when to ask again.

        Raises RequestTooLarge for a cost that no minute can hold. Grants in the order of asking:
        the caller stops at the first one that has to wait, so that small calls do not starve a
        large one.
        """
        self._refuse_the_impossible(cost)
        now_s = self._advance(now_s)
        ready_at_s = max(
            self._held_until_s,
            self._window_ready_at_s(cost, now_s),
            now_s + self._requests.wait_s(cost.requests),
            now_s + self._tokens.wait_s(cost.tokens),
        )
        if ready_at_s > now_s:
            return NotBefore(ready_at_s + TICK_S, self._scarcest(cost, now_s, ready_at_s))
        self._requests.take(cost.requests)
        self._tokens.take(cost.tokens)
        return Reservation(now_s, cost, self._window.charge(cost, now_s), now_s)

    def _scarcest(self, cost: Cost, now_s: float, ready_at_s: float) -> str:
        """The name of what has to be waited for the longest."""
        if self._held_until_s >= ready_at_s:
            return "pause after a refused call"
        if self._window_ready_at_s(cost, now_s) >= ready_at_s:
            tokens_left = self.limits.tokens_per_minute - cost.tokens
            return "token limit" if self._window.tokens > tokens_left else "request limit"
        if now_s + self._tokens.wait_s(cost.tokens) >= ready_at_s:
            return "provider's token limit"
        return "provider's request limit"

    @property
    def in_force(self) -> Limits:
        """What holds at present: the configured limits, or the provider's own where they are known
        to be lower.
        """
        stated = (
            (self._requests, self.limits.requests_per_minute),
            (self._tokens, self.limits.tokens_per_minute),
        )
        return Limits(
            *(
                min(limit, max(1, round(bucket.rate * 60))) if bucket.capacity else limit
                for bucket, limit in stated
            )
        )

    def sent(self, reservation: Reservation, at_s: float, now_s: float) -> Reservation:
        """The call left later than it was reserved: the provider's minute begins then, and so does
        ours.
        """
        slot = self._move(reservation, at_s, now_s)
        return Reservation(reservation.at_s, reservation.cost, slot, at_s)

    def arrived_by(self, reservation: Reservation, at_s: float, now_s: float) -> Reservation:
        """The call reached the provider at some moment up to `at_s`: until a minute after that it
        may be in the provider's count, and stays in ours.
        """
        slot = self._move(reservation, at_s, now_s)
        return reservation._replace(slot=slot, latest_s=at_s)

    def _move(self, reservation: Reservation, at_s: float, now_s: float) -> int:
        self._advance(now_s)
        self._window.correct(reservation.slot, -reservation.cost.requests, -reservation.cost.tokens)
        return self._window.charge_at(reservation.cost, at_s)

    @property
    def explores(self) -> bool:
        """Whether the largest burst is still being explored: then `departed` has to be told."""
        return self._requests.explores or self._tokens.explores

    def departed(self, now_s: float) -> None:
        """Reserved calls are on their way: if the provider does not refuse them, larger bursts may
        follow.
        """
        self._advance(now_s)
        self._requests.departed()
        self._tokens.departed()

    def settle(self, reservation: Reservation, actual: Cost, now_s: float) -> None:
        """Correct the charge of a call to what the provider charged for it."""
        self._advance(now_s)
        more_requests = actual.requests - reservation.cost.requests
        more_tokens = actual.tokens - reservation.cost.tokens
        self._window.correct(reservation.slot, more_requests, more_tokens)
        self._requests.give_back(-more_requests)
        self._tokens.give_back(-more_tokens)

    def observe(
        self, remaining: Remaining, now_s: float, reservation: Reservation | None = None
    ) -> None:
        """Take over the headers of a reply. `reservation` tells how old their figures are.

        Without it they count as figures of this moment.
        """
        now_s = self._advance(now_s)
        counted_s = min(reservation.counted_s, now_s) if reservation else now_s
        own = (
            reservation.cost if reservation else Cost(0, 0)
        )  # surely in the figures: they follow it
        latest_s = max(counted_s, min(reservation.latest_s, now_s)) if reservation else now_s
        surely = self._window.charged_since(latest_s + JITTER_S)
        charged = self._window.charged_since(counted_s - JITTER_S)
        perhaps = (charged[0] - own.requests, charged[1] - own.tokens)
        requests = read_budget(
            remaining.requests_limit, remaining.requests_remaining, remaining.requests_reset_s
        )
        if requests is not None:
            unseen = (surely[0], perhaps[0])
            self._requests.observe(requests, counted_s, unseen, own.requests, latest_s)
        tokens = read_budget(
            remaining.tokens_limit, remaining.tokens_remaining, remaining.tokens_reset_s
        )
        if tokens is not None:
            unseen = (surely[1], perhaps[1])
            self._tokens.observe(tokens, counted_s, unseen, own.tokens, latest_s)

    def refused(
        self, retry_after_s: float | None, now_s: float, reservation: Reservation | None = None
    ) -> None:
        """The provider answered 429. Nothing is reserved for a moment, and bursts become smaller.

        What was refused is not charged: no `settle` is needed.
        """
        now_s = self._advance(now_s)
        cost = reservation.cost if reservation else Cost(0, 0)
        if reservation:
            self._window.correct(reservation.slot, -cost.requests, -cost.tokens)
        for bucket, amount in self._scarce(cost):
            bucket.refused(amount, now_s)
        wait_s = HOLD_DEFAULT_S if retry_after_s is None else max(retry_after_s, 0.0)
        # A pause longer than it takes the bucket to fill would lose quota.
        fill_s = min(bucket.cap / bucket.rate for bucket in (self._requests, self._tokens))
        hold_s = min(wait_s, HOLD_MAX_S, fill_s / 2)
        self._held_until_s = max(self._held_until_s, now_s + hold_s)

    def _scarce(self, cost: Cost) -> list[tuple[Bucket, int]]:
        """Which budget refused? A 429 does not say; the one (or both) nearest to empty."""
        both = [(self._requests, cost.requests), (self._tokens, cost.tokens)]
        shares = [bucket.level / bucket.cap for bucket, _ in both]
        least = min(shares)
        return [pair for pair, share in zip(both, shares, strict=True) if share <= least + 0.1]

    def reconfigure(self, limits: Limits, now_s: float) -> None:
        """New limits from now on; what was reserved still counts."""
        self._advance(now_s)
        self.limits = limits
        self._requests.relimit(limits.requests_per_minute)
        self._tokens.relimit(limits.tokens_per_minute)

    def used(self, now_s: float) -> Cost:
        """What was charged in the last 60 s."""
        now_s = self._advance(now_s)
        return Cost(*self._window.charged_since(now_s - WINDOW_MS / 1000))

    def dump(self, *, with_limits: bool = False) -> bytes:
        """Everything that is known, in at most 3.9 KB; the limits where they are not the stored
        ones.

        The versions before and after this one read it too: new fields go behind the rest, where an
        older program skips them (and loses them when it writes). Their absence must do no harm.
        """
        return b"".join(
            (
                _HEADER.pack(_VERSION, self._at_s, self._held_until_s),
                self._requests.dump(),
                self._tokens.dump(),
                self._window.dump(),
                _LIMITS.pack(self.limits.requests_per_minute, self.limits.tokens_per_minute)
                if with_limits
                else b"",
            )
        )

    @staticmethod
    def dumped_limits(state: bytes) -> Limits | None:
        """The limits under which it was dumped, where they are not the stored ones."""
        first = _HEADER.size + 2 * BUCKET_BYTES
        rest = memoryview(state)[first:]
        size = Window.dumped_bytes(rest)
        return (
            Limits(*_LIMITS.unpack_from(rest, size)) if len(rest) >= size + _LIMITS.size else None
        )

    @classmethod
    def load(cls, state: bytes, limits: Limits) -> Limiter:
        """The limiter that `dump` wrote, under these limits; no bytes make a new one."""
        if not state:
            return cls(limits)
        if state[0] != _VERSION:
            msg = (
                "The stored quota was written by another version of Weighbridge. Update this "
                "installation, or delete the row in the table `quota` while no call is in flight."
            )
            raise SchemaTooNew(msg)
        limiter = cls.__new__(cls)
        view = memoryview(state)
        _, limiter._at_s, limiter._held_until_s = _HEADER.unpack_from(view)
        first = _HEADER.size
        limiter._requests = Bucket.load(view[first:])
        limiter._tokens = Bucket.load(view[first + BUCKET_BYTES :])
        limiter._window = Window.load(view[first + 2 * BUCKET_BYTES :])
        limiter.limits = limits
        limiter._requests.relimit(limits.requests_per_minute)
        limiter._tokens.relimit(limits.tokens_per_minute)
        return limiter

    def _refuse_the_impossible(self, cost: Cost) -> None:
        """Raises RequestTooLarge for a call that is larger than the quota of a whole minute."""
        if (
            cost.requests > self.limits.requests_per_minute
            or cost.tokens > self.limits.tokens_per_minute
        ):
            msg = (
                f"A call of {cost.tokens:,} tokens does not fit the limit of "
                f"{self.limits.tokens_per_minute:,} tokens per minute. Raise tokensPerMinute, "
                "or shorten the descriptions."
            )
            raise RequestTooLarge(msg)

    def _window_ready_at_s(self, cost: Cost, now_s: float) -> float:
        requests_left = self.limits.requests_per_minute - cost.requests
        tokens_left = self.limits.tokens_per_minute - cost.tokens
        if self._window.requests <= requests_left and self._window.tokens <= tokens_left:
            return now_s
        return self._window.room_at_s(requests_left, tokens_left)

    def _advance(self, now_s: float) -> float:
        """Bring everything to `now_s`. A clock that runs back a little counts as standing still.

        If it was set back by more, the whole record moves along: waiting for it to catch up could
        take hours.
        """
        behind_s = self._at_s - now_s
        if behind_s > CLOCK_SET_BACK_S:
            self._window.shift(-behind_s)
            self._requests.shift(-behind_s)
            self._tokens.shift(-behind_s)
            self._held_until_s -= behind_s
            self._at_s = now_s
        self._at_s = now_s = max(now_s, self._at_s)
        self._window.forget(now_s)
        self._requests.advance(now_s)
        self._tokens.advance(now_s)
        return now_s
