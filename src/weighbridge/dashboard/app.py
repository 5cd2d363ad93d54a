"""Adds the dashboard's pages to the server's application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.dashboard import assets
from weighbridge.dashboard.context import Dashboard
from weighbridge.dashboard.pages import (
    answers,
    audit,
    batches,
    cost,
    factors,
    failures,
    found,
    insights,
    login,
    overview,
    product,
    products,
    review,
    settings,
    upload,
)
from weighbridge.dashboard.problems import ProblemPages

if TYPE_CHECKING:
    from fastapi import FastAPI

    from weighbridge.dashboard.server import ServerContext

PAGES: Final = (
    login,
    overview,
    upload,
    products,
    found,
    answers,
    product,
    review,
    insights,
    failures,
    cost,
    batches,
    audit,
    factors,
    settings,
)
"""The modules of the pages, in the order in which their routes are tried.

A product's code may contain anything, so the routes of a product come after those of the list.
"""


def install_dashboard(app: FastAPI, server: ServerContext) -> None:
    """Add all pages, their files and their error pages to `app`."""
    app.state.dashboard = Dashboard(server)
    app.add_middleware(ProblemPages)
    for module in (assets, *PAGES):
        app.include_router(module.router)
        app.state.routes += module.router.routes
