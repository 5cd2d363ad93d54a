"""Configuration that one command overrides, for its own process only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.limits.limiter import Limits
    from weighbridge.store.queue_state import QueueState


@dataclass(frozen=True, slots=True)
class Overrides:
    """Settings of this process alone; None: as stored."""

    limits: Limits | None = None
    pacing: str | None = None

    def apply(self, state: QueueState) -> QueueState:
        """The state as this process sees it."""
        if self.limits is not None:
            state = replace(
                state,
                requests_per_minute=self.limits.requests_per_minute,
                tokens_per_minute=self.limits.tokens_per_minute,
            )
        return replace(state, pacing=self.pacing) if self.pacing else state
