"""The commands `import`, `inspect`, `export` and `estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from weighbridge import telemetry
from weighbridge.cli.console import (
    DEFAULT_FORMATS,
    CsvBomOption,
    DataDirOption,
    FileArgument,
    FormatOption,
    JsonOption,
    LaneOption,
    OutOption,
    PactVersionOption,
    check_formats,
    duration,
    err,
    out,
    price_range,
    print_json,
    run_async,
)
from weighbridge.cli.reading import (
    AS_FOUND,
    HowToRead,
    print_report,
    reads_a_catalogue,
    say_questions,
    settle_doubts,
)
from weighbridge.plain_text import counted
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.ingest.isolation.reading import OpenCatalogue
    from weighbridge.planning.cost import CatalogueEstimate


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_catalogue)
    app.command("inspect")(inspect)
    app.command("export")(export)
    app.command("estimate")(estimate)


@reads_a_catalogue
def import_catalogue(
    file: FileArgument,
    out_dir: OutOption = Path("out"),
    reading: HowToRead = AS_FOUND,
    lane: LaneOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a file into the database without processing it."""
    from weighbridge.application import open_application
    from weighbridge.cli.importing import (
        import_document,
        record_import,
        say_import,
        write_row_files,
    )
    from weighbridge.ingest.isolation.reading import OpenCatalogue
    from weighbridge.service.imports import Imported, import_catalogue

    settings = load_settings(data_dir=data_dir)
    telemetry.configure_logging(settings.log_format, settings.log_level)
    options = reading.options(settings.field_limits)

    async def import_and_record(catalogue: OpenCatalogue) -> Imported:
        async with open_application(settings) as app:
            imported = await import_catalogue(app.database, catalogue, lane=lane)
            await record_import(app, imported.result, file)
            await write_row_files(app, imported.result, out_dir)
            return imported

    with OpenCatalogue(file, options) as catalogue:
        settle_doubts(catalogue, options.given)
        imported = run_async(import_and_record(catalogue))
    if as_json:
        print_json(import_document(imported))
    else:
        print_report(err, imported.report, None)
        say_import(imported.result, file)


@reads_a_catalogue
def inspect(
    file: FileArgument,
    reading: HowToRead = AS_FOUND,
    as_json: JsonOption = False,
) -> None:
    """Show how a file would be read, and what processing its products would cost.

    Nothing is sent or stored.
    """
    from weighbridge.application import estimate_basis
    from weighbridge.service.estimates import Estimator
    from weighbridge.service.imports import inspect_file
    from weighbridge.service.report_document import report_document

    settings = load_settings()
    options = reading.options(settings.field_limits)
    inspection = inspect_file(file, options, Estimator(estimate_basis(settings)))
    if as_json:
        print_json(report_document(inspection.report, inspection.estimate))
        return
    print_report(out, inspection.report, inspection.estimate, settings.model)
    say_questions(inspection.report)


def export(
    context: typer.Context,
    formats: FormatOption = DEFAULT_FORMATS,
    csv_bom: CsvBomOption = False,
    pact_version: PactVersionOption = "3",
    out_dir: OutOption = Path("out"),
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Only completed products that nobody has checked.")
    ] = False,
    corrected: Annotated[
        bool, typer.Option("--corrected", help="Only products that somebody has corrected.")
    ] = False,
    names: Annotated[
        bool | None,
        typer.Option(
            "--names/--no-names",
            help="Also write who corrected a value, and why; otherwise files say: a reviewer.",
            show_default="WEIGHBRIDGE_EXPORT_NAMES",
        ),
    ] = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export the results of all products without processing anything."""
    from weighbridge.application import open_application
    from weighbridge.cli.importing import record_export
    from weighbridge.export import file_name
    from weighbridge.service.results import export_results
    from weighbridge.service.views.listing import Filter, codes_of

    chosen = check_formats(context, formats, pact_version)
    settings = load_settings(data_dir=data_dir)
    paths = [(name, out_dir / file_name("results", name)) for name in chosen]
    wanted = Filter(unchecked=unchecked, corrected=corrected)

    async def export_and_record() -> int:
        async with open_application(settings) as app:
            codes = None if wanted.is_everything else await codes_of(app.database, wanted)
            exported = await export_results(
                app.database,
                app.taxonomy,
                app.factors,
                app.questions.steps,
                paths,
                codes=codes,
                byte_order_mark=csv_bom,
                names=settings.export_names if names is None else names,
            )
            await record_export(app, exported, [path for _, path in paths])
            return exported.products

    count = run_async(export_and_record())
    files = [str(path) for _, path in paths]
    if as_json:
        print_json({"products": count, "files": files})
    else:
        out.print(f"Wrote {counted(count, 'product')} to {', '.join(files)}", soft_wrap=True)


@reads_a_catalogue
def estimate(
    file: FileArgument,
    reading: HowToRead = AS_FOUND,
    steps: Annotated[
        Literal["together", "apart"] | None,
        typer.Option(
            help="Ask all questions about a product together in one call, or each in a call of its own.",
            show_default="WEIGHBRIDGE_ASK_TOGETHER",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate requests, tokens, cost and time for a file. Sends and stores nothing."""
    from weighbridge.application import estimate_basis
    from weighbridge.ingest.isolation.reading import OpenCatalogue
    from weighbridge.service.estimates import Estimator
    from weighbridge.service.imports import estimate_catalogue_file

    settings = load_settings()
    options = reading.options(settings.field_limits)
    together = None if steps is None else steps == "together"
    with OpenCatalogue(file, options) as catalogue:
        settle_doubts(catalogue, options.given)
        estimator = Estimator(estimate_basis(settings, together=together))
        result = estimate_catalogue_file(catalogue, estimator)
    if as_json:
        print_json(result)
        return
    out.print(_estimate_table(result, settings.model))


def _estimate_table(result: CatalogueEstimate, model: str) -> Table:
    """A table of label and value; rejected rows, variants and other tiers only if there are any."""
    table = Table.grid(padding=(0, 2))
    table.add_row("products", f"{result.products:,}")
    if result.rejected:
        table.add_row(
            "left out", f"{counted(result.rejected, 'row')}; weighbridge inspect FILE says why"
        )
    if result.variants:
        table.add_row(
            "of these",
            f"{counted(result.variants, 'variant')}, answered without a call of their own",
        )
    table.add_row("requests", f"{result.requests:,}")
    table.add_row(
        "input tokens", f"{result.input_tokens:,} ({result.cached_input_tokens:,} cached)"
    )
    table.add_row("output tokens", f"{result.output_tokens:,}")
    table.add_row("model", model)
    table.add_row("cost", price_range(result) if result.price_known else "no published price")
    for one in result.tiers:
        table.add_row(f"tier {one.tier}", price_range(one))
    table.add_row("time", duration(result.hours * 3600))
    return table
