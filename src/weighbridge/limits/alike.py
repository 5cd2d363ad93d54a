"""Decides, from the last calls of all processes, whether the provider answers everything wrongly or
only some products are hard.

Used by `engine/quota/brake.py` after each bad call. Pure. A call is bad when it was refused, or
when nothing in its reply could be accepted. 429s, timeouts and outages are not counted here: the
queue waits for them to end anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_CALLS: Final = 5
"""How many calls are enough evidence where no other call was made yet and every one was bad in the
same way.
"""
CALLS_IN_A_ROW: Final = 20
"""How many calls in a row, bad in the same way, are enough evidence after calls that were good, or
bad in another way.
"""
LEAST_PRODUCTS: Final = 6
"""Number of different products that the bad calls must be about, at least, to be evidence (more
than one group has): a few hard products prove nothing.
"""

REFUSALS: Final = ("RequestRefused", "RequestBlocked", "GenerationFailed", "RequestTooLarge")
"""Names of the errors that may be the fault of the products or of the provider."""
FIRST_PROBE_S: Final = 5.0
"""Time from the start of a pause to its first probe."""
PROBE_GROWTH: Final = 1.5
"""Factor by which the time to the next probe grows with each probe."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A finished call: what was wrong with it (None: nothing), and which products it was about."""

    bad: str | None
    product_ids: tuple[int, ...]


def alike_in_a_row(calls: Sequence[Judged]) -> int:
    """How many of the latest calls in a row are bad in the same way; 0 when these are too few to be
    evidence. `calls` are the latest first.
    """
    if not calls or calls[0].bad is None:
        return 0
    run = 0
    for call in calls:
        if call.bad != calls[0].bad:
            break
        run += 1
    products = {product_id for call in calls[:run] for product_id in call.product_ids}
    is_all_there_is = run == len(calls) and run >= FIRST_CALLS
    if len(products) < LEAST_PRODUCTS or not (is_all_there_is or run >= CALLS_IN_A_ROW):
        return 0
    return run


def next_probe_s(probes: int) -> float:
    """Seconds from a probe to the next one; `probes` were sent before it."""
    return float(FIRST_PROBE_S * PROBE_GROWTH ** (probes + 1))
