"""Leaving: not ready first, then calls in flight finish; a second signal stops at once."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tests.support.api import IdleEngine, api_client
from tests.support.application import PATIENCE_S, until
from tests.support.ports import free_port
from weighbridge.api.server import run_server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


class BusyEngine(IdleEngine):
    """An engine whose calls in flight end only when the test says so."""

    def __init__(self) -> None:
        super().__init__(in_flight=2)
        self.began = asyncio.Event()
        self.draining = asyncio.Event()
        self.calls_end = asyncio.Event()

    @override
    async def start(self) -> None:
        await super().start()
        self.began.set()

    @override
    async def drain(self) -> None:
        await super().drain()
        self.draining.set()
        await self.calls_end.wait()


async def test_shutdown_drops_readiness_first_and_waits_for_calls_in_flight(
    database_url: str, tmp_path: Path
) -> None:
    engine = BusyEngine()
    async with api_client(database_url, tmp_path, engine=engine) as client:
        running = asyncio.create_task(run_server(client.context, "127.0.0.1", free_port()))
        await engine.began.wait()
        assert await client.get("/readyz") == {"status": "ready"}
        os.kill(os.getpid(), signal.SIGTERM)
        await engine.draining.wait()
        leaving = await client.http.get("/readyz")
        assert (leaving.status_code, leaving.json()) == (503, {"status": "leaving"})
        assert not running.done()
        engine.calls_end.set()
        assert await asyncio.wait_for(running, PATIENCE_S) == 0
    assert engine.told == ["start", "drain"]


async def test_a_second_signal_stops_without_waiting_for_calls(
    database_url: str, tmp_path: Path
) -> None:
    engine = BusyEngine()
    async with api_client(database_url, tmp_path, engine=engine) as client:
        running = asyncio.create_task(run_server(client.context, "127.0.0.1", free_port()))
        await engine.began.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await engine.draining.wait()
        os.kill(os.getpid(), signal.SIGINT)
        assert await asyncio.wait_for(running, PATIENCE_S) == 130
    assert engine.told == ["start", "drain", "abandon"]


async def test_an_upload_cut_off_by_shutdown_is_told_to_retry(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("weighbridge.api.server.CLOSE_WITHIN_S", 1)
    engine = BusyEngine()
    engine.calls_end.set()
    port = free_port()
    async with api_client(database_url, tmp_path, engine=engine) as client:
        running = asyncio.create_task(run_server(client.context, "127.0.0.1", port))
        await engine.began.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST /api/products/bulk-upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Content-Type: text/csv\r\nContent-Length: 1000000\r\n\r\ncode,name\n".encode()
        )
        await writer.drain()

        async def is_coming_in() -> bool:
            return any((tmp_path / "uploads").glob("*/*"))

        await until(is_coming_in, "the first bytes are in a file")
        os.kill(os.getpid(), signal.SIGTERM)
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"application/problem+json" in answer
        assert b"Send it again" in answer
        assert await asyncio.wait_for(running, PATIENCE_S) == 0
        writer.close()
    assert "Traceback" not in caplog.text


async def test_server_exits_when_the_engine_dies(database_url: str, tmp_path: Path) -> None:
    engine = BusyEngine()
    async with api_client(database_url, tmp_path, engine=engine) as client:
        running = asyncio.create_task(run_server(client.context, "127.0.0.1", free_port()))
        await engine.began.wait()
        engine.broken.set()
        assert await asyncio.wait_for(running, PATIENCE_S) == 70
        leaving = await client.http.get("/readyz")
        assert (leaving.status_code, leaving.json()) == (503, {"status": "leaving"})
    assert engine.told == ["start"]
