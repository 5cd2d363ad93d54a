"""`import`, `export`, `estimate`: rows in, results out, and what it would take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from weighbridge import telemetry
from weighbridge.cli.console import (
    DataDirOption,
    JsonOption,
    MapOption,
    duration,
    err,
    money,
    out,
    print_json,
    run_async,
)
from weighbridge.export import WRITERS, checked_format
from weighbridge.export.rejected_writer import write_rejected
from weighbridge.ingest.columns import parse_mapping
from weighbridge.planning.cost import CatalogueEstimate
from weighbridge.providers.prices import price_of
from weighbridge.service.estimates import estimate_file
from weighbridge.service.products import import_file, rejected_rows
from weighbridge.service.results import export_results
from weighbridge.settings import load_settings
from weighbridge.store.imports import ImportResult
from weighbridge.wiring import Application, load_vocabulary, make_pipeline, open_application

FileArgument = Annotated[
    Path,
    typer.Argument(help="The catalogue: CSV, XLSX, JSON, JSONL or Parquet.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_catalogue)
    app.command("export")(export)
    app.command("estimate")(estimate)


def import_catalogue(
    file: FileArgument,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for rejected.csv.")] = Path("out"),
    mapping: MapOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the rows of a file into the database, without processing them."""
    settings = load_settings(data_dir=data_dir)
    telemetry.configure_logging(settings.log_format, settings.log_level)
    columns = parse_mapping(mapping or [])

    async def act() -> ImportResult:
        async with open_application(settings) as app:
            imported = await import_file(app.database, file, mapping=columns)
            await write_rejected_rows(app, imported, out_dir)
            return imported

    imported = run_async(act())
    if as_json:
        print_json(import_document(imported))
    else:
        say_import(imported, file)


def import_document(imported: ImportResult) -> dict[str, object]:
    """As the HTTP API answers an upload."""
    return {
        "created": imported.created,
        "updated": imported.updated,
        "unchanged": imported.unchanged,
        "rejectedCount": imported.rejected_count,
        "rejected": [
            {"row": row.row, "field": row.field, "reason": row.reason} for row in imported.rejected
        ],
    }


def say_import(imported: ImportResult, file: Path) -> None:
    """One line, and the first few rejected rows."""
    err.print(
        f"{file.name}: {imported.created:,} new, {imported.updated:,} changed, "
        f"{imported.unchanged:,} unchanged, {imported.rejected_count:,} rejected",
        highlight=False,
        markup=False,
    )
    for row in imported.rejected[:10]:
        err.print(
            f"  row {row.row}, {row.field}: {row.reason}",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    if imported.rejected_count > 10:
        err.print(f"  … and {imported.rejected_count - 10:,} more in rejected.csv")


async def write_rejected_rows(app: Application, imported: ImportResult, out_dir: Path) -> None:
    """All rejected rows of an import to `rejected.csv`; an old file of that name goes away."""
    path = out_dir / "rejected.csv"
    if not imported.rejected_count:
        path.unlink(missing_ok=True)
        return
    rows = [row async for row in rejected_rows(app.database, imported.import_id)]
    write_rejected(path, rows)


def export(
    formats: Annotated[
        str, typer.Option("--format", help=f"Comma-separated: {', '.join(WRITERS)}.")
    ] = "csv,xlsx,jsonl",
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("out"),
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the results of all products, without processing anything."""
    chosen = check_formats(formats)
    settings = load_settings(data_dir=data_dir)
    paths = [(name, out_dir / f"results.{name}") for name in chosen]

    async def act() -> int:
        async with open_application(settings) as app:
            return await export_results(app.database, app.taxonomy, paths)

    count = run_async(act())
    files = [str(path) for _, path in paths]
    if as_json:
        print_json({"products": count, "files": files})
    else:
        out.print(f"{count:,} products in {', '.join(files)}", highlight=False, soft_wrap=True)


def check_formats(text: str) -> tuple[str, ...]:
    """The formats of a comma-separated list, each once.

    Raises:
        UnsupportedFormat: names the unknown one and lists the known.
    """
    return tuple(dict.fromkeys(checked_format(name) for name in text.split(",")))


def estimate(
    file: FileArgument,
    mapping: MapOption = None,
    as_json: JsonOption = False,
) -> None:
    """What processing this file would take: requests, tokens, money and hours. Nothing is sent or stored."""
    settings = load_settings()
    vocabulary = load_vocabulary()
    result = estimate_file(
        file,
        mapping=parse_mapping(mapping or []),
        pipeline=make_pipeline(vocabulary),
        vocabulary=vocabulary,
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
        "input tokens", f"{result.input_tokens:,} (of these cached: {result.cached_input_tokens:,})"
    )
    table.add_row("output tokens", f"{result.output_tokens:,}")
    table.add_row("model", model)
    table.add_row("money", money(result.cost_usd) if result.price_known else "no published price")
    table.add_row("time", duration(result.hours * 3600))
    return table
