"""Tells a provider that answers everything wrongly from products that are hard: by the last calls
of all processes.

Asked by `engine/quota/brake.py` after each bad call. Pure. A call is bad when it was refused, or
when nothing in its reply could be accepted; 429s, timeouts and outages are no evidence here, they
are waited out anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_CALLS: Final = 5
"""Number of first calls, all failed alike, that is enough: nothing has ever worked."""
CALLS_IN_A_ROW: Final = 20
"""At any other time."""
LEAST_PRODUCTS: Final = 6
"""Products that must be concerned, more than one group: a few hard ones prove nothing."""

REFUSALS: Final = ("RequestRefused", "RequestBlocked", "GenerationFailed", "RequestTooLarge")
"""Kinds of error that may be the fault of the products or of the provider."""
FIRST_PROBE_S: Final = 5.0
PROBE_GROWTH: Final = 1.5


@dataclass(frozen=True, slots=True)
class Judged:
    """One call: what was wrong with it (None: nothing), and whom it was about."""

    bad: str | None
    product_ids: tuple[int, ...]


def alike_in_a_row(calls: Sequence[Judged]) -> int:
    """How many of the newest calls (they come first) are bad in the same way; 0 when that is no
    evidence yet.
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
    """How long after a probe the next one may go."""
    return float(FIRST_PROBE_S * PROBE_GROWTH ** (probes + 1))
