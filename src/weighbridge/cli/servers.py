"""The commands `serve`, `worker` and `simulator`, which run until stopped."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from weighbridge import telemetry
from weighbridge.cli.console import (
    SMALL_GARBAGE_PORTION,
    DataDirOption,
    SimulateOption,
    StepsOption,
    StoreOption,
    collect_garbage_rarely,
    err,
    make_loop,
    run_async,
)
from weighbridge.cli.interrupts import drain_or_abandon
from weighbridge.cli.notices import say_notices
from weighbridge.errors import SettingsError
from weighbridge.plain_text import counted
from weighbridge.settings import Settings, load_settings
from weighbridge.signals import handling

if TYPE_CHECKING:
    from weighbridge.application import Application
    from weighbridge.service.access.gate import Gate
    from weighbridge.simulator.config import SimulatorConfig
    from weighbridge.wiring import Engine


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("worker")(worker)
    app.command("simulator")(simulator)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8000,
    simulate: SimulateOption = False,
    steps: StepsOption = None,
    store_at_provider: StoreOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Run dashboard, API and a worker in one process."""
    settings = load_settings(data_dir=data_dir, store_at_provider=store_at_provider)
    telemetry.configure_logging(settings.log_format, settings.log_level)
    raise typer.Exit(run_async(_serve(settings, host, port, simulate, steps)))


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _require_token_unless_local(host: str, gate: Gate) -> None:
    """Raises SettingsError for an address that other machines reach while there is no token,
    because the API can spend money and delete products.
    """
    if not _is_loopback(host) and await gate.is_open():
        raise SettingsError(
            f"Listening on {host} without a token would let anyone who can reach it spend your "
            "money. Make one with `weighbridge token add NAME`, or set WEIGHBRIDGE_API_TOKEN, or "
            "listen on 127.0.0.1."
        )


def _simulator_config(settings: Settings, simulate: bool) -> SimulatorConfig | None:
    """The simulator's configuration if it is to be used, else None."""
    from weighbridge.wiring import SIMULATED_LIMITS, simulator_config

    return simulator_config(settings, SIMULATED_LIMITS) if simulate else None


@asynccontextmanager
async def _engine(
    settings: Settings, simulate: bool, steps: str | None
) -> AsyncIterator[tuple[Application, Engine]]:
    """(application, engine) for a worker; the provider is checked, the engine not started yet."""
    from weighbridge.application import open_application
    from weighbridge.service.queue import choose_steps
    from weighbridge.wiring import make_engine, open_provider

    async with (
        open_provider(settings, _simulator_config(settings, simulate)) as provider,
        open_application(settings) as app,
    ):
        await provider.check()
        say_notices(provider)
        await choose_steps(app.database, steps)
        engine = await make_engine(app, provider)
        collect_garbage_rarely()
        yield app, engine


async def _serve(
    settings: Settings, host: str, port: int, simulate: bool, steps: str | None
) -> int:
    """Serve until a signal; returns the exit code. The engine runs in a thread of its own."""
    from weighbridge.api.context import AnsweringModel, ApiContext
    from weighbridge.api.server import run_server
    from weighbridge.application import estimate_basis, open_application
    from weighbridge.dashboard.app import install_dashboard
    from weighbridge.engine.engine_thread import EngineThread, LoopThread
    from weighbridge.service.queue import choose_steps
    from weighbridge.wiring import make_engine, open_provider

    async with (
        LoopThread("engine", make_loop) as thread,
        thread.entered(open_provider(settings, _simulator_config(settings, simulate))) as provider,
        open_application(settings) as app,
        thread.entered(app.database.again()) as database,
    ):
        await thread.run(provider.check())
        say_notices(provider)
        await choose_steps(app.database, steps)
        engine = await thread.run(make_engine(replace(app, database=database), provider))
        context = ApiContext(
            settings=app.settings,
            clock=app.clock,
            database=app.database,
            taxonomy=app.taxonomy,
            in_use=app.in_use,
            provenance=AnsweringModel(provider.name, provider.model, provider.simulated),
            engine=EngineThread(thread, engine.supervisor),
            estimate_basis=estimate_basis(app.settings),
        )
        await _require_token_unless_local(host, context.gate)
        collect_garbage_rarely(SMALL_GARBAGE_PORTION)  # requests wait during a collection
        return await run_server(context, host, port, install_dashboard)


