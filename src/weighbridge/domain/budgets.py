"""Hard caps on money: for the products of one catalogue, for a day, for a month (both in UTC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

DAY: Final = "day"
MONTH: Final = "month"
CATALOGUE: Final = "catalogue "
"""First part of the name of a cap on one catalogue; the first digits of the file's SHA-256 follow.
"""
PERIODS: Final = (DAY, MONTH)
"""Names of the caps that begin anew: with each day, with each month."""
THE_BUDGET_OF: Final = "The budget of"
"""First words of every pausedReason that says that a budget is used up."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One cap. `committed_usd` is what was spent within `span` (see `span_of`), or is reserved for
    calls in flight.

    A call whose reply never arrived stays reserved: it may have been paid for.
    """

    name: str
    cap_usd: float
    committed_usd: float
    span: str
    active: bool = True

    @property
    def left_usd(self) -> float:
        """What may still be committed."""
        return max(0.0, self.cap_usd - self.committed_usd)

    @property
    def words(self) -> str:
        """What it is a cap for: "a day", "a month" or "this catalogue"."""
        return f"a {self.name}" if self.name in PERIODS else "this catalogue"


def span_of(name: str, now: datetime) -> str:
    """The day or month that `now` (UTC) lies in, as text; "" for a catalogue, whose cap has
    no end.
    """
    match name:
        case "day":
            return f"{now:%Y-%m-%d}"
        case "month":
            return f"{now:%Y-%m}"
        case _:
            return ""


def begin_of(name: str, now: datetime) -> datetime:
    """When the day or month that `now` (UTC) lies in began."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.replace(day=1) if name == MONTH else midnight


def is_budget_reason(reason: str) -> bool:
    """Whether the queue is paused for this reason because a budget is used up."""
    return reason.startswith(THE_BUDGET_OF)
