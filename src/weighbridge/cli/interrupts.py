"""Stops the engine while calls are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weighbridge.engine.supervisor import Supervisor
    from weighbridge.store.database import Database


async def drain_or_abandon(
    supervisor: Supervisor, again: Coroutine[Any, Any, object], database: Database
) -> None:
    """Finish the calls in flight; give them up as soon as `again` returns (a second Ctrl-C), or the
    database is gone, so that nothing can be stored.
    """
    drained = asyncio.ensure_future(supervisor.drain())
    reasons = [asyncio.ensure_future(again), asyncio.ensure_future(database.until_gone())]
    await asyncio.wait({drained, *reasons}, return_when=asyncio.FIRST_COMPLETED)
    for reason in reasons:
        reason.cancel()
    if drained.done():
        drained.result()
        return
    drained.cancel()
    await asyncio.gather(drained, return_exceptions=True)
    await supervisor.abandon()