def worker(
    simulate: SimulateOption = False,
    steps: StepsOption = None,
    store_at_provider: StoreOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Run another worker on the same database. Ctrl-C finishes its calls in flight and stops."""
    settings = load_settings(data_dir=data_dir, store_at_provider=store_at_provider)
    telemetry.configure_logging(settings.log_format, settings.log_level)
    raise typer.Exit(run_async(_work(settings, simulate, steps)))


async def _work(settings: Settings, simulate: bool, steps: str | None) -> int:
    """Work until Ctrl-C, then finish the calls in flight; a second Ctrl-C gives them up. Returns
    the exit code.
    """
    async with _engine(settings, simulate, steps) as (app, engine):
        interrupted: asyncio.Queue[None] = asyncio.Queue()
        with handling(lambda _: interrupted.put_nowait(None)):
            await engine.supervisor.start()
            provider = engine.provider
            telemetry.info(
                "worker_started",
                f"🌐 Working with {provider.name} ({provider.model}). Ctrl-C finishes the calls in flight and stops.",
            )
            await interrupted.get()
            telemetry.info(
                "worker_leaving",
                f"🛬 Finishing {counted(engine.supervisor.in_flight, 'call')} in flight (Ctrl-C again stops at once) …",
            )
            await drain_or_abandon(engine.supervisor, interrupted.get(), app.database)
    return 0


StoredOption = Annotated[
    Literal["finished", "attended", "nothing", "unknown"],
    typer.Option(
        help="What becomes of a call with `store` whose client disconnects. finished: it is finished and stored; "
        "attended: it is dropped. nothing: no call is ever stored. unknown: stored calls cannot be listed."
    ),
]
BatchDelayOption = Annotated[float, typer.Option(min=0, help="Seconds until a batch is completed.")]
BatchExpireOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share of batches that expire before they are completed."),
]


def simulator(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8001,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    rpm: Annotated[
        int | None, typer.Option(min=1, help="Requests per minute; unlimited if not set.")
    ] = None,
    tpm: Annotated[
        int | None, typer.Option(min=1, help="Tokens per minute; unlimited if not set.")
    ] = None,
    latency: Annotated[
        float, typer.Option(min=0, help="Median duration of a call in seconds.")
    ] = 0.5,
    burst: Annotated[
        float,
        typer.Option(
            min=0.1, help="How many seconds' worth of --rpm and --tpm may be used at once."
        ),
    ] = 60.0,
    faults: Annotated[
        str,
        typer.Option(help="Faults to inject, for example rate=0.02,error500=0.01,outage=120-180."),
    ] = "",
    stored: StoredOption = "finished",
    list_delay: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds before a stored call appears in the list of stored calls."
        ),
    ] = 0.0,
    batch_delay: BatchDelayOption = 60.0,
    batch_expire: BatchExpireOption = 0.0,
    key: Annotated[
        str | None, typer.Option("--key", help="API key to accept; any key if not set.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same faults and latencies.")
    ] = 0,
) -> None:
    """Run the simulated provider as a server; set OPENAI_BASE_URL to http://HOST:PORT/v1."""
    from weighbridge.simulator.app import serve as serve_simulator
    from weighbridge.simulator.config import Keeping, SimulatorConfig, parse_faults

    config = SimulatorConfig(
        requests_per_minute=rpm,
        tokens_per_minute=tpm,
        latency_s=latency,
        burst_s=burst,
        faults=parse_faults(faults),
        keeping=Keeping(stored),
        list_delay_s=list_delay,
        batch_delay_s=batch_delay,
        batch_expire=batch_expire,
        api_key=key,
        seed=seed,
    )
    err.print(
        f"Simulated provider on http://{host}:{port}/v1 (set OPENAI_BASE_URL to this address, "
        "and OPENAI_API_KEY to anything).",
    )
    serve_simulator(config, host, port)
