"""What the standard library does not say about asyncio tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def retrieve_error(done: asyncio.Future[Any]) -> None:
    """Retrieve the error of a task that perhaps nobody awaits any more; asyncio would log it.

    A callback for `add_done_callback`.
    """
    if not done.cancelled():
        done.exception()
