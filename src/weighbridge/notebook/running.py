"""Runs a catalogue without a terminal: imports it, processes it, and reads the results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from weighbridge.application import open_application
from weighbridge.cli.interrupts import drain_or_abandon
from weighbridge.ingest.decisions import ReadOptions
from weighbridge.ingest.isolation.reading import OpenCatalogue
from weighbridge.notebook.tables import WeighedProducts, read_results
from weighbridge.service.access.audit import UPLOADED, record_command
from weighbridge.service.budgets import capped
from weighbridge.service.evaluation.questionnaires import load_recording
from weighbridge.service.imports import import_catalogue
from weighbridge.service.products import choose_what_to_ask
from weighbridge.service.queue import start_queue
from weighbridge.service.statistics import progress
from weighbridge.store.overrides import Overrides
from weighbridge.wiring import SIMULATED_LIMITS, make_engine, open_provider, simulator_config

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from weighbridge.application import Application
    from weighbridge.engine.supervisor import Supervisor
    from weighbridge.service.imports import Imported
    from weighbridge.settings import Settings

LOOK_EVERY_S: Final = 0.25
"""Time between two checks of the progress of a run."""


async def weigh(
    settings: Settings,
    file: Path,
    answers: Path | None,
    *,
    simulate: bool,
    budget_usd: float | None,
) -> WeighedProducts:
    """Import the file, process its products and read their results.

    `answers` is a recording to replay; `simulate` asks the simulator; `budget_usd` is the most that
    this catalogue may cost.
    """
    recording = load_recording(answers) if answers is not None else None
    simulate = simulate or recording is not None
    limits = SIMULATED_LIMITS if simulate and not settings.limits_are_explicit else None
    simulator = simulator_config(settings, limits) if simulate else None
    async with open_provider(settings, simulator, recording=recording) as provider:
        await provider.check()
        async with open_application(settings) as app:
            imported = await _import(app, file)
            scope = imported.result.import_id
            await choose_what_to_ask(app.database, scope, redo=False, simulated=provider.simulated)
            overrides = Overrides(limits, None)
            await start_queue(app.database)
            async with capped(app.database, file, budget_usd):
                engine = await make_engine(app, provider, scope=scope, overrides=overrides)
                stopped = await _process(app, engine.supervisor, scope, overrides)
            return await read_results(app, scope=scope, rejected_of=scope, stopped_because=stopped)


async def _import(app: Application, file: Path) -> Imported:
    """Import the file and record that in the audit log."""
    options = ReadOptions(limits=app.settings.field_limits)
    with await asyncio.to_thread(OpenCatalogue, file, options) as catalogue:
        imported = await import_catalogue(app.database, catalogue, scoped=True)
    await record_command(app.database, UPLOADED, file.name, imported.result.counts)
    return imported


async def _process(
    app: Application, supervisor: Supervisor, scope: UUID, overrides: Overrides
) -> str | None:
    """Process all products of the import `scope`. Returns why the run ended early; None if all are
    done.

    If it is cancelled, it finishes the calls in flight first, whose answers are billed anyway.
    """
    await supervisor.start()
    try:
        return await _wait_until_over(app, supervisor, scope, overrides)
    finally:
        await drain_or_abandon(supervisor, asyncio.Event().wait(), app.database)


async def _wait_until_over(
    app: Application, supervisor: Supervisor, scope: UUID, overrides: Overrides
) -> str | None:
    """Wait until all products of the import are done (None), or return why the run ended early."""
    since = app.clock.now()
    while True:
        look = await progress(
            app.database,
            app.clock,
            scope=scope,
            since=since,
            elapsed_s=0.0,
            waited_s=0.0,
            done_before=0,
            overrides=overrides,
        )
        if look.is_done:
            return None
        if supervisor.over_budget:
            return supervisor.over_budget
        if not look.status.state.running:
            return look.status.state.paused_reason or "the queue was stopped"
        await app.clock.sleep(LOOK_EVERY_S)
