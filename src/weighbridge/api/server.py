"""Runs the API and the engine in one process and shuts both down gracefully.

First SIGTERM or SIGINT: not ready any more, no call begins, calls in flight finish and are stored;
the API goes on answering meanwhile, so that people can watch. Then it closes. A second signal ends
at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, Literal

import uvicorn
from typing_extensions import override

from weighbridge import telemetry
from weighbridge.api.app import create_api
from weighbridge.api.security import LOCAL_HOSTS
from weighbridge.errors import SettingsError
from weighbridge.plain_text import counted
from weighbridge.service.upkeep.scratch import clear_left_behind
from weighbridge.signals import handling

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from weighbridge.api.app import InstallPages
    from weighbridge.api.context import ApiContext

CLOSE_WITHIN_S: Final = 5
"""Time that open requests get to finish at shutdown. Event streams are ended first."""
INTERRUPTED: Final = 130
BROKEN: Final = 70
BACKLOG: Final = 2048


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers."""

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        yield


async def run_server(
    context: ApiContext, host: str, port: int, pages: InstallPages | None = None
) -> int:
    """Serve until a signal, with these pages; returns the exit code: 0, 130 after Ctrl-C, 70 when
    the engine broke.

    Raises:
        SettingsError: cannot listen on the address.
    """
    # Without a token we listen on this machine only, and the host name is the only protection from
    # pages that bring a name of their own.
    hosts = names_of(host) if await context.gate.is_open() else ()
    server = _Server(
        uvicorn.Config(
            create_api(context, hosts=hosts, pages=pages),
            host=host,
            port=port,
            log_config=None,
            lifespan="off",  # there is nothing to do in it, and ended by force it shows a traceback
            access_log=False,
            http=_protocol(context),
            proxy_headers=False,  # WEIGHBRIDGE_TRUSTED_PROXIES says whose are believed
            server_header=False,
            timeout_graceful_shutdown=CLOSE_WITHIN_S,
        )
    )
    listening = _listen(host, port)
    await asyncio.to_thread(clear_left_behind, context.settings.data_dir, context.clock.now())
    asked = _AskedToStop()
    with handling(asked.hear):
        events = asyncio.create_task(context.events.run(), name="events")
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="api")
        try:
            await _until_started(server, serving)
            if context.engine is not None:
                await context.engine.start()
            telemetry.info(
                "server_started",
                f"🌐 Listening on http://{_in_address(host)}:{port}",
                host=host,
                port=port,
            )
            await _first(serving, asked.once.wait(), _engine_ended(context))
            if serving.done():
                await serving
            if not asked.once.is_set():
                context.is_leaving = True
                telemetry.error(
                    "engine_ended", "❌ The engine stopped; the server is shutting down"
                )
                return BROKEN
            await _leave(context, asked)
        finally:
            context.events.close()
            server.should_exit = True
            server.force_exit = asked.twice.is_set()
            await asyncio.gather(serving, return_exceptions=True)
            events.cancel()
            await asyncio.gather(events, return_exceptions=True)
    return INTERRUPTED if asked.first_signal == signal.SIGINT else 0


def _protocol(context: ApiContext) -> type[asyncio.Protocol] | Literal["h11"]:
    if sys.platform == "win32":  # there is no httptools; h11 bounds the headers
        return "h11"
    from weighbridge.api.connections import Places, find_spare_places, guarded

    return guarded(Places(context.settings.proxy_networks, spare=find_spare_places()))


def names_of(host: str) -> tuple[str, ...]:
    """The host names by which clients on this machine reach a server listening on `host`."""
    return (*LOCAL_HOSTS, _in_address(host).lower())


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}. "
            "Is another server using it? Choose another port with --port."
        ) from error


async def _until_started(server: _Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        if serving.done():
            await serving
            raise SettingsError("The server stopped while it was starting. The log says why.")
        await asyncio.sleep(0.01)


async def _leave(context: ApiContext, asked: _AskedToStop) -> None:
    """Drain the engine, or abandon it at the second signal and when nothing can be stored any
    more.
    """
    context.is_leaving = True
    if context.engine is None:
        return
    telemetry.info(
        "server_leaving",
        f"🛬 Finishing {counted(context.engine.in_flight, 'call')} in flight; "
        "a second signal stops at once",
        calls_in_flight=context.engine.in_flight,
    )
    draining = asyncio.create_task(context.engine.drain(), name="drain")
    await _first(draining, asked.twice.wait(), context.database.until_gone())
    if draining.done():
        await draining
        return
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    await context.engine.abandon()


async def _engine_ended(context: ApiContext) -> None:
    if context.engine is None:
        await asyncio.Event().wait()  # for ever
    else:
        await context.engine.ended()


async def _first(task: asyncio.Task[None], *others: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of these; the task keeps running."""
    waiting = {asyncio.create_task(other) for other in others}
    await asyncio.wait({task, *waiting}, return_when=asyncio.FIRST_COMPLETED)
    for other in waiting:
        other.cancel()


class _AskedToStop:
    """The signals received so far."""

    def __init__(self) -> None:
        self.once = asyncio.Event()
        self.twice = asyncio.Event()
        self.first_signal: signal.Signals | None = None

    def hear(self, number: signal.Signals) -> None:
        """A signal has come."""
        if self.first_signal is None:
            self.first_signal = number
            self.once.set()
        else:
            self.twice.set()
