"""The whole program on a real database, against the simulator behind the real SDK; for integration
tests.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
from typing_extensions import override

from weighbridge.application import Application, open_application
from weighbridge.clock import Clock, SystemClock
from weighbridge.domain.products import ProcessingStatus
from weighbridge.providers.openai import OpenAIProvider
from weighbridge.providers.requests.wishes import Wishes
from weighbridge.service.doctor import examine
from weighbridge.service.queue import start_queue
from weighbridge.settings import load_settings
from weighbridge.simulator.app import create_app
from weighbridge.simulator.config import SimulatorConfig
from weighbridge.steps import STEPS
from weighbridge.store import products
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.wiring import Engine, make_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import timedelta
    from pathlib import Path

    from weighbridge.fetching.source import PicturesByAddress
    from weighbridge.simulator.app import Simulator
    from weighbridge.steps.base import Step
    from weighbridge.store.database import Database

T = TypeVar("T")

AMPLE = SimulatorConfig(requests_per_minute=100_000, tokens_per_minute=1_000_000_000)
"""A provider that never says no."""
TYPE_OF_JSON = {"content-type": "application/json"}


PATIENCE_S = 120.0
"""Ends a test that hangs, and says nothing of how fast anything is: the machine may be busy with
something else.
"""


async def until(
    is_true: Callable[[], bool | Awaitable[bool]], what: str, timeout_s: float = PATIENCE_S
) -> None:
    """Look every few milliseconds until something is so; an AssertionError after `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                with suppress(*DATABASE_ERRORS):  # some tests take it away
                    found = is_true()
                    if found if isinstance(found, bool) else await found:
                        return
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"never came true: {what}") from None


class Wire(httpx2.AsyncBaseTransport):
    """The network between one program and the simulator: it can hold replies back, or answer by
    itself.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator.transport()
        self._open = asyncio.Event()
        self._open.set()
        self.held = 0
        """Replies that are paid for and do not arrive yet."""
        self.instead: Callable[[httpx2.Request], httpx2.Response | None] = lambda _: None
        """Gives the answer to a request in the place of the simulator, or None."""
        self.twist: Callable[[bytes, bytes], bytes] | None = None
        """Makes another reply of the simulator's, given the bodies of request and reply."""
        self.after: Callable[[httpx2.Request], None] = lambda _: None
        """Sees a request that the simulator has answered; what it raises is what arrives."""
        self.headers: dict[str, str] = {}
        """Put on each of the simulator's replies, in the place of its own."""

    def hold(self) -> None:
        """From now on replies wait."""
        self._open.clear()

    def let_go(self) -> None:
        """The replies arrive."""
        self._open.set()

    async def until_held(self, number: int) -> None:
        """Wait until so many replies are held back."""
        await until(lambda: self.held >= number, f"{number} replies held back")

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.instead(request)
        if answer is not None:
            answer.request = request
            return answer
        reply = await self._simulator.handle_async_request(request)
        self.after(request)
        if self.twist is not None:
            body = self.twist(request.content, await reply.aread())
            reply = httpx2.Response(reply.status_code, content=body, headers=TYPE_OF_JSON)
        reply.headers.update(self.headers)
        self.held += 1
        try:
            await self._open.wait()
        finally:
            self.held -= 1
        return reply


@dataclass
class RunningProgram:
    """An open application with its engine, and the simulator that it asks."""

    app: Application
    engine: Engine
    simulator: Simulator
    wire: Wire
    _is_running: bool = field(default=False)

    async def start(self) -> None:
        """Let the queue run and begin to work."""
        await start_queue(self.app.database)
        await self.work()

    async def work(self) -> None:
        """Begin to work, as another worker does: whether the queue runs is left as it is."""
        self._is_running = True
        await self.engine.supervisor.start()

    async def stop(self) -> None:
        """Drain, as SIGINT and SIGTERM do."""
        self._is_running = False
        await self.engine.supervisor.drain()

    async def die(self) -> None:
        """End as if killed: nothing more is written, PostgreSQL sees the connections break."""
        self._is_running = False
        self.app.database.pool.terminate()
        await self.engine.supervisor.abandon()

    async def take_for_dead(self, dead: RunningProgram) -> None:
        """The time has passed after which one that sends no heartbeat counts as dead: nobody waits
        for it here.
        """
        for signs in (
            (
                "UPDATE pgqueuer SET heartbeat = heartbeat - interval '1 hour' WHERE "
                "queue_manager_id = $1"
            ),
            "UPDATE workers SET seen_at = seen_at - interval '1 hour' WHERE id = $1",
        ):
            await self.fetch(signs, dead.engine.supervisor.worker_id)

    async def close(self) -> None:
        """Whatever still runs is cut short."""
        if self._is_running:
            await self.engine.supervisor.abandon()

    async def add(self, *rows: dict[str, Any]) -> None:
        """Insert products directly; `code` alone is enough."""
        async with self.app.database.transaction() as connection:
            for row in rows:
                full = {"name": "Steel bottle", "description": "A stainless steel bottle", **row}
                names = list(full)
                await connection.execute(
                    f"INSERT INTO products ({', '.join(names)})"  # noqa: S608
                    f" VALUES ({', '.join(f'${i}' for i in range(1, len(names) + 1))})",
                    *full.values(),
                )

    async def add_many(self, number: int, **common: Any) -> None:
        """Insert P-001, P-002, …, each with a text of its own, so that no two prompts are alike."""
        await self.add(
            *(
                {
                    "code": f"P-{n:03}",
                    "description": f"A stainless steel bottle, edition {n}",
                    **common,
                }
                for n in range(1, number + 1)
            )
        )

    async def counts(self) -> dict[ProcessingStatus, int]:
        """Products by state."""
        async with self.app.database.pool.acquire() as connection:
            return await products.counts(connection)

    async def until(
        self, *, completed: int = 0, failed: int = 0, timeout_s: float = PATIENCE_S
    ) -> None:
        """Wait until exactly so many products are done and none is in between."""
        wanted = (completed, failed)
        counts: dict[ProcessingStatus, int] = {}

        async def is_done() -> bool:
            nonlocal counts
            counts = await self.counts()
            done = (counts[ProcessingStatus.COMPLETED], counts[ProcessingStatus.FAILED])
            return done == wanted and not self.between(counts)

        try:
            await until(is_done, "", timeout_s)
        except AssertionError:
            raise AssertionError(f"waited for {wanted} completed and failed: {counts}") from None

    @staticmethod
    def between(counts: dict[ProcessingStatus, int]) -> int:
        """How many are neither completed nor failed."""
        return counts[ProcessingStatus.PENDING] + counts[ProcessingStatus.PROCESSING]

    async def until_true(self, sql: str, *arguments: object, timeout_s: float = PATIENCE_S) -> None:
        """Wait until a query says true."""
        await until(lambda: self.app.database.pool.fetchval(sql, *arguments), sql, timeout_s)

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """Look into the database."""
        return list(await self.app.database.pool.fetch(sql, *arguments))

    async def value(self, sql: str, *arguments: object) -> Any:
        """One value out of the database."""
        return await self._seen(lambda: self.app.database.pool.fetchval(sql, *arguments))

    @staticmethod
    async def _seen(look: Callable[[], Awaitable[T]]) -> T:
        """What a look shows: another one, if the test had just cut the connection that it took."""
        found: list[T] = []

        async def has_answer() -> bool:
            found.append(await look())
            return True

        await until(has_answer, "the database answers")
        return found[-1]

    async def assert_sound(self, paid_twice: int = 0) -> None:
        """The database keeps its invariants, and the provider's books say that nothing was paid
        twice.
        """
        examination = await self._seen(lambda: examine(self.app.database))
        assert examination.is_sound, examination.findings
        assert self.simulator.books.products.answered_twice <= paid_twice


@asynccontextmanager
async def program(
    url: str,
    data_dir: Path,
    config: SimulatorConfig = AMPLE,
    *,
    simulator: Simulator | None = None,
    clock: Clock | None = None,
    heartbeat_timeout: timedelta | None = None,
    database: Callable[[Database], Database] = lambda database: database,
    version: Callable[[Application], None] = lambda _: None,
    key: str = "sk-test",
    model: str = "gpt-4.1-mini",
    steps: Sequence[type[Step[Any]]] = STEPS,
    pictures: PicturesByAddress | None = None,
    wishes: Wishes = Wishes(),  # noqa: B008 - immutable
    **settings: Any,
) -> AsyncIterator[RunningProgram]:
    """Everything that `weighbridge serve --simulate` has, without the HTTP server; not yet working.

    A `simulator` that is given is shared with other programs, its books with it. `database` may put
    something around the database that the engine works with, `version` make it another version of
    the program.
    """
    clock = clock or SystemClock()
    simulator = simulator or create_app(config, clock)
    wire = Wire(simulator)
    provider = OpenAIProvider(
        model,
        key,
        "http://simulator.invalid/v1",
        http_client=httpx2.AsyncClient(transport=wire),
        simulated=True,
        wishes=wishes,
    )
    values: dict[str, Any] = {
        "database_url": url,
        "data_dir": data_dir,
        "pacing": "continuous",
        "requests_per_minute": 100_000,
        "tokens_per_minute": 1_000_000_000,
        "reuse_answers": False,
        "variants": False,  # tests often use the same text for many products, and count their calls
        **settings,
    }
    try:
        async with open_application(load_settings(**values), clock, steps) as app:
            app.database = database(app.database)
            version(app)
            engine = await make_engine(app, provider, pictures=pictures)
            if heartbeat_timeout is not None:
                engine.supervisor.heartbeat_timeout = heartbeat_timeout
            running = RunningProgram(app, engine, simulator, wire)
            try:
                yield running
            finally:
                await running.close()
    finally:
        await provider.aclose()
