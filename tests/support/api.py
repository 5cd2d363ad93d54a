"""The real application over a real database, driven in process over ASGI; for API tests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2

from weighbridge.api.app import create_api
from weighbridge.api.context import AnsweringModel, ApiContext
from weighbridge.application import factors_in_use
from weighbridge.clock import SystemClock
from weighbridge.dashboard.app import install_dashboard
from weighbridge.factor_sources.bundled import load_taxonomy
from weighbridge.settings import load_settings
from weighbridge.steps import STEPS
from weighbridge.store import queue_state
from weighbridge.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from fastapi import FastAPI

    from weighbridge.steps.base import Step


class IdleEngine:
    """An engine that makes no calls: it says that some are in flight, and remembers what it was
    told.
    """

    def __init__(self, in_flight: int = 0) -> None:
        self.in_flight = in_flight
        self.worker_id: UUID = uuid4()
        self.told: list[str] = []
        self.started = asyncio.Event()
        self.broken = asyncio.Event()
        """Set it, and the engine has ended by itself."""

    async def start(self) -> None:
        self.told.append("start")
        self.started.set()

    async def drain(self) -> None:
        self.told.append("drain")

    async def abandon(self) -> None:
        self.told.append("abandon")

    async def ended(self) -> None:
        await self.broken.wait()


class ApiClient:
    """A client of the application, and a look behind it."""

    def __init__(self, app: FastAPI, context: ApiContext, http: httpx2.AsyncClient) -> None:
        self.app = app
        self.context = context
        self.http = http

    async def get(self, path: str, **options: Any) -> Any:
        """GET that must succeed; returns the JSON."""
        response = await self.http.get(path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    async def add_products(self, count: int, *, status: str = "pending", prefix: str = "P") -> None:
        """Put products into the database, behind the API's back."""
        await self.context.database.pool.execute(
            "INSERT INTO products (code, name, description, status, completed_at) SELECT $1 || "
            "lpad(n::text, 5, '0'), 'Steel bottle ' || n, 'Stainless steel, 500 ml', $2, CASE "
            "WHEN $2 = 'completed' THEN now() END FROM generate_series(1, $3::int) n",
            prefix,
            status,
            count,
        )

    async def execute(self, sql: str, *arguments: object) -> None:
        """Change the database, behind the API's back."""
        await self.context.database.pool.execute(sql, *arguments)


@asynccontextmanager
async def api_client(
    url: str,
    data_dir: Path,
    *,
    engine: IdleEngine | None = None,
    hosts: Sequence[str] = (),
    steps: Sequence[type[Step[Any]]] = STEPS,
    **settings: Any,
) -> AsyncIterator[ApiClient]:
    """The application, its events running, on the database at `url`."""
    loaded = load_settings(database_url=url, data_dir=data_dir, **settings)
    database = await open_database(url, data_dir, pool_size=8)
    async with database.transaction() as connection:
        await queue_state.seed(
            connection,
            {
                "batch_size": loaded.batch_size,
                "batch_delay_ms": loaded.batch_delay_ms,
                "max_concurrent_requests": loaded.max_concurrent_requests,
                "pacing": loaded.pacing,
                "requests_per_minute": loaded.requests_per_minute,
                "tokens_per_minute": loaded.tokens_per_minute,
            },
        )
    in_use = factors_in_use(loaded, steps)
    async with database.pool.acquire() as connection:
        await in_use.refresh(connection)
    context = ApiContext(
        settings=loaded,
        clock=SystemClock(),
        database=database,
        taxonomy=load_taxonomy(),
        in_use=in_use,
        provenance=AnsweringModel("simulator", "gpt-4.1-mini", simulated=True),
        engine=engine,
    )
    app = create_api(context, hosts=hosts, pages=install_dashboard)
    events = asyncio.create_task(context.events.run())
    try:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8000"
        ) as http:
            yield ApiClient(app, context, http)
    finally:
        context.events.close()
        events.cancel()
        await asyncio.gather(events, return_exceptions=True)
        await database.close()
