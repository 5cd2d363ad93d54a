"""What we granted in the last minute: keeps the configured limit, whatever the provider says.

Used by `limiter.py`. The rule is that of a strict provider: in any sliding 60 s, counted as calls arrive
there, never more than the configured requests and tokens.

Charges made within the same slot of the clock are kept as one entry, which leaves the window when the
*last* of them is 60 s and a margin old. So a burst costs no precision, and an even flow loses half a slot.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.domain.calls import Cost

WINDOW_MS: Final = 60_000

SLOT_MS: Final = 200
"""Width of a slot. 300 of them are a minute: the memory of the window stays under 3.1 KB."""

MARGIN_MS: Final = 200
"""A charge is kept this much longer than a minute.

The provider counts arrivals, we count grants. Two calls may arrive closer together than they were
granted, when the first took longer to get there (a new connection, a busy process). 0.2 s covers such
differences; slot and margin together cost at most 0.4 of 60 s, 0.67 % of the quota.
"""

_HEADER: Final = struct.Struct("<HQ")
_COUNT_MAX: Final = 2**32 - 1


class Window:
    """Requests and tokens charged in the last minute, oldest first."""

    __slots__ = ("_last_ms", "_requests", "_tokens", "requests", "tokens")

    def __init__(self) -> None:
        self._last_ms: list[int] = []  # per entry: when its last charge was made
        self._requests: list[int] = []
        self._tokens: list[int] = []
        self.requests = 0
        self.tokens = 0

    def forget(self, now_s: float) -> None:
        """Drop what has left the window by `now_s`."""
        cutoff_ms = math.floor(now_s * 1000) - WINDOW_MS - MARGIN_MS
        gone = bisect_left(self._last_ms, cutoff_ms)
        if gone:
            self.requests -= sum(self._requests[:gone])
            self.tokens -= sum(self._tokens[:gone])
            del self._last_ms[:gone], self._requests[:gone], self._tokens[:gone]

    def charge(self, cost: Cost, now_s: float) -> int:
        """Book `cost` at `now_s`, which must not lie before the last charge. Returns the slot."""
        now_ms = math.ceil(now_s * 1000)
        slot = now_ms // SLOT_MS
        if self._last_ms and self._last_ms[-1] // SLOT_MS == slot:
            self._last_ms[-1] = now_ms
            self._requests[-1] += cost.requests
            self._tokens[-1] += cost.tokens
        else:
            self._last_ms.append(now_ms)
            self._requests.append(cost.requests)
            self._tokens.append(cost.tokens)
        self.requests += cost.requests
        self.tokens += cost.tokens
        return slot

    def correct(self, slot: int, requests: int, tokens: int) -> None:
        """Add to (or take from) what was charged in `slot`; nothing if that has left the window."""
        index = bisect_left(self._last_ms, slot * SLOT_MS)
        if index == len(self._last_ms) or self._last_ms[index] // SLOT_MS != slot:
            return
        requests = max(requests, -self._requests[index])
        tokens = max(tokens, -self._tokens[index])
        self._requests[index] += requests
        self._tokens[index] += tokens
        self.requests += requests
        self.tokens += tokens

    def room_at_s(self, requests: int, tokens: int) -> float:
        """When no more than `requests` and `tokens` will be left in the window, if nothing is added.

        Takes for granted that there is more now.
        """
        requests_over = self.requests - requests
        tokens_over = self.tokens - tokens
        index = 0
        while requests_over > 0 or tokens_over > 0:
            requests_over -= self._requests[index]
            tokens_over -= self._tokens[index]
            index += 1
        return (self._last_ms[index - 1] + WINDOW_MS + MARGIN_MS + 1) / 1000

    def charged_since(self, moment_s: float) -> tuple[int, int]:
        """Requests and tokens of the entries whose last charge came after `moment_s`."""
        first = bisect_right(self._last_ms, math.floor(moment_s * 1000))
        return sum(self._requests[first:]), sum(self._tokens[first:])

    def shift(self, delta_s: float) -> None:
        """Move everything in time, after the clock was set."""
        delta_ms = math.ceil(delta_s * 1000 / SLOT_MS) * SLOT_MS
        self._last_ms = [last_ms + delta_ms for last_ms in self._last_ms]

    def dump(self) -> bytes:
        """10 bytes an entry: milliseconds after the first, requests, tokens."""
        count = len(self._last_ms)
        base_ms = self._last_ms[0] if count else 0
        return _HEADER.pack(count, base_ms) + struct.pack(
            f"<{count}H{count}I{count}I",
            *[last_ms - base_ms for last_ms in self._last_ms],
            *[min(requests, _COUNT_MAX) for requests in self._requests],
            *[min(tokens, _COUNT_MAX) for tokens in self._tokens],
        )

    @classmethod
    def load(cls, state: memoryview) -> Window:
        """The window that `dump` wrote."""
        window = cls()
        count, base_ms = _HEADER.unpack_from(state)
        values = struct.unpack_from(f"<{count}H{count}I{count}I", state, _HEADER.size)
        window._last_ms = [base_ms + offset_ms for offset_ms in values[:count]]
        window._requests = list(values[count : 2 * count])
        window._tokens = list(values[2 * count :])
        window.requests = sum(window._requests)
        window.tokens = sum(window._tokens)
        return window
