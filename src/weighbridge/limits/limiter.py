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
   allowance that is sent, however short the answer
   (https://platform.openai.com/docs/guides/rate-limits).
2. `sent` moves a reservation to the moment at which the call reached the provider: the provider
   counts it for a minute from then, and so must we. Where only the reply shows that it arrived (a
   gateway may have kept the call for seconds), `arrived_by` keeps it charged until a minute after
   the reply.
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
"""The longest pause after a 429, whatever its `retry-after` asks for. The bucket's level already
keeps us within the provider's limit, and a longer pause would leave quota unused.
"""

HOLD_DEFAULT_S: Final = 0.25
"""The pause after a 429 without `retry-after`."""
CLOCK_SET_BACK_S: Final = 1.0
"""A clock that runs back by more than this has been set, and our record moves with it."""
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

    `limit` names the limit that causes the wait, in words for people.
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

        Raises RequestTooLarge for a cost above the limits of a whole minute. When a call has to
        wait, the caller must not ask for the calls behind it: small ones would starve a large one.
        """
        self._raise_if_above_limits(cost)
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
        """The limit, in words for people, that the call has to wait for the longest."""
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
        """The limits that apply now: for requests and for tokens the configured one, or the
        provider's own where that is known to be lower.
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
        """Charge a call from `at_s`, when it left, instead of from its reservation; returns the
        changed reservation.
        """
        slot = self._move(reservation, at_s, now_s)
        return Reservation(reservation.at_s, reservation.cost, slot, at_s)

    def arrived_by(self, reservation: Reservation, at_s: float, now_s: float) -> Reservation:
        """Charge a call that reached the provider at an unknown moment up to `at_s` until a minute
        after `at_s`; returns the changed reservation.
        """
        slot = self._move(reservation, at_s, now_s)
        return reservation._replace(slot=slot, latest_s=at_s)

    def _move(self, reservation: Reservation, at_s: float, now_s: float) -> int:
        """Charge the reserved cost at `at_s` instead; returns the slot of the window it is in."""
        self._advance(now_s)
        self._window.correct(reservation.slot, -reservation.cost.requests, -reservation.cost.tokens)
        return self._window.charge_at(reservation.cost, at_s)

    @property
    def explores(self) -> bool:
        """Whether the largest accepted burst is still being found out; `departed` must be called
        while it is.
        """
        return self._requests.explores or self._tokens.explores

    def departed(self, now_s: float) -> None:
        """Note that reserved calls have left: unless the provider refuses them, larger bursts may
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
        """Correct both buckets by the headers of a reply.

        `reservation` is that of the call, and tells how old the figures are; without it they count
        as figures of `now_s`.
        """
        now_s = self._advance(now_s)
        counted_s = min(reservation.counted_s, now_s) if reservation else now_s
        # The headers answer this very call, so their figures include its cost.
        own = reservation.cost if reservation else Cost(0, 0)
        latest_s = max(counted_s, min(reservation.latest_s, now_s)) if reservation else now_s
        # What was charged after that the figures cannot include, and what they may not include.
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
        """After a 429: reserve nothing for a moment, and allow only smaller bursts.

        The refused call's charge is taken back here: it needs no `settle`.
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
        """The buckets that probably caused a 429, with the refused call's cost in each: the one
        nearest to empty, or both when they are about equally so. (The 429 itself does not say.)
        """
        both = [(self._requests, cost.requests), (self._tokens, cost.tokens)]
        shares = [bucket.level / bucket.cap for bucket, _ in both]
        least = min(shares)
        return [pair for pair, share in zip(both, shares, strict=True) if share <= least + 0.1]

    def reconfigure(self, limits: Limits, now_s: float) -> None:
        """Use these configured limits from now on; what was reserved still counts."""
        self._advance(now_s)
        self.limits = limits
        self._requests.relimit(limits.requests_per_minute)
        self._tokens.relimit(limits.tokens_per_minute)

    def used(self, now_s: float) -> Cost:
        """What was charged in the last 60 s."""
        now_s = self._advance(now_s)
        return Cost(*self._window.charged_since(now_s - WINDOW_MS / 1000))

    def dump(self, *, with_limits: bool = False) -> bytes:
        """The whole state as at most 3.9 KB of bytes; with the configured limits if `with_limits`.

        Older and newer versions of Weighbridge read these bytes too. So a new field must go to the
        end, where an older program skips it (and drops it when it writes), and must not be needed.
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
        """The limits in bytes that `dump` wrote; None where it wrote none."""
        first = _HEADER.size + 2 * BUCKET_BYTES
        rest = memoryview(state)[first:]
        size = Window.dumped_bytes(rest)
        return (
            Limits(*_LIMITS.unpack_from(rest, size)) if len(rest) >= size + _LIMITS.size else None
        )

    @classmethod
    def load(cls, state: bytes, limits: Limits) -> Limiter:
        """The limiter that `dump` wrote, with these configured limits; a new one for no bytes."""
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

    def _raise_if_above_limits(self, cost: Cost) -> None:
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
        """When the configured limits have room for `cost`; `now_s` if they have it already."""
        requests_left = self.limits.requests_per_minute - cost.requests
        tokens_left = self.limits.tokens_per_minute - cost.tokens
        if self._window.requests <= requests_left and self._window.tokens <= tokens_left:
            return now_s
        return self._window.room_at_s(requests_left, tokens_left)

    def _advance(self, now_s: float) -> float:
        """Bring window and buckets up to `now_s`; returns the time to reckon with.

        A clock that runs back a little counts as standing still. If it was set back by more, all
        recorded times are set back too: waiting until it caught up could take hours.
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
