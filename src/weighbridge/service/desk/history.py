"""The earlier versions of a product's footprint, and which figures changed between two moments and
why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.domain.history import Version, causes_between, has_moved
from weighbridge.errors import InputError, NotFound
from weighbridge.service.desk.movements import Movement, Movements
from weighbridge.store import footprint_versions, products

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from weighbridge.store.database import Database


@dataclass(frozen=True, slots=True)
class PastFootprint:
    """A version of a footprint, and what changed it from the version before.

    `change` is relative, 0.25 for a quarter more; None for the first version, or after one of 0.
    """

    version: Version
    causes: tuple[str, ...]
    change: float | None


async def history_of(database: Database, code: str) -> list[PastFootprint]:
    """Every version that is kept, newest first. Empty for a product that was never computed.

    Raises:
        NotFound: there is no such product.
    """
    async with database.pool.acquire() as connection:
        row = await products.find(connection, code)
        if row is None:
            raise NotFound(f"There is no product {code}.")
        versions = await footprint_versions.versions_of(connection, row["id"])
    return with_causes(versions)


def with_causes(versions: Sequence[Version]) -> list[PastFootprint]:
    """The versions of a footprint with what changed each from the one before, newest first.

    `versions` are all that are kept, earliest first.
    """
    is_whole = len(versions) <= footprint_versions.KEPT
    found = []
    before: Version | None = None
    for version in versions:
        if before is None and not is_whole:
            causes: tuple[str, ...] = ("the earliest version that is kept",)
        else:
            causes = causes_between(before, version)
        found.append(PastFootprint(version, causes, _change(before, version)))
        before = version
    return found[::-1]


def _change(before: Version | None, after: Version) -> float | None:
    """The relative change of the figure, 0.25 for a quarter more; None without a figure before."""
    if before is None or before.emissions_kg_co2e == 0:
        return None
    return after.emissions_kg_co2e / before.emissions_kg_co2e - 1


def read_moment(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The moment that a text names, in UTC: ISO 8601, or "now", which is the moment `now`.

    A text without a time zone is in `zone`; None: in the local one.

    Raises:
        InputError: it is neither.
    """
    written = text.strip()
    if written.lower() == "now":
        return now
    try:
        found = datetime.fromisoformat(written)
        if zone is not None and found.tzinfo is None:
            found = found.replace(tzinfo=zone)
        return found.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            f"{text[:60]!r} is not a date and time. Write it like 2026-11-01T10:00, or now."
        ) from error


async def compare_moments(database: Database, start: datetime, end: datetime) -> Movements:
    """Which products' figures changed from one moment to another, and why.

    Raises:
        InputError: the second moment is not after the first.
    """
    if end <= start:
        raise InputError("The second time must be later than the first.")
    moved = Movements()
    async with database.pool.acquire() as connection:
        async for code, quantity, versions in footprint_versions.stream_versions(connection, end):
            if versions[0].calculated_at > start and len(versions) > footprint_versions.KEPT:
                moved.unknown.append(code)
            else:
                moved.add(_movement(code, quantity, versions, start))
    return moved


def _movement(
    code: str, quantity: float | None, versions: Sequence[Version], start: datetime
) -> Movement:
    """The figure of a product at `start` and in its last version, and the causes in between.

    `versions` are all up to the end, earliest first.
    """
    earlier = [one for one in versions if one.calculated_at <= start]
    later = versions[len(earlier) :]
    before = earlier[-1] if earlier else None
    after = versions[-1]
    causes: dict[str, None] = {}
    remarks: dict[str, None] = {}
    place = before
    for version in later:
        if place is None or has_moved(place, version):
            causes |= dict.fromkeys(causes_between(place, version))
            remarks |= dict.fromkeys([version.cause.remark] if version.cause.remark else [])
        place = version
    return Movement(
        code,
        None if before is None else before.emissions_kg_co2e,
        after.emissions_kg_co2e,
        tuple(causes),
        quantity,
        " ".join(remarks),
    )
