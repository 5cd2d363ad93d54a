"""The settings of the simulated provider: limits, latency, models and faults.

The command line and the tests build a `SimulatorConfig`, and `app.py` works by it. Faults come from
a specification such as `rate=0.02,drop=0.01,outage=120-180`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from weighbridge.errors import InputError
from weighbridge.simulator.models import KNOWN_MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.simulator.models import ModelLimits


class Fault(StrEnum):
    """What can go wrong with one call, in the words of the specification."""

    RATE = "rate"  # a 429 although the limits have room
    ERROR500 = "error500"  # the provider's own failure
    TIMEOUT = "timeout"  # no answer for `hang_s`
    DROP = "drop"  # the connection breaks in the middle of the answer
    HTML = "html"  # a gateway's error page in place of the API
    SLOW = "slow"  # a good answer, ten times as late
    TRUNCATE = "truncate"  # the answer ends early with finish_reason "length"
    FILTER = "filter"  # the answer is cut with finish_reason "content_filter"
    REFUSE = "refuse"  # the model declines
    MALFORMED = "malformed"  # the answer is not JSON
    MISSING = "missing"  # one product is left out
    FOREIGN = "foreign"  # one product is answered under a code that nobody asked about
    DOUBLED = "doubled"  # one product is answered twice
    IMPLAUSIBLE = "implausible"  # the form is right, but the numbers are 1,000 times too large


class Keeping(StrEnum):
    """What becomes of calls that ask to be stored (`store: true`)."""

    FINISHED = "finished"  # finished and stored, whether their client is still there or not
    ATTENDED = "attended"  # stored, but dropped unfinished when their client goes away
    NOTHING = "nothing"  # `store` is ignored and the list is empty: zero data retention
    UNKNOWN = "unknown"  # there is no such list


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The share of calls that each fault hits, and a span in which every call gets a 503."""

    rates: Mapping[Fault, float] = field(default_factory=dict)
    outage_s: tuple[float, float] | None = None  # from … to, in seconds after the start


NO_FAULTS: Final = FaultPlan()


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """One simulated account with a provider.

    A limit of None means no limit. After a pause, as many requests and tokens are admitted at once
    as the limits allow in `burst_s` seconds. `latency_s` is the median latency (0: no delay),
    `latency_sigma` its spread on the logarithmic scale. After `hang_s` seconds a call with the
    fault "timeout" is broken off. A batch is answered within `batch_delay_s`. A stored call is
    listed after `list_delay_s`.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst_s: float = 60.0
    latency_s: float = 0.0
    latency_sigma: float = 0.5
    hang_s: float = 600.0
    batch_delay_s: float = 60.0
    faults: FaultPlan = NO_FAULTS
    seed: int = 0
    api_key: str | None = None
    models: Mapping[str, ModelLimits] = field(default_factory=lambda: KNOWN_MODELS)
    accepts_images: bool = True
    keeping: Keeping = Keeping.FINISHED
    list_delay_s: float = 0.0
    lookups_count: bool = False  # whether look-ups of stored calls use up the limit of requests
    poison_marker: str = "POISON"
    batch_expire: float = 0.0  # the share of batches that expire with a part of their requests
    enqueued_tokens: int | None = None  # prompt tokens that may wait in batches; None: no limit
    has_batches: bool = True
    flex_busy: float = 0.0  # the share of flex calls that are refused for want of capacity

    def __post_init__(self) -> None:
        """Raises InputError naming the limit or span that is out of range."""
        for name in ("requests_per_minute", "tokens_per_minute"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise InputError(
                    f"{name} must be at least 1, or left out for no limit; got {limit}."
                )
        if not self.burst_s > 0:
            raise InputError(f"burst_s must be more than 0 seconds; got {self.burst_s}.")
        for name in ("latency_s", "latency_sigma", "hang_s", "batch_delay_s", "list_delay_s"):
            span = getattr(self, name)
            if not (span >= 0 and math.isfinite(span)):
                raise InputError(f"{name} must be 0 or more; got {span}.")


def parse_faults(specification: str) -> FaultPlan:
    """The plan in `name=share,…,outage=from-to`. An empty specification means no faults.

    Raises InputError that names the part that cannot be read and what is allowed.
    """
    rates: dict[Fault, float] = {}
    outage_s: tuple[float, float] | None = None
    for part in filter(None, (piece.strip() for piece in specification.split(","))):
        name, separator, value = (piece.strip() for piece in part.partition("="))
        if not separator:
            raise InputError(
                f"Fault '{part}' has no value; write it as name=share, such as rate=0.02."
            )
        if name == "outage":
            if outage_s is not None:
                raise InputError("Fault 'outage' is given twice.")
            outage_s = _parse_outage(value)
            continue
        fault = _parse_name(name)
        if fault in rates:
            raise InputError(f"Fault '{name}' is given twice.")
        rates[fault] = _parse_share(name, value)
    if math.fsum(rates.values()) > 1 + 1e-9:
        raise InputError(
            f"The shares of the faults add up to {math.fsum(rates.values()):g}; they must add up "
            "to at most 1, because each call can have only one fault."
        )
    return FaultPlan(rates, outage_s)


def describe_faults(plan: FaultPlan) -> str:
    """The specification that `parse_faults` would read back as this plan."""
    parts = [f"{fault.value}={share:g}" for fault, share in plan.rates.items()]
    if plan.outage_s is not None:
        parts.append(f"outage={plan.outage_s[0]:g}-{plan.outage_s[1]:g}")
    return ",".join(parts)


def with_outage(plan: FaultPlan, from_s: float, to_s: float) -> FaultPlan:
    """The same plan with this outage; both times are seconds after the simulator's start."""
    return replace(plan, outage_s=(from_s, to_s))


def _parse_name(name: str) -> Fault:
    """The fault of this name. Raises InputError that lists all names."""
    try:
        return Fault(name)
    except ValueError:
        known = ", ".join([fault.value for fault in Fault] + ["outage"])
        raise InputError(f"There is no fault '{name}'. The faults are: {known}.") from None


def _parse_share(name: str, text: str) -> float:
    """The share of calls from 0 to 1. Raises InputError that names the fault."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise InputError(f"Fault '{name}' needs a share of calls between 0 and 1; got '{text}'.")
    return share


def _parse_outage(text: str) -> tuple[float, float]:
    """(from, to) in seconds after the start, of a text such as "120-180". Raises InputError."""
    start, _, end = text.partition("-")
    try:
        from_s, to_s = float(start), float(end)
    except ValueError:
        from_s = to_s = math.nan
    if not (0 <= from_s < to_s and math.isfinite(to_s)):
        raise InputError(f"An outage is written from-to in seconds, such as 120-180; got '{text}'.")
    return from_s, to_s
