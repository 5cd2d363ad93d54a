"""Waits for a condition, for a limited time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from weighbridge.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_S: Final = 0.01


def wait_until(condition: Callable[[], bool], limit_s: float) -> bool:
    """Wait until the condition is true; False if it is not within `limit_s` seconds. It is tested
    at least once.
    """
    clock = SystemClock()
    end_s = clock.monotonic_s() + limit_s
    while not condition():
        if clock.monotonic_s() >= end_s:
            return False
        time.sleep(PAUSE_S)
    return True
