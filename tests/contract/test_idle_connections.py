"""Servers close a connection that idles for long, many after five seconds. A request on one that
is just being closed is lost, and a process that is kept from running meets all of them at once.
"""

from __future__ import annotations

import asyncio
import time

import httpx2
import pytest

from tests.support.killed_run import SimulatorServer
from weighbridge.providers.network import Network
from weighbridge.providers.wire import Address

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

CALLS = 20
CLOSES_IDLE_AFTER_S = 5.0
"""As uvicorn, gunicorn, Sanic and Node.js (up to 25) do unless they are told otherwise."""
SHORT_OF_IT_S = (0.0, 0.3)
"""Before and after the server closes what idles; the second is what a busy machine comes to."""


@pytest.mark.parametrize("late_s", SHORT_OF_IT_S)
async def test_no_request_is_lost_after_the_process_was_kept_from_running(late_s: float) -> None:
    with SimulatorServer() as server:
        base = f"http://127.0.0.1:{server.port}"
        books = Address(f"{base}/simulator/books", {})
        network = Network(f"{base}/v1", httpx2.Timeout(30.0))

        async def ask() -> int:
            return (await network.post(books, b"{}" * 40_000, 30.0)).status

        try:
            first = await asyncio.gather(*(ask() for _ in range(CALLS)))
            time.sleep(CLOSES_IDLE_AFTER_S + late_s)  # noqa: ASYNC251 - nothing runs meanwhile
            again = await asyncio.gather(*(ask() for _ in range(CALLS)), return_exceptions=True)
        finally:
            await network.aclose()
    assert again == first
