"""The dashboard put together: `install_dashboard` adds its pages to the server's application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.dashboard import assets
from weighbridge.dashboard.context import Dashboard
from weighbridge.dashboard.live import LiveBoard
from weighbridge.dashboard.pages import login, overview

if TYPE_CHECKING:
    from fastapi import FastAPI

    from weighbridge.dashboard.server import ServerContext

ROUTERS: Final = (assets.router, login.router, overview.router)


def install_dashboard(app: FastAPI, server: ServerContext) -> None:
    """Add the pages."""
    app.state.dashboard = Dashboard(server, LiveBoard(server))
    for router in ROUTERS:
        app.include_router(router)
        app.state.routes += router.routes
