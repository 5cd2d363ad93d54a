"""Runs `weighbridge run`: import, check, process with a live display, export, report."""

from __future__ import annotations

import asyncio
import sys
from heapq import nlargest
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from rich.live import Live

from weighbridge import telemetry
from weighbridge.application import Application, estimate_basis, open_application
from weighbridge.cli.console import (
    batch_words,
    collect_garbage_rarely,
    duration,
    err,
    money,
    out,
    price_range,
    print_json,
)
from weighbridge.cli.importing import record_export, record_import, say_import, write_row_files
from weighbridge.cli.interrupts import drain_or_abandon
from weighbridge.cli.notices import say_notices
from weighbridge.cli.preflight import check_results_can_be_written, check_room
from weighbridge.cli.reading import print_report, settle_doubts
from weighbridge.cli.terminal.display import (
    MOST_NOTES,
    MOST_ROWS,
    RECORDED_NOTE,
    SIMULATED_NOTE,
    notes_worth_reading,
    progress_line,
    progress_panel,
    results_table,
)
from weighbridge.cli.terminal.streams import is_behind
from weighbridge.domain.calls import Lane
from weighbridge.domain.products import ProcessingStatus
from weighbridge.domain.recordings import RECORDED
from weighbridge.errors import DatabaseUnavailable, InputError, NoBatchApi
from weighbridge.export import file_name
from weighbridge.ingest.isolation.reading import OpenCatalogue
from weighbridge.plain_text import counted
from weighbridge.providers.base import why_no_batches
from weighbridge.service.budgets import capped
from weighbridge.service.estimates import Estimator
from weighbridge.service.evaluation.questionnaires import load_recording
from weighbridge.service.imports import import_catalogue, inspect_catalogue
from weighbridge.service.products import choose_what_to_ask
from weighbridge.service.queue import choose_steps, start_queue
from weighbridge.service.results import Exported, export_results, iterate_results
from weighbridge.service.statistics import Progress, progress
from weighbridge.settings import Settings
from weighbridge.signals import handling
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.overrides import Overrides
from weighbridge.wiring import (
    SIMULATED_LIMITS,
    Engine,
    make_engine,
    open_provider,
    simulator_config,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from weighbridge.cli.reading import RunOptions
    from weighbridge.engine.supervisor import Supervisor
    from weighbridge.export.base import ResultRow
    from weighbridge.planning.cost import CatalogueEstimate
    from weighbridge.providers.base import Provider
    from weighbridge.service.imports import Imported, Inspection

LOOK_EVERY_S: Final = 0.25
"""The time between two queries of the run's progress."""
EMBEDDED_PATIENCE_S: Final = 10.0
"""An embedded PostgreSQL that does not answer for this long counts as gone."""
LINE_EVERY_S: Final = 5.0
"""The time between two progress lines where there is no terminal."""
_DONE: Final = frozenset({ProcessingStatus.COMPLETED, ProcessingStatus.FAILED})
EXIT_DONE, EXIT_SOME_FAILED, EXIT_STOPPED, EXIT_INTERRUPTED = 0, 1, 2, 130


async def execute(settings: Settings, options: RunOptions) -> int:
    """Import, process and export the catalogue; returns the exit code.

    Raises:
        WeighbridgeError: the input, the settings or the provider are wrong; nothing was stored.
    """
    if not options.file.is_file():
        problem = "is a directory" if options.file.is_dir() else "does not exist"
        raise InputError(
            f"{options.file} {problem}. Give a CSV, XLSX, JSON, JSONL or Parquet file."
        )
    recording = load_recording(options.answers) if options.answers else None
    simulator = None
    simulate = options.simulate or recording is not None
    limits = SIMULATED_LIMITS if simulate and not settings.limits_are_explicit else None
    if simulate:
        simulator = simulator_config(settings, limits)
    async with open_provider(settings, simulator, recording=recording) as provider:
        await provider.check()
        if options.lane is Lane.BATCH:
            await check_batches(provider)
        say_notices(provider)
        async with open_application(settings) as app:
            return await _import_and_process(
                app, provider, options, Overrides(limits, options.pacing)
            )


async def _import_and_process(
    app: Application, provider: Provider, options: RunOptions, overrides: Overrides
) -> int:
    """As `execute`, with database and provider open; `EXIT_STOPPED` if the user declines, with
    nothing stored or sent.

    Raises:
        InputError: the file, the options or the output folder cannot be used.
        StoreError: the output cannot be written, or the disk lacks room.
    """
    check_results_can_be_written(options.out_dir, options.formats, app.questions.steps.fields)
    embedded = () if app.database.server is None else (app.settings.data_dir,)
    check_room(options.file, options.out_dir, *embedded)
    confirmation = _Confirmation(provider, options)
    with await asyncio.to_thread(OpenCatalogue, options.file, options.reading) as catalogue:
        settle_doubts(catalogue, options.reading.given)
        try:
            done = await _import(app, catalogue, options, confirmation)
        except _DeclinedError:
            err.print("Nothing was stored or sent.")
            return EXIT_STOPPED
    imported = done.result
    await record_import(app, imported, options.file)
    await write_row_files(app, imported, options.out_dir)
    if not options.as_json:
        say_import(imported, options.file)
    await choose_steps(app.database, options.steps)
    await choose_what_to_ask(
        app.database, imported.import_id, redo=options.redo, simulated=provider.simulated
    )
    run = _Run(app, provider, options, overrides, imported.import_id)
    return await run.to_the_end()


async def _import(
    app: Application, catalogue: OpenCatalogue, options: RunOptions, confirmation: _Confirmation
) -> Imported:
    """Show the report, ask for confirmation where possible, and store the products.

    Raises:
        _DeclinedError: the user said no.
        InputError: the file leaves a question open.
    """
    estimator = Estimator(estimate_basis(app.settings)) if confirmation.is_shown else None
    if catalogue.head.decisions.doubts and not options.as_json:
        inspection = await asyncio.to_thread(inspect_catalogue, catalogue, estimator)
        confirmation.show(inspection)
    return await import_catalogue(
        app.database,
        catalogue,
        scoped=True,
        lane=options.lane,
        estimator=estimator,
        confirm=confirmation.ask,
    )


class _DeclinedError(Exception):
    """The user does not want the products to be stored."""


class _Confirmation:
    """Shows how the file is read and what it will cost, and asks whether to go on if stdin is a
    terminal and `--yes` was not given.
    """

    def __init__(self, provider: Provider, options: RunOptions) -> None:
        self._provider = provider
        self._options = options
        self._asks = sys.stdin.isatty() and not options.yes

    @property
    def is_shown(self) -> bool:
        """Whether the estimate is shown, so that it must be computed."""
        return self._asks or not self._options.as_json

    def show(self, inspection: Inspection) -> None:
        """Print the report on the file."""
        print_report(err, inspection.report, inspection.estimate, self._provider.model)

    def ask(self, inspection: Inspection) -> None:
        """Show the report, and ask whether to store the products. Raises _DeclinedError for no."""
        if not self._options.as_json:
            self.show(inspection)
        products = inspection.report.products
        question = f"Store {counted(products, 'product')}"
        if not self._provider.simulated and self._options.answers is None:
            question += (
                f" and ask {self._provider.name} ({self._provider.model}) about those without "
                f"stored answers, for {_price(inspection.estimate, self._options.lane)} at most"
            )
            if self._options.lane is Lane.BATCH:
                question += "; each step may take up to 24 hours"
        if self._asks and not typer.confirm(f"{question}?", default=True, err=True):
            raise _DeclinedError


def _price(estimate: CatalogueEstimate | None, lane: Lane | None) -> str:
    """The estimated cost in this lane as a text."""
    if estimate is None or not estimate.price_known:
        return "an unknown price"
    in_lane = next((tier for tier in estimate.tiers if lane and tier.tier == lane.value), estimate)
    return f"about {price_range(in_lane)}"


async def check_batches(provider: Provider) -> None:
    """Raises NoBatchApi if the provider has no Batch API."""
    if provider.batches is None:
        raise NoBatchApi(why_no_batches(provider))
    await provider.batches.check()


def _sort_key(row: ResultRow) -> float:
    """The footprint in kg CO2e; -1 for a row without one, which comes last."""
    return -1.0 if row.emissions_kg_co2e is None else row.emissions_kg_co2e


class _Run:
    """One run, from the first call to the result files."""

    def __init__(
        self,
        app: Application,
        provider: Provider,
        options: RunOptions,
        overrides: Overrides,
        import_id: UUID,
    ) -> None:
        self._app = app
        self._provider = provider
        self._options = options
        self._overrides = overrides
        self._import_id = import_id
        self._since = app.clock.now()
        self._done_before = 0
        self._interrupts = 0
        self._over_budget: str | None = None
        self._away_since_s: float | None = None
        self._wake = asyncio.Event()
        self._started_s = app.clock.monotonic_s()
        self._waited_s = 0.0
        self._looked_s = self._started_s

    async def to_the_end(self) -> int:
        """Process what is pending, write the files, print the results; returns the exit code."""
        first = await self._progress_now()
        self._done_before = first.finished
        if not first.is_done:
            async with capped(self._app.database, self._options.file, self._options.budget_usd):
                await self._process()
        last = await self._progress_now()
        calls_made = last.totals.calls
        files, exported = await self._export()
        try:
            await self._report(last, files, exported, calls_made)
        except Exception as error:  # noqa: BLE001 - everything is done, stored and exported
            telemetry.crashed(
                "report_failed",
                f"❌ The results cannot be shown here ({error!r}); they are complete in {self._options.out_dir}",
            )
        return self._exit_code(last)

    async def _progress_now(self) -> Progress:
        """The progress of the run now. Also adds up the pauses between batches, which do not count
        in its speed.
        """
        now_s = self._app.clock.monotonic_s()
        look = await progress(
            self._app.database,
            self._app.clock,
            scope=self._import_id,
            since=self._since,
            elapsed_s=now_s - self._started_s,
            waited_s=self._waited_s,
            done_before=self._done_before,
            overrides=self._overrides,
        )
        if look.batch_wait_s is not None:
            self._waited_s += now_s - self._looked_s
        self._looked_s = now_s
        return look

    async def _progress_or_none(self) -> Progress | None:
        """The progress now; None while the database is away.

        The user's own database may come back. An embedded one does not, once it is gone, mostly
        because of a full disk.

        Raises:
            DatabaseUnavailable: the embedded database has been away for `EMBEDDED_PATIENCE_S`.
        """
        now_s = self._app.clock.monotonic_s()
        try:
            look = await asyncio.wait_for(self._progress_now(), timeout=EMBEDDED_PATIENCE_S)
        except (*DATABASE_ERRORS, TimeoutError) as error:
            self._away_since_s = self._away_since_s or now_s
            is_gone = now_s - self._away_since_s > EMBEDDED_PATIENCE_S
            if self._app.database.server is not None and is_gone:
                folder = self._app.settings.data_dir
                raise DatabaseUnavailable(
                    f"The embedded PostgreSQL in {folder} has stopped ({type(error).__name__}). "
                    f"Check free disk space, read the end of {folder / 'postgres' / 'log'}, and "
                    "run the same command again: it resumes where this one stopped."
                ) from error
            return None
        self._away_since_s = None
        return look

    async def _process(self) -> None:
        """Run the engine until the run is over; calls in flight are then finished, but given up
        after an error.
        """
        await start_queue(self._app.database)
        engine = await make_engine(
            self._app,
            self._provider,
            scope=self._import_id,
            overrides=self._overrides,
            anew=self._options.redo,
        )
        with handling(self._interrupt):
            try:
                collect_garbage_rarely()
                await engine.supervisor.start()
                if err.is_terminal and not telemetry.is_json():
                    await self._watch_live(engine.supervisor)
                else:
                    await self._watch_plain(engine.supervisor)
                await self._drain(engine)
            except BaseException:
                await engine.supervisor.abandon()
                raise

    def _interrupt(self, _number: object) -> None:
        self._interrupts += 1
        self._wake.set()

    async def _drain(self, engine: Engine) -> None:
        """Finish the calls in flight; a second interrupt gives them up."""
        if self._interrupts:
            err.print(
                f"Finishing {counted(engine.supervisor.in_flight, 'call')} in flight "
                "(Ctrl-C again stops at once) …"
            )
        self._wake.clear()
        await drain_or_abandon(engine.supervisor, self._wake.wait(), self._app.database)

    async def _watch_live(self, supervisor: Supervisor) -> None:
        """Update the live display on stderr until the run is over."""
        kind = _label_of(self._provider)
        with Live(console=err, auto_refresh=False, transient=True) as live:

            def show_panel(look: Progress) -> None:
                if not is_behind():  # else a terminal that reads on would show each in turn
                    live.update(progress_panel(look, kind=kind, held=supervisor.held), refresh=True)

            while not await self._show_and_check_end(show_panel, supervisor):
                await self._pause()

    async def _watch_plain(self, supervisor: Supervisor) -> None:
        """Print a line to stderr every `LINE_EVERY_S` seconds until the run is over."""
        last_line_s = float("-inf")

        def print_line(look: Progress) -> None:
            nonlocal last_line_s
            now_s = self._app.clock.monotonic_s()
            if now_s - last_line_s >= LINE_EVERY_S:
                last_line_s = now_s
                err.print(progress_line(look, supervisor.held), soft_wrap=True)

        while not await self._show_and_check_end(print_line, supervisor):
            await self._pause()

    async def _show_and_check_end(
        self, show: Callable[[Progress], object], supervisor: Supervisor
    ) -> bool:
        """Show the progress; returns whether the run is over: done, stopped, interrupted, or at its
        budget.
        """
        self._over_budget = supervisor.over_budget
        if self._over_budget:
            return True
        look = await self._progress_or_none()
        if look is None:
            return bool(self._interrupts)
        show(look)
        return look.is_done or bool(self._interrupts) or not look.status.state.running

    async def _pause(self) -> None:
        """Wait for `LOOK_EVERY_S`, or until an interrupt."""
        try:
            await asyncio.wait_for(self._wake.wait(), timeout=LOOK_EVERY_S)
        except TimeoutError:
            return

    # The end ------------------------------------------------------------------------------------

    async def _export(self) -> tuple[list[Path], Exported]:
        """Write the result files and an entry in the audit log; returns (paths, counts)."""
        paths = [
            (file_format, self._options.out_dir / file_name("results", file_format))
            for file_format in self._options.formats
        ]
        exported = await export_results(
            self._app.database,
            self._app.taxonomy,
            self._app.factors,
            self._app.questions.steps,
            paths,
            self._import_id,
            byte_order_mark=self._options.csv_bom,
            names=self._app.settings.export_names,
        )
        files = [path for _, path in paths]
        await record_export(self._app, exported, files)
        return files, exported

    async def _report(
        self, last: Progress, files: list[Path], exported: Exported, calls_made: int
    ) -> None:
        """Print results, figures and paths; with --json one JSON document instead."""
        counts = last.status.counts
        rejected = self._options.out_dir / "rejected.csv"
        if self._options.as_json:
            print_json(
                {
                    "products": last.total,
                    "database": {state.value: counts[state] for state in ProcessingStatus},
                    "calls": calls_made,
                    "rateLimited": last.totals.rate_limited,
                    "inputTokens": last.totals.input_tokens,
                    "outputTokens": last.totals.output_tokens,
                    "costUsd": last.totals.known_cost_usd,
                    "unpricedCalls": last.totals.unpriced_calls,
                    "elapsedS": last.elapsed_s,
                    "simulated": exported.simulated,
                    "recorded": exported.recorded,
                    "files": [str(path) for path in files],
                    "stoppedBecause": self._over_budget or last.status.state.paused_reason,
                }
            )
            return
        rows, failed = await self._some_rows()
        if rows:
            out.print(results_table(rows, last.total, out.width))
        for note in notes_worth_reading(rows, MOST_NOTES):
            out.print(note, style="dim", soft_wrap=True)
        out.print(
            f"{counts[ProcessingStatus.COMPLETED]:,} completed, "
            f"{counts[ProcessingStatus.FAILED]:,} failed, {last.total - last.finished:,} left · "
            f"{counted(calls_made, 'call')} in {duration(last.elapsed_s)} · "
            f"{last.totals.input_tokens + last.totals.output_tokens:,} tokens · "
            + ("cost " if last.totals.unpriced_calls else "")
            + money(last.totals.cost_usd, last.totals.unpriced_calls)
            + (f" ({kind})" if (kind := _label_of(self._provider)) else ""),
        )
        if not calls_made and last.finished == last.total:
            out.print("No call was needed: all answers were stored already.")
        for row in failed:
            out.print(f"failed: {row.code}: {row.error}", style="red")
        if (more := counts[ProcessingStatus.FAILED] - len(failed)) > 0:
            out.print(f"and {counted(more, 'more failed product')}, in the files", style="red")
        out.print("Files: " + ", ".join(str(path) for path in files), soft_wrap=True)
        if rejected.exists():
            out.print(f"Rejected rows: {rejected}", soft_wrap=True)
        if exported.simulated:
            out.print(SIMULATED_NOTE, style="yellow")
        if exported.recorded:
            out.print(RECORDED_NOTE, style="yellow")

    async def _some_rows(self) -> tuple[list[ResultRow], list[ResultRow]]:
        """(finished products with the largest footprints, first failed products), each at most
        `MOST_ROWS`.
        """
        shown: list[ResultRow] = []
        failed: list[ResultRow] = []
        async for rows in iterate_results(
            self._app.database, self._app.taxonomy, self._app.questions.steps, self._import_id
        ):
            done = (row for row in rows if row.status in _DONE)
            shown = nlargest(MOST_ROWS, chain(shown, done), key=_sort_key)
            failed += [row for row in rows if row.status is ProcessingStatus.FAILED]
            del failed[MOST_ROWS:]
        return shown, failed

    def _exit_code(self, last: Progress) -> int:
        """The exit code; if the run ended early, prints why and how to go on."""
        if self._interrupts:
            if flight := batch_words(last.status.batches, last.status.as_of):
                err.print(
                    f"Still at the provider: {flight}. The provider goes on with them; "
                    "the next run collects the results."
                )
            err.print("Interrupted. Run the same command again to resume.")
            return EXIT_INTERRUPTED
        if not last.is_done:
            reason = self._over_budget or last.status.state.paused_reason or "the queue was stopped"
            err.print(f"Stopped before the end: {reason}", style="red", soft_wrap=True)
            return EXIT_STOPPED
        return EXIT_SOME_FAILED if last.status.counts[ProcessingStatus.FAILED] else EXIT_DONE


def _label_of(provider: Provider) -> str:
    """The label of answers that no model gives in this run: "simulated" or "recorded"; else ""."""
    if provider.simulated:
        return "simulated"
    return RECORDED if provider.name == RECORDED else ""
