"""Records what was reserved in the last minute, to keep the configured limit whatever the provider
says.

Used by `limiter.py`. The rule is that of a strict provider: in any sliding 60 s, counted by the
arrival of the calls, never more than the configured requests and tokens.

Charges within the same 200 ms slot are one entry, which leaves the window when the *last* of them
is 60 s and a margin old. So a burst costs no precision, and in a steady flow a charge stays half a
slot too long on average.
"""

from __future__ import annotations

import math
import struct
from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.domain.calls import Cost

WINDOW_MS: Final = 60_000

SLOT_MS: Final = 200
"""Width of a slot. 300 of them are a minute: the memory of the window stays under 3.7 KB."""

MARGIN_MS: Final = 200
"""A charge is kept for a minute and this much longer.

The provider counts arrivals, we count departures. Two calls may arrive closer together than they
left, when the first took longer to get there (a new connection, a busy process). 0.2 s covers such
differences. A charge is kept at most 0.4 s too long (slot and margin): 0.67 % of the quota.
"""

_HEADER: Final = struct.Struct("<Hq")
_COUNT_MAX: Final = 2**32 - 1
_OFFSET_MAX_MS: Final = 2**31


class Window:
    """Requests and tokens charged in the last minute, oldest first.

    Three arrays of 32-bit numbers, stored as they are: reading and writing a stored window takes
    microseconds. (Every machine that our dependencies are built for is little-endian.)
    """

    __slots__ = ("_base_ms", "_last", "_requests", "_tokens", "requests", "tokens")

    def __init__(self) -> None:
        self._base_ms = 0
        self._last = array("I")  # per entry: when its last charge was made, in ms after the base
        self._requests = array("I")
        self._tokens = array("I")
        self.requests = 0
        self.tokens = 0

    def forget(self, now_s: float) -> None:
        """Drop the charges that are no longer within the last minute at `now_s`."""
        cutoff_ms = math.floor(now_s * 1000) - WINDOW_MS - MARGIN_MS
        gone = bisect_left(self._last, cutoff_ms - self._base_ms)
        if gone:
            self.requests -= sum(self._requests[:gone])
            self.tokens -= sum(self._tokens[:gone])
            del self._last[:gone], self._requests[:gone], self._tokens[:gone]

    def charge(self, cost: Cost, now_s: float) -> int:
        """Charge `cost` at `now_s`, or at the time of the last charge if that is later.

        Returns the number of the slot, for `correct`.
        """
        now_ms = math.ceil(now_s * 1000)
        if not self._last:
            self._base_ms = now_ms
        elif now_ms - self._base_ms > _OFFSET_MAX_MS:
            self._rebase()
        last_ms = self._base_ms + (self._last[-1] if self._last else 0)
        now_ms = max(now_ms, last_ms)
        slot = now_ms // SLOT_MS
        if self._last and last_ms // SLOT_MS == slot:
            self._last[-1] = now_ms - self._base_ms
        else:
            self._last.append(now_ms - self._base_ms)
            self._requests.append(0)
            self._tokens.append(0)
        self._add(len(self._last) - 1, cost.requests, cost.tokens)
        return slot

    def charge_at(self, cost: Cost, at_s: float) -> int:
        """Charge `cost` at a time that may be before the last charge.

        Returns the number of the slot, for `correct`.
        """
        at_ms = math.ceil(at_s * 1000)
        if not self._last or at_ms - self._base_ms > self._last[-1]:
            return self.charge(cost, at_s)
        at_ms = max(at_ms, self._base_ms)
        slot = at_ms // SLOT_MS
        index = bisect_left(self._last, slot * SLOT_MS - self._base_ms)
        if (self._base_ms + self._last[index]) // SLOT_MS == slot:
            self._last[index] = max(self._last[index], at_ms - self._base_ms)
        else:
            self._last.insert(index, at_ms - self._base_ms)
            self._requests.insert(index, 0)
            self._tokens.insert(index, 0)
        self._add(index, cost.requests, cost.tokens)
        return slot

    def correct(self, slot: int, requests: int, tokens: int) -> None:
        """Add to (negative: subtract from) the charges of `slot`, if it is still in the window."""
        index = bisect_left(self._last, slot * SLOT_MS - self._base_ms)
        if index < len(self._last) and (self._base_ms + self._last[index]) // SLOT_MS == slot:
            self._add(index, requests, tokens)

    def _add(self, index: int, requests: int, tokens: int) -> None:
        """Change the entry at `index` and the sums; no entry gets below 0."""
        requests_then, tokens_then = self._requests[index], self._tokens[index]
        self._requests[index] = min(max(requests_then + requests, 0), _COUNT_MAX)
        self._tokens[index] = min(max(tokens_then + tokens, 0), _COUNT_MAX)
        self.requests += self._requests[index] - requests_then
        self.tokens += self._tokens[index] - tokens_then

    def _rebase(self) -> None:
        """Count the offsets from the oldest entry, so that they fit 32 bits."""
        first = self._last[0]
        self._base_ms += first
        self._last = array("I", [offset - first for offset in self._last])

    def room_at_s(self, requests: int, tokens: int) -> float:
        """The time at which no more than `requests` and `tokens` are left in the window, if nothing
        is added. The window must hold more than that now.
        """
        requests_over = self.requests - requests
        tokens_over = self.tokens - tokens
        index = 0
        while requests_over > 0 or tokens_over > 0:
            requests_over -= self._requests[index]
            tokens_over -= self._tokens[index]
            index += 1
        return (self._base_ms + self._last[index - 1] + WINDOW_MS + MARGIN_MS + 1) / 1000

    def charged_since(self, moment_s: float) -> tuple[int, int]:
        """Requests and tokens of the entries whose last charge came after `moment_s`."""
        first = bisect_right(self._last, math.floor(moment_s * 1000) - self._base_ms)
        return sum(self._requests[first:]), sum(self._tokens[first:])

    def shift(self, delta_s: float) -> None:
        """Move all times by `delta_s`, after the clock was set."""
        self._base_ms += math.ceil(delta_s * 1000 / SLOT_MS) * SLOT_MS

    def dump(self) -> bytes:
        """The window as bytes: a header, then 12 bytes an entry (milliseconds after the base,
        requests, tokens).
        """
        return b"".join(
            (
                _HEADER.pack(len(self._last), self._base_ms),
                self._last.tobytes(),
                self._requests.tobytes(),
                self._tokens.tobytes(),
            )
        )

    @staticmethod
    def dumped_bytes(state: memoryview) -> int:
        """How many bytes the dumped window at the beginning of `state` takes."""
        count, _ = _HEADER.unpack_from(state)
        return int(_HEADER.size + 12 * count)

    @classmethod
    def load(cls, state: memoryview) -> Window:
        """The window that `dump` wrote."""
        window = cls()
        count, window._base_ms = _HEADER.unpack_from(state)
        size, first = 4 * count, _HEADER.size
        for numbers in (window._last, window._requests, window._tokens):
            numbers.frombytes(state[first : first + size])
            first += size
        window.requests = sum(window._requests)
        window.tokens = sum(window._tokens)
        return window
