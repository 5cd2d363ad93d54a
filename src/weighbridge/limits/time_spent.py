"""How long products have been asked in vain: no product is asked for ever.

Unusable answers are counted, and timeouts lead to smaller groups, a longer limit and an end. But a
slow model can mix them, step after step, for half a day. So the time of the calls that brought a
product nothing is added up, here and for this process. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMITS: Final = 3.0
"""Multiple of the longest time limit of a call: an hour for a server on this machine."""


class TimeSpent:
    """One per process, for products by number. `most_s` is how long is too long."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._spent_s: defaultdict[int, float] = defaultdict(float)

    def add(self, product_ids: Iterable[int], seconds: float) -> None:
        """A call about them took so long and brought them nothing."""
        for product_id in product_ids:
            self._spent_s[product_id] += seconds

    def too_long(self, product_id: int) -> str | None:
        """Why the product is not asked again; None while it may be."""
        spent_s = self._spent_s.get(product_id, 0.0)
        if spent_s < self._most_s:
            return None
        return (
            f"No usable answer in {spent_s / 60:,.0f} minutes of calls. A faster server, a smaller "
            "or better model, or a higher WEIGHBRIDGE_CALL_TIMEOUT_S may help."
        )

    def forget(self, product_ids: Iterable[int]) -> None:
        """They are completed or failed: whoever starts them again has a reason."""
        for product_id in product_ids:
            self._spent_s.pop(product_id, None)
