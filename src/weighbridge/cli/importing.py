"""Reports an import: on screen, as JSON, as rejected.csv and notes.csv, and in the audit log. Also
writes exports into the audit log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from weighbridge.application import Application
from weighbridge.cli.console import err
from weighbridge.export.rejected_writer import write_notes, write_rejected
from weighbridge.plain_text import counted
from weighbridge.service.access.audit import UPLOADED, record_command
from weighbridge.service.imports import Imported
from weighbridge.service.products import rejected_rows, row_notes
from weighbridge.service.report_document import note_document, report_document, row_document
from weighbridge.service.results import Exported
from weighbridge.store.imports import ImportResult


def import_document(imported: Imported) -> dict[str, object]:
    """The JSON document that the HTTP API sends in answer to an upload."""
    result = imported.result
    return {
        "created": result.created,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "rejectedCount": result.rejected_count,
        "rejected": [row_document(row) for row in result.rejected],
        "notesCount": result.noted_count,
        "notes": [note_document(note) for note in result.notes],
        "report": report_document(imported.report),
    }


def say_import(imported: ImportResult, file: Path) -> None:
    """Print the counts of an import in one line, then the first ten rejected rows."""
    err.print(
        f"{file.name}: {imported.created:,} new, {imported.updated:,} changed, "
        f"{imported.unchanged:,} unchanged, {imported.rejected_count:,} rejected",
    )
    for row in imported.rejected[:10]:
        err.print(
            f"  row {row.row}, {row.field}: {row.reason}",
            style="yellow",
            soft_wrap=True,
        )
    if imported.rejected_count > 10:
        err.print(f"  … and {counted(imported.rejected_count - 10, 'more row')} in rejected.csv")
    if imported.noted_count:
        err.print(
            f"  notes.csv lists {counted(imported.noted_count, 'cell')} not used or in doubt",
            highlight=False,
        )


def _delete_row_files(out_dir: Path) -> tuple[Path, Path]:
    """Make the folder if needed, and delete both files in it; returns their paths."""
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = out_dir / "rejected.csv", out_dir / "notes.csv"
    for path in paths:
        path.unlink(missing_ok=True)
    return paths


async def write_row_files(app: Application, imported: ImportResult, out_dir: Path) -> None:
    """Write all rejected rows and notes of an import to `rejected.csv` and `notes.csv`.

    Files of these names from earlier imports are deleted first.
    """
    rejected, notes = await asyncio.to_thread(_delete_row_files, out_dir)
    if imported.rejected_count:
        rows = [row async for row in rejected_rows(app.database, imported.import_id)]
        write_rejected(rejected, rows)
    if imported.noted_count:
        write_notes(notes, [note async for note in row_notes(app.database, imported.import_id)])


async def record_import(app: Application, imported: ImportResult, file: Path) -> None:
    """Write the import of a file into the audit log, as the same action as an upload."""
    await record_command(app.database, UPLOADED, file.name, imported.counts)


async def record_export(app: Application, exported: Exported, files: Sequence[Path]) -> None:
    """Write an export into the audit log."""
    names = ", ".join(path.name for path in files)
    await record_command(app.database, "exported", names, {"products": exported.products})
