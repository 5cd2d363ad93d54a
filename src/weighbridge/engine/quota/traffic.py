"""Counts the calls that this process has in flight, and their average duration and tokens.

The governor keeps the figures; the backlog target depends on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.domain.calls import Cost

WEIGHT: Final = 0.05
"""Weight of the newest call in the moving averages."""


class Traffic:
    """Figures about the calls of this process; one per process."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.mean_latency_s = 2.0
        """Moving average of the time that a call takes, over finished calls; 2 s is assumed at
        first.
        """
        self.mean_tokens = 0.0
        """Moving average of the tokens that a call takes from the limit; 0 before the first."""

    def began(self, cost: Cost) -> None:
        """Count a call that got its permit."""
        self.in_flight += 1
        if cost.tokens:  # look-ups have none
            weight = WEIGHT if self.mean_tokens else 1.0
            self.mean_tokens += weight * (cost.tokens - self.mean_tokens)

    def ended(self) -> None:
        """Count a call that has ended, in whatever way."""
        self.in_flight -= 1

    def took(self, latency_s: float) -> None:
        """Add a call's duration to the average."""
        self.mean_latency_s += WEIGHT * (latency_s - self.mean_latency_s)
