"""Reports an import: on screen, as JSON, and as rejected.csv."""

from __future__ import annotations

from pathlib import Path

from weighbridge.cli.console import err
from weighbridge.export.rejected_writer import write_rejected
from weighbridge.service.products import rejected_rows
from weighbridge.store.imports import ImportResult
from weighbridge.wiring import Application


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
    )
    for row in imported.rejected[:10]:
        err.print(
            f"  row {row.row}, {row.field}: {row.reason}",
            style="yellow",
            soft_wrap=True,
        )
    if imported.rejected_count > 10:
        err.print(f"  … and {imported.rejected_count - 10:,} more in rejected.csv")


async def write_rejected_rows(app: Application, imported: ImportResult, out_dir: Path) -> None:
    """Write all rejected rows to `rejected.csv`; an old file of that name is removed."""
    path = out_dir / "rejected.csv"
    if not imported.rejected_count:
        path.unlink(missing_ok=True)
        return
    rows = [row async for row in rejected_rows(app.database, imported.import_id)]
    write_rejected(path, rows)
