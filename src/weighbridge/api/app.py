"""Puts the HTTP application together: routes, error handling, security. `server.py` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from weighbridge import __version__
from weighbridge.api.access import BehindProxy, RecordActions, RequireAccess
from weighbridge.api.document import complete_document
from weighbridge.api.errors import install_error_handlers, problem_responses
from weighbridge.api.leaving import AnswerWhenCutOff
from weighbridge.api.routes import (
    access,
    budgets,
    catalogue,
    corrections,
    desk_files,
    docs,
    events,
    factors,
    figures,
    health,
    products,
    queue,
    statistics,
)
from weighbridge.api.security import RefuseOtherSites, SecurityHeaders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weighbridge.api.context import ApiContext

    InstallPages = Callable[[FastAPI, ApiContext], None]

DESCRIPTION: Final = (
    "Upload a product catalogue, get a traceable carbon footprint for every product. "
    "Errors are problem details (RFC 9457)."
)
# Error statuses that any route may answer with: a malformed request, no token, a page of another
# site, a wrong parameter, no database.
_USUAL_ERRORS: Final = (400, 401, 403, 422, 503)


def create_api(
    context: ApiContext, *, hosts: Sequence[str] = (), pages: InstallPages | None = None
) -> FastAPI:
    """The application for this context. `hosts` are the host names it accepts; empty means any.

    `pages` is called to add the dashboard's pages.
    """
    app = make_documented_app()
    app.state.context = context
    install_error_handlers(app)
    _protect(app, context, hosts)
    if pages is not None:
        pages(app, context)
    return app


def make_documented_app() -> FastAPI:
    """An application with all routes and the OpenAPI document, but without a context."""
    app = FastAPI(
        title="Weighbridge",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    work = (
        queue,
        budgets,
        access,
        statistics,
        catalogue,
        corrections,
        desk_files,
        factors,
        figures,
        products,
        events,
    )
    others = (health, docs)
    for module in work:
        app.include_router(module.router, responses=problem_responses(*_USUAL_ERRORS))
    for module in others:
        app.include_router(module.router)
    app.state.routes = [route for module in (*work, *others) for route in module.router.routes]
    complete_document(app)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _protect(app: FastAPI, context: ApiContext, hosts: Sequence[str]) -> None:
    """Add the middleware, innermost first: the last one added handles a request first."""
    settings = context.settings
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    app.add_middleware(RecordActions, database=context.database)
    app.add_middleware(RequireAccess, gate=context.gate, throttle=context.throttle)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
        )
    app.add_middleware(RefuseOtherSites, hosts=hosts, origins=origins)
    app.add_middleware(AnswerWhenCutOff, context=context)
    app.add_middleware(SecurityHeaders)
    if settings.proxy_networks:
        app.add_middleware(BehindProxy, networks=settings.proxy_networks)
