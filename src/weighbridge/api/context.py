"""What the routes need from the program, and the state of the running API.

`cli/` fills an `ApiContext` with what `wiring` made; the routes read it from `request.app.state`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Depends, Request
from pydantic_core import to_json

from weighbridge.service.access.gate import Gate
from weighbridge.service.access.storing import StoringUploads
from weighbridge.service.access.throttle import LoginThrottle
from weighbridge.service.events import EventHub
from weighbridge.service.processing_stats import StatisticsReader
from weighbridge.service.queue import queue_status
from weighbridge.service.shared_look import SharedLook
from weighbridge.service.status_view import status_document

if TYPE_CHECKING:
    from uuid import UUID

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.clock import Clock
    from weighbridge.service.estimates import EstimateBasis
    from weighbridge.service.opening import Database
    from weighbridge.settings import Settings
    from weighbridge.steps import Steps
    from weighbridge.weighing.factors_in_use import FactorsInUse

EXPORTS_AT_ONCE = 4
IMPORTS_AT_ONCE = 2


class EngineControl(Protocol):
    """The methods of the engine's supervisor that a server uses."""

    @property
    def in_flight(self) -> int:
        """Calls in flight in this process."""
        ...

    @property
    def worker_id(self) -> UUID:
        """The id under which this process holds its jobs."""
        ...

    async def start(self) -> None:
        """Start working; returns at once."""
        ...

    async def drain(self) -> None:
        """Start no more calls, let those in flight finish and be stored, then stop."""
        ...

    async def abandon(self) -> None:
        """Stop now; calls in flight are lost."""
        ...

    async def ended(self) -> None:
        """Wait until the engine has stopped by itself, which happens only after a failure."""
        ...


@dataclass(frozen=True, slots=True)
class AnsweringModel:
    """The provider and model that this server's worker uses."""

    provider: str
    model: str
    simulated: bool


@dataclass(slots=True)
class ApiContext:
    """Everything that routes work with. `engine` is None if this process runs no worker."""

    settings: Settings
    clock: Clock
    database: Database
    taxonomy: Taxonomy
    in_use: FactorsInUse
    provenance: AnsweringModel
    engine: EngineControl | None = None
    estimate_basis: EstimateBasis | None = None
    """The questions, prices and limits that the estimate in a file's report rests on; None: reports
    have no estimate.
    """
    is_leaving: bool = False
    """True once the server has been told to stop; /readyz then says that it is not ready."""
    status: SharedLook[bytes] = field(init=False)
    """Gives the answer of GET /api/products/queue-status, as JSON."""
    events: EventHub = field(init=False)
    statistics: StatisticsReader = field(init=False)
    exports: asyncio.Semaphore = field(init=False)
    imports: asyncio.Semaphore = field(init=False)
    storing: StoringUploads = field(init=False, default_factory=StoringUploads)
    gate: Gate = field(init=False)
    throttle: LoginThrottle = field(init=False)

    def __post_init__(self) -> None:
        self.status = SharedLook(self._status)
        self.events = EventHub(self.database, self.clock)
        self.statistics = StatisticsReader(self.database, self.clock)
        self.exports = asyncio.Semaphore(EXPORTS_AT_ONCE)
        self.imports = asyncio.Semaphore(IMPORTS_AT_ONCE)
        self.gate = Gate(self.database, self.settings, self.clock)
        self.throttle = LoginThrottle(self.clock)

    async def _status(self) -> bytes:
        """The present status of the queue as JSON."""
        return to_json(status_document(await queue_status(self.database, self.clock)))

    @property
    def factors(self) -> FactorTable:
        """The factor table as it was when it was last refreshed."""
        return self.in_use.now.table

    @property
    def steps(self) -> Steps:
        """The steps with the material and process lists of these factors."""
        return self.in_use.now.questions.steps

    async def follow_factors(self) -> None:
        """Load the factors that are now in force, if another process has uploaded some."""
        async with self.database.pool.acquire() as connection:
            await self.in_use.refresh(connection)

    @property
    def calls_in_flight(self) -> int:
        """Calls in flight in this process."""
        return self.engine.in_flight if self.engine else 0


async def _context(request: Request) -> ApiContext:
    # Not a plain function: FastAPI would send that to a thread, for every request.
    context: ApiContext = request.app.state.context
    return context


async def _follow_factors(request: Request) -> None:
    context: ApiContext = request.app.state.context
    await context.follow_factors()


FollowFactors = Depends(_follow_factors)
"""The dependency of routes that compute footprints: it calls `follow_factors` before the route
runs.
"""

Context = Annotated[ApiContext, Depends(_context)]
"""A parameter of a route with this type is given the server's ApiContext."""
