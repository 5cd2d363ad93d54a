"""What pages need of the program. The server's own context has it all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Depends, Request

from weighbridge.service.access.gate import Principal

if TYPE_CHECKING:
    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.clock import Clock
    from weighbridge.dashboard.live import LiveBoard
    from weighbridge.service.access.gate import Gate
    from weighbridge.service.access.throttle import LoginThrottle
    from weighbridge.service.events import EventHub
    from weighbridge.service.processing_stats import StatisticsReader
    from weighbridge.settings import Settings
    from weighbridge.store.database import Database


class Provenance(Protocol):
    """Who answers the calls of this server's worker."""

    @property
    def provider(self) -> str:
        """Its name."""
        ...

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether the built-in simulator answers."""
        ...


class ServerContext(Protocol):
    """The server's context, as far as pages use it."""

    settings: Settings
    clock: Clock
    database: Database
    taxonomy: Taxonomy
    events: EventHub
    statistics: StatisticsReader
    gate: Gate
    throttle: LoginThrottle

    @property
    def provenance(self) -> Provenance:
        """Who answers."""
        ...


class Dashboard:
    """What the pages of one server share."""

    def __init__(self, server: ServerContext, live: LiveBoard) -> None:
        self.server = server
        self.live = live


async def _dashboard(request: Request) -> Dashboard:
    # Not a plain function: FastAPI would send that to a thread, for every request.
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard


async def _principal(request: Request) -> Principal:
    """Who asks; `RequireAccess` has let them in."""
    principal: Principal = request.state.principal
    return principal


Pages = Annotated[Dashboard, Depends(_dashboard)]
"""Annotate a page's parameter with this to get what pages share."""
Visitor = Annotated[Principal, Depends(_principal)]
"""Annotate a page's parameter with this to know who asks."""
