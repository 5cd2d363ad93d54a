"""Turns of the event loop: how the governor waits, and gives way to what is begun already."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from weighbridge.clock import Clock

BUSY_TURN_S: Final = 0.01
"""A turn of the event loop that takes longer says that others (the API) wait: no new calls just now."""
LONGEST_TURNS_S: Final = 0.5
"""However busy the loop, the quota is not left unused for longer than this."""
SENDING_TURNS: Final = 10
"""Turns of the event loop in which a call that may go gets to the socket."""


async def until(event: asyncio.Event, at_most_s: float, clock: Clock) -> None:
    """Wait for `event`, but no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with clock.timeout(at_most_s):
            await event.wait()


async def until_sent() -> None:
    """Wait until the calls just admitted are under way."""
    for _ in range(SENDING_TURNS):
        await asyncio.sleep(0)


async def yield_to_loop() -> None:
    """A minute's quota let go at once would keep the loop busy for seconds: first what is begun.

    Time of this machine, not of the clock: it is the machine that is busy.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    turn_s = BUSY_TURN_S
    while turn_s >= BUSY_TURN_S and loop.time() - began_s < LONGEST_TURNS_S:
        turn_began_s = loop.time()
        await asyncio.sleep(0)
        turn_s = loop.time() - turn_began_s
