"""What the pages of a server share, and the types by which a page's function is given it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Request

from weighbridge.dashboard.live import LiveBoard
from weighbridge.dashboard.rendering import redirect
from weighbridge.service.access.gate import Principal
from weighbridge.service.views.insights import read_insights
from weighbridge.service.views.marks import MarksReader
from weighbridge.service.views.patient_look import PatientLook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi.responses import Response

    from weighbridge.dashboard.server import ServerContext

INSIGHTS_FRESH_FOR_S: Final = 10.0
"""How long insights are reused, at least, before they are worked out again."""


class Dashboard:
    """What the pages of one server share."""

    def __init__(self, server: ServerContext) -> None:
        self.server = server
        self.live = LiveBoard(server)
        self.insights = PatientLook(
            lambda: read_insights(server.database, server.factors),
            server.clock,
            fresh_for_s=INSIGHTS_FRESH_FOR_S,
        )
        self.marks = MarksReader(server.database, server.clock)


async def _dashboard(request: Request) -> Dashboard:
    # Not a plain function: FastAPI would send that to a thread, for every request.
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard


async def _principal(request: Request) -> Principal:
    """The user who sent the request, as `RequireAccess` has identified them."""
    principal: Principal = request.state.principal
    return principal


Pages = Annotated[Dashboard, Depends(_dashboard)]
"""A parameter of a page with this type is given the server's Dashboard."""
Visitor = Annotated[Principal, Depends(_principal)]
"""A parameter of a page with this type is given the user who sent the request."""


def note_action(
    request: Request,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Set the entry that the audit log gets if this request succeeds."""
    request.state.audit = {"action": action, "subject": subject, "detail": dict(detail or {})}


def nothing_done(request: Request, address: str, said: str) -> Response:
    """The way to a page that says why nothing was done; the audit log gets no entry."""
    request.state.audit = {"nothing": True}
    return redirect(address, said)
