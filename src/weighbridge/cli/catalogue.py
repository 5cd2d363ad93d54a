"""The commands `import`, `export` and `estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from weighbridge import telemetry
from weighbridge.cli.console import (
    DEFAULT_FORMATS,
    DataDirOption,
    FileArgument,
    FormatOption,
    JsonOption,
    MapOption,
    OutOption,
    check_formats,
    duration,
    money,
    out,
    print_json,
    run_async,
)
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.planning.cost import CatalogueEstimate
    from weighbridge.store.imports import ImportResult


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_catalogue)
    app.command("export")(export)
    app.command("estimate")(estimate)


def import_catalogue(
    file: FileArgument,
    out_dir: OutOption = Path("out"),
    mapping: MapOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a file into the database without processing it."""
    from weighbridge.cli.importing import import_document, say_import, write_rejected_rows
    from weighbridge.ingest.columns import parse_mapping
    from weighbridge.service.products import import_file
    from weighbridge.wiring import open_application

    settings = load_settings(data_dir=data_dir)
    telemetry.configure_logging(settings.log_format, settings.log_level)
    columns = parse_mapping(mapping or [])

    async def act() -> ImportResult:
        async with open_application(settings) as app:
            imported = await import_file(
                app.database, file, mapping=columns, limits=settings.field_limits
            )
            await write_rejected_rows(app, imported, out_dir)
            return imported

    imported = run_async(act())
    if as_json:
        print_json(import_document(imported))
    else:
        say_import(imported, file)


def export(
    formats: FormatOption = DEFAULT_FORMATS,
    out_dir: OutOption = Path("out"),
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export the results of all products without processing anything."""
    from weighbridge.service.results import export_results
    from weighbridge.wiring import open_application

    chosen = check_formats(formats)
    settings = load_settings(data_dir=data_dir)
    paths = [(name, out_dir / f"results.{name}") for name in chosen]

    async def act() -> int:
        async with open_application(settings) as app:
            exported = await export_results(app.database, app.taxonomy, app.questions.steps, paths)
            return exported.products

    count = run_async(act())
    files = [str(path) for _, path in paths]
    if as_json:
        print_json({"products": count, "files": files})
    else:
        out.print(f"{count:,} products in {', '.join(files)}", soft_wrap=True)


def estimate(
    file: FileArgument,
    mapping: MapOption = None,
    steps: Annotated[
        Literal["together", "apart"] | None,
        typer.Option(
            help="One call for all steps, or one per step.", show_default="WEIGHBRIDGE_ASK_TOGETHER"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate requests, tokens, cost and time for a file. Sends and stores nothing."""
    from weighbridge.ingest.columns import parse_mapping
    from weighbridge.providers.prices import price_of
    from weighbridge.service.estimates import estimate_file
    from weighbridge.wiring import load_questions

    settings = load_settings()
    questions = load_questions(settings)
    at_once = settings.ask_together if steps is None else steps == "together"
    result = estimate_file(
        file,
        mapping=parse_mapping(mapping or []),
        limits=settings.field_limits,
        questions=[questions.together] if at_once else questions.alone,
        steps=questions.steps,
        price=price_of(settings.model, "openai"),
        model=settings.model,
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
    )
    if as_json:
        print_json(result)
        return
    out.print(_estimate_table(result, settings.model))


def _estimate_table(result: CatalogueEstimate, model: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("products", f"{result.products:,}")
    table.add_row("requests", f"{result.requests:,}")
    table.add_row(
        "input tokens", f"{result.input_tokens:,} ({result.cached_input_tokens:,} cached)"
    )
    table.add_row("output tokens", f"{result.output_tokens:,}")
    table.add_row("model", model)
    table.add_row("cost", money(result.cost_usd) if result.price_known else "no published price")
    table.add_row("time", duration(result.hours * 3600))
    return table
