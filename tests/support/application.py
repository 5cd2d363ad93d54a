"""The whole program on a real database, against the simulator behind the real SDK; for integration tests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from weighbridge.clock import SystemClock
from weighbridge.domain.products import ProcessingStatus
from weighbridge.providers.openai import OpenAIProvider
from weighbridge.settings import load_settings
from weighbridge.simulator.app import create_app
from weighbridge.store import products
from weighbridge.wiring import Application, Engine, make_engine, open_application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weighbridge.simulator.app import Simulator
    from weighbridge.simulator.config import SimulatorConfig


@dataclass
class RunningProgram:
    """An open application, its engine (not started) and the simulator that it asks."""

    app: Application
    engine: Engine
    simulator: Simulator

    async def add(self, *rows: dict[str, Any]) -> None:
        """Insert products directly; `code` alone is enough."""
        async with self.app.database.transaction() as connection:
            for row in rows:
                full = {"name": "Steel bottle", "description": "A stainless steel bottle", **row}
                names = list(full)
                await connection.execute(
                    f"INSERT INTO products ({', '.join(names)})"
                    f" VALUES ({', '.join(f'${i}' for i in range(1, len(names) + 1))})",
                    *full.values(),
                )

    async def counts(self) -> dict[ProcessingStatus, int]:
        """Products by state."""
        async with self.app.database.pool.acquire() as connection:
            return await products.counts(connection)

    async def until(self, *, completed: int = 0, failed: int = 0, timeout_s: float = 30.0) -> None:
        """Wait until exactly so many products are done."""
        wanted = {ProcessingStatus.COMPLETED: completed, ProcessingStatus.FAILED: failed}
        async with asyncio.timeout(timeout_s):
            while True:
                counts = await self.counts()
                if all(counts[status] == number for status, number in wanted.items()):
                    return
                await asyncio.sleep(0.02)

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """Look into the database."""
        return list(await self.app.database.pool.fetch(sql, *arguments))


@asynccontextmanager
async def program(
    url: str, data_dir: Path, config: SimulatorConfig, **settings: Any
) -> AsyncIterator[RunningProgram]:
    """Everything that `weighbridge serve --simulate` has, without the HTTP server."""
    clock = SystemClock()
    simulator = create_app(config, clock)
    provider = OpenAIProvider(
        "gpt-4.1-mini",
        "sk-test",
        "http://simulator.invalid/v1",
        http_client=httpx2.AsyncClient(transport=httpx2.ASGITransport(app=simulator.app)),
        simulated=True,
    )
    values = {"database_url": url, "data_dir": data_dir, "pacing": "continuous", **settings}
    try:
        async with open_application(load_settings(**values), clock) as app:
            engine = await make_engine(app, provider)
            yield RunningProgram(app, engine, simulator)
    finally:
        await provider.aclose()
