"""Reads results from the database and exports them to files."""

from __future__ import annotations

from contextlib import ExitStack, aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync

from weighbridge.domain.facts import ProductFacts
from weighbridge.domain.products import ProcessingStatus, picture_from_stored
from weighbridge.export import WORKBOOK, Extras, open_writer
from weighbridge.export.base import ResultRow
from weighbridge.service.views.totals import totals_within
from weighbridge.store import corrections
from weighbridge.store.footprints import BY_ID, stream_results
from weighbridge.store.totals import BY_TOTAL, Within
from weighbridge.weighing.by_people import names_a_person, with_corrected_mass, without_persons

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from asyncpg.transaction import Transaction

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.domain.corrections import Correction
    from weighbridge.export import Writer
    from weighbridge.steps import Steps
    from weighbridge.store.database import Connection, Database
    from weighbridge.store.stored_detail import StoredDetail


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written: the number of products, and whether any figure of them is from
    the simulator or from recorded answers.
    """

    products: int
    simulated: bool
    recorded: bool = False


def result_row(row: Mapping[str, Any], taxonomy: Taxonomy, steps: Steps) -> ResultRow:
    """The export row of a product from its row in the database (`stream_results`)."""
    base: dict[str, Any] = {
        "code": row["code"],
        "name": row["name"],
        "description": row["description"],
        "status": ProcessingStatus(row["status"]),
        "weight_kg": row["weight_kg"],
        "image_url": row["image_url"],
        "picture": picture_name(row["picture_sha256"], row["media_type"]),
        "more_pictures": tuple(map(_address_or_name, row["more_pictures"])),
        "country_of_origin": row["country_of_origin"],
        "facts": ProductFacts.from_stored(row["facts"]),
        "row_notes": tuple(row["notes"]),
        "error": row["error"],
        "error_kind": row["error_kind"],
        "completed_at": row["completed_at"],
    }
    detail = row["detail"]
    if detail is None:
        return ResultRow(**base)
    footprint = with_corrected_mass(detail.footprint, detail.model_answers, steps)
    return ResultRow(
        **base,
        figure_since=row["figure_since"],
        answered=steps.shown(detail.answers),
        cpc_code=_cpc_code(row, taxonomy),
        emissions_kg_co2e=footprint.emissions_kg_co2e,
        low_kg_co2e=footprint.low_kg_co2e,
        high_kg_co2e=footprint.high_kg_co2e,
        boundary=footprint.boundary,
        mass_kg=footprint.mass.value,
        mass_origin=footprint.mass.origin,
        data_quality=footprint.data_quality,
        contributions=footprint.contributions,
        shares=footprint.shares,
        counted_kg_co2e=footprint.counted_kg_co2e,
        routes=footprint.routes,
        dominance=footprint.dominance,
        disagreement=footprint.disagreement,
        primary_data=footprint.primary_data,
        estimate_kg_co2e=footprint.estimate_kg_co2e,
        notes=footprint.notes,
        provenance=detail.provenance,
        cost_usd=row["cost_usd"] or None,  # 0 only where nobody knows the price
    )


def _cpc_code(row: Mapping[str, Any], taxonomy: Taxonomy) -> str | None:
    """The product's code in the Central Product Classification; None if it is not classified."""
    if row["category"] is None or row["subcategory"] is None:
        return None
    return taxonomy.subcategory(row["category"], row["subcategory"]).cpc_code


def _address_or_name(stored: Mapping[str, Any]) -> str:
    """The address of a further picture, or the file name of a stored one."""
    picture = picture_from_stored(stored)
    if isinstance(picture, str):
        return picture
    return picture_name(picture.sha256, picture.media_type) or picture.sha256


def picture_name(sha256: str | None, media_type: str | None) -> str | None:
    """The file name of a stored picture: its hash and the extension of its type."""
    if sha256 is None or media_type is None:
        return None
    return f"{sha256[:16]}.{media_type.partition('/')[2]}"


