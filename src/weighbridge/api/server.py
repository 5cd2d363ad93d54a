"""Runs the API and the engine in one process and shuts both down gracefully.

At the first SIGTERM or SIGINT /readyz turns to 503, no more calls begin, and calls in flight finish
and are stored; meanwhile the API goes on answering, so that people can watch. Then it closes. A
second signal ends it at once.
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
"""How many seconds open requests get to finish at shutdown. Event streams are ended first."""
INTERRUPTED: Final = 130
"""Exit code after Ctrl-C."""
BROKEN: Final = 70
"""Exit code when the engine failed."""
BACKLOG: Final = 2048
"""How many connections the operating system holds, at most, until the server accepts them."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers."""

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        yield


async def run_server(
    context: ApiContext, host: str, port: int, pages: InstallPages | None = None
) -> int:
    """Serve until a signal; returns the exit code: 0, 130 after Ctrl-C, 70 when the engine failed.

    `pages` adds the dashboard's pages.

    Raises:
        SettingsError: the server cannot listen on the address.
    """
    # Without tokens, only the check of the host name protects from pages of other sites.
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
    listening = _listening_socket(host, port)
    await asyncio.to_thread(clear_left_behind, context.settings.data_dir, context.clock.now())
    stop_signals = _StopSignals()
    with handling(stop_signals.note_signal):
        events = asyncio.create_task(context.events.run(), name="events")
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="api")
        try:
            await _until_started(server, serving)
            if context.engine is not None:
                await context.engine.start()
            telemetry.info(
                "server_started",
                f"🌐 Listening on http://{_host_in_url(host)}:{port}",
                host=host,
                port=port,
            )
            await _wait_for_first(serving, stop_signals.once.wait(), _engine_ended(context))
            if serving.done():
                await serving
            if not stop_signals.once.is_set():
                context.is_leaving = True
                telemetry.error(
                    "engine_ended", "❌ The engine stopped; the server is shutting down"
                )
                return BROKEN
            await _stop_engine(context, stop_signals)
        finally:
            context.events.close()
            server.should_exit = True
            server.force_exit = stop_signals.twice.is_set()
            await asyncio.gather(serving, return_exceptions=True)
            events.cancel()
            await asyncio.gather(events, return_exceptions=True)
    return INTERRUPTED if stop_signals.first_signal == signal.SIGINT else 0


def _protocol(context: ApiContext) -> type[asyncio.Protocol] | Literal["h11"]:
    """The HTTP protocol for uvicorn: ours with its limits on connections, or h11 on Windows."""
    if sys.platform == "win32":  # there is no httptools; h11 bounds the headers
        return "h11"
    from weighbridge.api.connections import Places, find_spare_places, guarded

    return guarded(Places(context.settings.proxy_networks, spare=find_spare_places()))


def names_of(host: str) -> tuple[str, ...]:
    """The host names by which clients on this machine reach a server that listens on `host`."""
    return (*LOCAL_HOSTS, _host_in_url(host).lower())


def _host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listening_socket(host: str, port: int) -> socket.socket:
    """Raises SettingsError if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}. "
            "Is another server using it? Choose another port with --port."
        ) from error


async def _until_started(server: _Server, serving: asyncio.Task[None]) -> None:
    """Wait until the server accepts requests. Raises SettingsError if it stops before that."""
    while not server.started:
        if serving.done():
            await serving
            raise SettingsError("The server stopped while it was starting. The log says why.")
        await asyncio.sleep(0.01)


async def _stop_engine(context: ApiContext, stop_signals: _StopSignals) -> None:
    """Let the engine's calls in flight finish; give them up at the second signal, or when the
    database is gone, so that nothing can be stored.
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
    await _wait_for_first(draining, stop_signals.twice.wait(), context.database.until_gone())
    if draining.done():
        await draining
        return
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    await context.engine.abandon()


async def _engine_ended(context: ApiContext) -> None:
    """Wait until the engine has failed; for ever if this process has none."""
    if context.engine is None:
        await asyncio.Event().wait()  # for ever
    else:
        await context.engine.ended()


async def _wait_for_first(task: asyncio.Task[None], *others: Coroutine[Any, Any, object]) -> None:
    """Wait until one of these is done; cancels `others`, but lets `task` go on."""
    waiting = {asyncio.create_task(other) for other in others}
    await asyncio.wait({task, *waiting}, return_when=asyncio.FIRST_COMPLETED)
    for other in waiting:
        other.cancel()


class _StopSignals:
    """The signals to stop that were received: `once` is set by the first, `twice` by the second."""

    def __init__(self) -> None:
        self.once = asyncio.Event()
        self.twice = asyncio.Event()
        self.first_signal: signal.Signals | None = None

    def note_signal(self, number: signal.Signals) -> None:
        """Note a signal."""
        if self.first_signal is None:
            self.first_signal = number
            self.once.set()
        else:
            self.twice.set()
