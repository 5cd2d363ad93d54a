"""Inspects files and imports them into the database.

Both give a `CatalogueReport`, which the command line, uploads and the API all show.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import InputError
from weighbridge.ingest.decisions import USUAL, ReadOptions
from weighbridge.ingest.isolation.reading import OpenCatalogue
from weighbridge.ingest.report import CatalogueReport, ReportBuilder, refuse_doubts
from weighbridge.store import queue_state
from weighbridge.store.imports import ImportResult, import_products

__all__ = [
    "ImportResult",
    "Imported",
    "Inspection",
    "estimate_catalogue_file",
    "import_catalogue",
    "import_file",
    "import_records",
    "inspect_catalogue",
    "inspect_file",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from weighbridge.domain.calls import Lane
    from weighbridge.domain.products import FieldLimits
    from weighbridge.ingest.checking.chunks import CheckedChunk
    from weighbridge.planning.cost import CatalogueEstimate
    from weighbridge.service.estimates import Estimator
    from weighbridge.store.database import Database


@dataclass(frozen=True, slots=True)
class Inspection:
    """The report on a file, and an estimate of processing it if an estimator was given."""

    report: CatalogueReport
    estimate: CatalogueEstimate | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, and the report on its file."""

    result: ImportResult
    report: CatalogueReport


def inspect_file(
    path: Path, options: ReadOptions = USUAL, estimator: Estimator | None = None
) -> Inspection:
    """The report on a file; nothing is stored. What only its owner can decide is a question in it.

    Raises:
        InputError: the file as a whole cannot be used.
    """
    with OpenCatalogue(path, options) as catalogue:
        return inspect_catalogue(catalogue, estimator)


def inspect_catalogue(catalogue: OpenCatalogue, estimator: Estimator | None = None) -> Inspection:
    """The report on an open catalogue, and an estimate if there is an estimator."""
    builder = ReportBuilder(catalogue.head)
    for chunk in builder.watch(catalogue.chunks()):
        if estimator is not None:
            estimator.take(chunk)
    return Inspection(builder.report(), estimator.estimate() if estimator else None)


def estimate_catalogue_file(catalogue: OpenCatalogue, estimator: Estimator) -> CatalogueEstimate:
    """What processing an open file would take, without the report.

    Raises:
        InputError: the file cannot be used.
    """
    refuse_doubts(catalogue.head)
    for chunk in catalogue.chunks():
        estimator.take(chunk)
    return estimator.estimate()


async def import_file(
    database: Database,
    path: Path,
    options: ReadOptions = USUAL,
    *,
    max_rows: int | None = None,
    lane: Lane | None = None,
) -> Imported:
    """Merge the products of a file into the database, all or none; rejected rows are left out.

    `lane` is how their questions are sent from now on; None: as before, those of new ones online.

    Raises:
        AmbiguousColumn: a column can be read in two ways, and `options` do not say which; nothing
            was changed.
        InputError: the file cannot be used, or has more than `max_rows` rows; nothing was changed.
    """
    catalogue = await asyncio.to_thread(OpenCatalogue, path, options)
    try:
        return await import_catalogue(database, catalogue, max_rows=max_rows, lane=lane)
    finally:
        catalogue.close()


async def import_catalogue(
    database: Database,
    catalogue: OpenCatalogue,
    *,
    max_rows: int | None = None,
    scoped: bool = False,
    lane: Lane | None = None,
    estimator: Estimator | None = None,
    confirm: Callable[[Inspection], None] = lambda _: None,
) -> Imported:
    """Like `import_file`, for an open catalogue.

    `scoped` stores which products are in the file. `confirm` is called with the report when all
    rows are read and nothing is stored yet; if it raises, nothing is stored, and the caller gets
    its error.
    """
    refuse_doubts(catalogue.head)
    builder = ReportBuilder(catalogue.head)
    chunks = builder.watch(_bounded(catalogue.chunks(), max_rows))
    watched = estimator.watch(chunks) if estimator else chunks

    def before_merge() -> None:
        confirm(Inspection(builder.report(), estimator.estimate() if estimator else None))

    result = await _import(database, watched, scoped=scoped, before_merge=before_merge, lane=lane)
    return Imported(result, builder.report())


def _bounded(chunks: Iterable[CheckedChunk], max_rows: int | None) -> Iterator[CheckedChunk]:
    """The same chunks; raises InputError once they have more rows than allowed."""
    rows = 0
    for chunk in chunks:
        rows += chunk.products.height + len(chunk.rejected)
        if max_rows is not None and rows > max_rows:
            raise InputError(
                f"The file has more than {max_rows:,} rows, the most that one upload may have. "
                "Split it; nothing was stored."
            )
        yield chunk


async def import_records(
    database: Database, records: Iterable[object], *, limits: FieldLimits
) -> ImportResult:
    """Merge products given as decoded JSON objects into the database; the first is row 1."""
    from weighbridge.ingest.catalogue import check_records  # and every reader, else for the child

    return await _import(database, check_records(records, limits=limits))


async def _import(
    database: Database,
    chunks: Iterable[CheckedChunk],
    *,
    scoped: bool = False,
    before_merge: Callable[[], None] = lambda: None,
    lane: Lane | None = None,
) -> ImportResult:
    """Merge the chunks in one transaction, then tell the workers that there is work."""
    async with database.pool.acquire() as connection:
        result = await import_products(
            connection, chunks, scoped=scoped, before_merge=before_merge, lane=lane
        )
        await queue_state.announce(connection)
    return result
