"""Adds up how long the calls about each product took without a usable answer, so that no product is
asked for ever.

Unusable answers alone are limited by `MAX_ATTEMPTS`, and timeouts alone by smaller groups and one
longer time limit. But a slow model can alternate between the two, step after step, for half a day.
So the time is limited too, within one process. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_TIME_LIMITS: Final = 3.0
"""The most time that calls may take without a usable answer about a product, as a multiple of the
longest time limit of one call: an hour for a server on this machine.
"""


class TimeSpent:
    """The time spent per product id; one per process. A product fails after `most_s`."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._spent_s: defaultdict[int, float] = defaultdict(float)

    def add(self, product_ids: Iterable[int], seconds: float) -> None:
        """Add the time of a call that brought these products no usable answer."""
        for product_id in product_ids:
            self._spent_s[product_id] += seconds

    def reason_to_give_up(self, product_id: int) -> str | None:
        """Why the product must not be asked again, for the operator; None while it may be."""
        spent_s = self._spent_s.get(product_id, 0.0)
        if spent_s < self._most_s:
            return None
        return (
            f"No usable answer in {spent_s / 60:,.0f} minutes of calls. A faster server, a smaller "
            "or better model, or a higher WEIGHBRIDGE_CALL_TIMEOUT_S may help."
        )

    def forget(self, product_ids: Iterable[int]) -> None:
        """Forget the time of these products, which are completed or failed: if they are asked again
        later, they have the whole time again.
        """
        for product_id in product_ids:
            self._spent_s.pop(product_id, None)
