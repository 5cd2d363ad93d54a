"""Slows down guessing of tokens: each wrong token from an address doubles the wait before the next
try.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.clock import Clock

FREE_TRIES: Final = 5
"""How many wrong tokens an address may send before it has to wait."""
LONGEST_WAIT_S: Final = 60.0
FORGOTTEN_AFTER_S: Final = 900.0
"""How many seconds after its last wrong token an address has all its free tries again."""
MOST_ADDRESSES: Final = 10_000
"""How many addresses that sent wrong tokens are remembered, at most."""


class LoginThrottle:
    """Counts wrong tokens by address.

    Memory is bounded: the address unseen for longest is forgotten first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = (
            OrderedDict()
        )  # address → (number of wrong tokens, time of the last one in s)

    def wait_s(self, address: str) -> float:
        """How many seconds this address has to wait before its next try; 0: none."""
        tries, last_s = self._wrong.get(address, (0, 0.0))
        now_s = self._clock.monotonic_s()
        if tries < FREE_TRIES or now_s - last_s > FORGOTTEN_AFTER_S:
            return 0.0
        wait_s = min(LONGEST_WAIT_S, 2.0 ** min(tries - FREE_TRIES, 10))
        return max(0.0, last_s + wait_s - now_s)

    def note_wrong(self, address: str) -> None:
        """Count a wrong token from this address."""
        now_s = self._clock.monotonic_s()
        tries, last_s = self._wrong.pop(address, (0, now_s))
        tries = 0 if now_s - last_s > FORGOTTEN_AFTER_S else tries
        self._wrong[address] = (tries + 1, now_s)
        while len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def note_right(self, address: str) -> None:
        """Forget the wrong tokens from this address, because it sent a right one."""
        self._wrong.pop(address, None)
