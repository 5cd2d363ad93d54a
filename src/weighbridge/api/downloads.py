"""Streams results and rejected rows, so that memory does not grow with the catalogue.

CSV and JSONL are written piece by piece and sent at once. XLSX and Parquet are complete only at
their end, so they are written to disk first. When a client goes away, a thread that is still
writing is waited for (`asyncio.to_thread` would not wait), because its folder is then removed.
"""

from __future__ import annotations

import asyncio
import csv
import io
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio.to_thread import run_sync

from weighbridge.export import open_writer
from weighbridge.export.base import NO_EXTRAS, Extras
from weighbridge.export.csv_writer import write_csv_line
from weighbridge.service.results import export_results, iterate_results
from weighbridge.service.upkeep.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from weighbridge.api.context import ApiContext
    from weighbridge.export import ResultRow
    from weighbridge.export.columns import Cell
    from weighbridge.steps.shown import ShownField

PIECE_BYTES: Final = 1 << 18
"""How many bytes of a finished file are read and sent at a time."""
REJECTED_ROWS_A_PIECE: Final = 500
"""How many rejected rows are sent at a time, as lines of a CSV file."""
LINE_FORMATS: Final = frozenset({"csv", "jsonl"})
"""Files of these formats can be split at any line."""


async def stream_export(
    context: ApiContext,
    format_name: str,
    codes: Sequence[str] | None = None,
    extras: Extras = NO_EXTRAS,
    *,
    names: bool = False,
) -> AsyncGenerator[bytes, None]:
    """All results, or those with `codes`, as the bytes of a file in this format.

    `names`: with who corrected a value, and why. At most `EXPORTS_AT_ONCE` run at a time; others
    wait.
    """
    async with context.exports, scratch_folder(context.settings.data_dir) as folder:
        pieces = (
            _lines(context, format_name, folder, codes, extras, names=names)
            if format_name in LINE_FORMATS
            else _whole_file(context, format_name, folder, codes, names=names)
        )
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece


async def _lines(
    context: ApiContext,
    format_name: str,
    folder: Path,
    codes: Sequence[str] | None,
    extras: Extras,
    *,
    names: bool,
) -> AsyncGenerator[bytes, None]:
    """The file in pieces, one for each batch of products; only the first has the header."""
    header = await run_sync(_as_file, format_name, folder, context.steps.fields, [], extras)
    if header:
        yield header
    batches = iterate_results(
        context.database, context.taxonomy, context.steps, codes=codes, names=names
    )
    async with aclosing(batches):
        async for rows in batches:
            data = await run_sync(_as_file, format_name, folder, context.steps.fields, rows, extras)
            yield data[len(header) :]


def _as_file(
    format_name: str,
    folder: Path,
    fields: Sequence[ShownField],
    rows: Sequence[ResultRow],
    extras: Extras,
) -> bytes:
    """These rows as a whole file of the format, header included, written by way of `folder`."""
    path = folder / f"piece.{format_name}"
    with open_writer(format_name, path, fields, extras) as writer:
        writer.write(rows)
    return path.read_bytes()


async def _whole_file(
    context: ApiContext,
    format_name: str,
    folder: Path,
    codes: Sequence[str] | None,
    *,
    names: bool,
) -> AsyncGenerator[bytes, None]:
    """The bytes of the file in pieces, once it is complete on disk."""
    path = folder / f"results.{format_name}"
    await export_results(
        context.database,
        context.taxonomy,
        context.factors,
        context.steps,
        [(format_name, path)],
        codes=codes,
        names=names,
    )
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


async def stream_rows(
    header: Sequence[str],
    first: tuple[Cell, ...],
    others: AsyncGenerator[tuple[Cell, ...], None],
) -> AsyncGenerator[bytes, None]:
    """Rejected rows or notes of an import as CSV, in the same form as the command line's file."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    write_csv_line(lines, header)
    write_csv_line(lines, first)
    waiting = 0
    async with aclosing(others):
        async for cells in others:
            write_csv_line(lines, cells)
            waiting += 1
            if waiting == REJECTED_ROWS_A_PIECE:
                yield text.getvalue().encode()
                text.seek(0)
                text.truncate()
                waiting = 0
    yield text.getvalue().encode()
