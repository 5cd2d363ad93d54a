"""Looking again and again, for a limited time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from weighbridge.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_S: Final = 0.01


def comes_true(condition: Callable[[], bool], limit_s: float) -> bool:
    """Whether it becomes true within `limit_s`; it is looked at once at least."""
    clock = SystemClock()
    end_s = clock.monotonic_s() + limit_s
    while not condition():
        if clock.monotonic_s() >= end_s:
            return False
        time.sleep(PAUSE_S)
    return True
