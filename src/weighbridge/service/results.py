"""Reads results from the database for export."""

from __future__ import annotations

from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.domain.facts import ProductFacts
from weighbridge.domain.products import ProcessingStatus
from weighbridge.export import open_writer
from weighbridge.export.base import ResultRow
from weighbridge.store.footprints import stream_results

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.steps import Steps
    from weighbridge.store.database import Database


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written: so many products, and whether a figure rests on the simulator or
    a recording.
    """

    products: int
    simulated: bool
    recorded: bool = False


def result_row(row: Mapping[str, Any], taxonomy: Taxonomy, steps: Steps) -> ResultRow:
    """One product with all that is known about it."""
    base: dict[str, Any] = {
        "code": row["code"],
        "name": row["name"],
        "description": row["description"],
        "status": ProcessingStatus(row["status"]),
        "weight_kg": row["weight_kg"],
        "image_url": row["image_url"],
        "picture": picture_name(row["picture_sha256"], row["media_type"]),
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
    footprint = detail.footprint
    return ResultRow(
        **base,
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
    if row["category"] is None or row["subcategory"] is None:
        return None
    return taxonomy.subcategory(row["category"], row["subcategory"]).cpc_code


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
) -> AsyncGenerator[list[ResultRow], None]:
    """All products, or those with `codes`, batch by batch."""
    async with (
        database.pool.acquire() as connection,
        # A reader that leaves early (a broken download) must not leave the transaction open.
        aclosing(stream_results(connection, scope, codes)) as batches,
    ):
        async for rows in batches:
            yield [result_row(row, taxonomy, steps) for row in rows]


async def export_results(
    database: Database,
    taxonomy: Taxonomy,
    steps: Steps,
    paths: Sequence[tuple[str, Path]],
    scope: UUID | None = None,
    codes: Sequence[str] | None = None,
) -> Exported:
    """Write every product, or those with `codes`, to each of the (format, path) pairs in one pass.

    Files appear under their names only when all of them are complete.
    """
    written, simulated, recorded = 0, False, False
    with ExitStack() as open_files:
        writers = [
            open_files.enter_context(open_writer(file_format, path, steps.fields))
            for file_format, path in paths
        ]
        async for rows in iterate_results(database, taxonomy, steps, scope, codes):
            for writer in writers:
                writer.write(rows)
            written += len(rows)
            simulated = simulated or any(row.simulated for row in rows)
            recorded = recorded or any(row.recorded for row in rows)
    return Exported(written, simulated, recorded)
