"""The governor's ways to wait on the event loop, which let work that has begun go first."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.clock import Clock

BUSY_TURN_S: Final = 0.01
"""If a turn of the event loop takes longer than this, other tasks are waiting for it, and no new
calls are begun.
"""
MAX_YIELD_S: Final = 0.5
"""The longest wait for a busy loop, so that the quota is not left unused."""
SENDING_TURNS: Final = 10
"""Number of turns of the event loop after which a call that got a permit has reached the socket."""


async def wait_until_set(event: asyncio.Event, at_most_s: float, clock: Clock) -> None:
    """Wait until `event` is set, but no longer than `at_most_s`."""
    with contextlib.suppress(TimeoutError):
        async with clock.timeout(at_most_s):
            await event.wait()


async def wait_until_sent() -> None:
    """Wait until the calls that just got a permit have been sent."""
    for _ in range(SENDING_TURNS):
        await asyncio.sleep(0)


async def yield_to_loop() -> None:
    """Wait until the event loop is no longer busy, at most `MAX_YIELD_S`: the calls of a whole
    minute's quota at once would keep it busy for seconds.

    This is measured in real time, not by the clock of a simulation: it is the machine that is busy.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    turn_s = BUSY_TURN_S
    while turn_s >= BUSY_TURN_S and loop.time() - began_s < MAX_YIELD_S:
        turn_began_s = loop.time()
        await asyncio.sleep(0)
        turn_s = loop.time() - turn_began_s