async def iterate_results(
    database: Database,
    taxonomy: Taxonomy,
    steps: Steps,
    scope: UUID | None = None,
    codes: Sequence[str] | None = None,
    *,
    names: bool = False,
) -> AsyncGenerator[list[ResultRow], None]:
    """The export rows of all products, batch by batch, in the order in which they were stored.

    `scope`: only those of this import; `codes`: only those with these codes; `names` as for
    `export_results`.
    """
    async with (
        database.pool.acquire() as connection,
        # A caller that stops early (a broken download) must not leave the transaction open.
        aclosing(_rows(connection, taxonomy, steps, Within(scope, codes), names=names)) as batches,
    ):
        async for rows in batches:
            yield rows


def _one_snapshot(connection: Connection) -> Transaction:
    """A transaction in which every query sees the database as of one moment."""
    return connection.transaction(isolation="repeatable_read", readonly=True)


async def _rows(
    connection: Connection,
    taxonomy: Taxonomy,
    steps: Steps,
    within: Within,
    order: str = BY_ID,
    *,
    names: bool,
) -> AsyncGenerator[list[ResultRow], None]:
    """The export rows of these products, batch by batch, in this order."""
    batches = stream_results(connection, within.scope, within.codes, order=order)
    async with aclosing(batches):
        async for rows in batches:
            if not names:
                rows = await _without_persons(connection, rows)
            yield [result_row(row, taxonomy, steps) for row in rows]


async def _without_persons(
    connection: Connection, rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The rows without the names of those who corrected products, and without their reasons."""
    named = {
        row["id"]
        for row in rows
        if row["detail"] is not None and names_a_person(row["detail"].footprint)
    }
    if not named:
        return list(rows)
    made = await corrections.made(connection, list(named))
    return [
        row
        if row["id"] not in named
        else {**row, "detail": _anonymous(row["detail"], made.get(row["id"], ()))}
        for row in rows
    ]


def _anonymous(detail: StoredDetail, made: Sequence[Correction]) -> StoredDetail:
    return replace(detail, footprint=without_persons(detail.footprint, made))


async def export_results(
    database: Database,
    taxonomy: Taxonomy,
    factors: FactorTable,
    steps: Steps,
    paths: Sequence[tuple[str, Path]],
    scope: UUID | None = None,
    codes: Sequence[str] | None = None,
    *,
    byte_order_mark: bool = False,
    names: bool = False,
) -> Exported:
    """Write the results of the products to a file for each (format, path) of `paths`.

    `scope`: only products of this import; `codes`: only those with these codes; `names`: who
    corrected a value, and why, is written too. All files are as of
    the same moment. A workbook begins with the products of the largest totals; the other formats
    have them in the order in which they were stored. Files get their names only when all of them
    are complete.
    """
    within = Within(scope, codes)
    exported = Exported(0, simulated=False)
    with ExitStack() as open_files:
        async with database.pool.acquire() as connection, _one_snapshot(connection):
            totals = None
            if any(file_format == WORKBOOK for file_format, _ in paths):
                totals = await totals_within(connection, factors, within)
            extras = Extras(byte_order_mark, totals)
            writers = [
                (name, open_files.enter_context(open_writer(name, path, steps.fields, extras)))
                for name, path in paths
            ]
            for order in (BY_ID, BY_TOTAL):
                chosen = [w for name, w in writers if (name == WORKBOOK) == (order == BY_TOTAL)]
                if chosen:
                    batches = _rows(connection, taxonomy, steps, within, order, names=names)
                    exported = await _write_batches(batches, chosen)
        for _, writer in writers:
            await run_sync(writer.close)
    return exported


async def _write_batches(
    batches: AsyncGenerator[list[ResultRow], None], writers: Sequence[Writer]
) -> Exported:
    """Write the batches to every writer; returns what was written.

    Writes in a thread, so that the event loop is not blocked.
    """
    written, simulated, recorded = 0, False, False
    async with aclosing(batches):
        async for rows in batches:
            for writer in writers:
                await run_sync(writer.write, rows)
            written += len(rows)
            simulated = simulated or any(row.simulated for row in rows)
            recorded = recorded or any(row.recorded for row in rows)
    return Exported(written, simulated, recorded)
