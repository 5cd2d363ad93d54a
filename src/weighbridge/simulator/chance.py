"""The simulator's random numbers: they decide which fault hits a call, and how long its answer
takes.

They are a hash of the seed, the request and how many times that request came before, so a run can
be repeated although its calls arrive in another order. Pure.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.simulator.config import Fault, FaultPlan

_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Throw:
    """Three independent random numbers for one call, each from 0 up to but not including 1."""

    fault: float  # chooses the fault, if any
    latency: float  # the quantile of the latency
    place: float  # where in the answer the fault strikes


def throw_dice(seed: int, digest: bytes, asked_before: int) -> Throw:
    """The random numbers for a request that came `asked_before` times before."""
    data = hashlib.blake2b(digest + b"%d:%d" % (seed, asked_before), digest_size=24).digest()
    return Throw(*(int.from_bytes(data[start : start + 6], "big") / 2**48 for start in (0, 8, 16)))


def fault_for(plan: FaultPlan, dice: Throw) -> Fault | None:
    """The fault that hits the call, or None; each has the probability that the plan gives it."""
    reached = 0.0
    for fault, share in plan.rates.items():
        reached += share
        if dice.fault < reached:
            return fault
    return None


def latency_s(median_s: float, sigma: float, dice: Throw) -> float:
    """The latency of one call in seconds, lognormal; 0 for a median of 0.

    `sigma` is the standard deviation of the latency's logarithm.
    """
    if median_s <= 0:
        return 0.0
    return median_s * math.exp(sigma * _NORMAL.inv_cdf(min(max(dice.latency, 1e-9), 1 - 1e-9)))
