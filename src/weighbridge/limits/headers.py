"""Computes refill, capacity and level of one budget from the rate-limit headers of a reply.

`limiter.py` passes the values from `domain.calls.Remaining`, and the result to `bucket.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ROUNDING_S: Final = 1.5
"""Some providers round the time until the quota is full to whole seconds; differences in it below
this mean nothing.
"""


@dataclass(frozen=True, slots=True)
class HeaderBudget:
    """The level (`remaining`) after the call was admitted, the refill per second (`rate`) and the
    capacity. Rate and capacity are 0 where unknown.
    """

    remaining: float
    rate: float
    capacity: float


def read_budget(
    limit: int | None, remaining: int | None, reset_s: float | None
) -> HeaderBudget | None:
    """The budget that the headers limit, remaining and reset (time until full) describe; None when
    they do not give the level.

    The limit is usually a rate per minute (https://platform.openai.com/docs/guides/rate-limits).
    There are two exceptions, which the time until full shows. A limit per day, which OpenAI states
    on small accounts, takes longer to refill. A bucket that holds less than the quota of a minute
    is full sooner.
    """
    if remaining is None or remaining < 0:
        return None
    if limit is None or limit <= 0:
        return HeaderBudget(remaining, 0.0, 0.0)
    rate = limit / 60
    missing = limit - remaining
    if reset_s is None or missing <= 0:
        return HeaderBudget(remaining, rate, float(limit))
    if reset_s > 1.25 * missing / rate + ROUNDING_S:
        return HeaderBudget(remaining, missing / reset_s, float(limit))
    capacity = remaining + reset_s * rate
    if capacity > 0.9 * limit - ROUNDING_S * rate:
        capacity = float(limit)
    return HeaderBudget(remaining, rate, capacity)
