"""Yielding to the event loop: how the governor waits, and lets work that has begun go first."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.clock import Clock

BUSY_TURN_S: Final = 0.01
"""A turn of the event loop that takes longer means that others are waiting: no new calls just now.
"""
MAX_YIELD_S: Final = 0.5
"""However busy the loop, the quota is not left unused for longer than this."""
SENDING_TURNS: Final = 10
"""Turns of the event loop in which a permitted call reaches the socket."""


async def until(event: asyncio.Event, at_most_s: float, clock: Clock) -> None:
    """Wait for `event`, but no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with clock.timeout(at_most_s):
            await event.wait()


async def until_sent() -> None:
    """Wait until the calls that just got a permit are on their way."""
    for _ in range(SENDING_TURNS):
        await asyncio.sleep(0)


async def yield_to_loop() -> None:
    """Let work that has begun go first: a minute's quota in one burst would keep the loop busy for
    seconds.

    Measured in real time, not the clock's: it is the machine that is busy.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    turn_s = BUSY_TURN_S
    while turn_s >= BUSY_TURN_S and loop.time() - began_s < MAX_YIELD_S:
        turn_began_s = loop.time()
        await asyncio.sleep(0)
        turn_s = loop.time() - turn_began_s
