"""The pause between batches, measured by the monotonic clock.

The time stored for the next batch is one of the wall clock, for people and other processes. When a
dispatcher first reads it, it turns it into a time to wait, at most the configured pause: so if the
wall clock is set back by hours, the wait is one pause longer at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.clock import Clock
    from weighbridge.store.queue_state import QueueState


class BatchWait:
    """The pause before the next batch; one object per dispatcher."""

    def __init__(self) -> None:
        self._seen: datetime | None = None
        self._until_s = 0.0

    def left_s(self, state: QueueState, clock: Clock) -> float:
        """Seconds until the next batch may be taken; 0 if it may be taken now."""
        if state.next_batch_at is None:
            self._seen = None
            return 0.0
        now_s = clock.monotonic_s()
        if state.next_batch_at != self._seen:
            self._seen = state.next_batch_at
            stated_s = (state.next_batch_at - clock.now()).total_seconds()
            self._until_s = now_s + min(stated_s, state.batch_delay_ms / 1000)
        return max(0.0, self._until_s - now_s)
