"""What a set of rate-limit headers says about one budget: refill, capacity, level.

Used by `limiter.py`, between the headers as `domain.calls.Remaining` carries them and `bucket.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ROUNDING_S: Final = 1.5
"""Some providers round the time until full to whole seconds; smaller differences mean nothing."""


@dataclass(frozen=True, slots=True)
class HeaderBudget:
    """Level after the call was admitted; refill a second and capacity, 0 where unknown."""

    remaining: float
    rate: float
    capacity: float


def read_budget(
    limit: int | None, remaining: int | None, reset_s: float | None
) -> HeaderBudget | None:
    """What one limit/remaining/reset triple says; None when it says nothing about the level.

    The limit is usually a rate per minute (https://platform.openai.com/docs/guides/rate-limits).
    The time until full shows the exceptions: a limit per day, which OpenAI states on small
    accounts, refills more slowly, and a bucket that is full sooner than limit − remaining would
    take is smaller than a minute's worth.
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
