"""Lists products by filters, and retries, approves or deletes those that a filter finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import Conflict, InputError
from weighbridge.service.views.categories import understood
from weighbridge.store import listing, queue_state, selections
from weighbridge.store.listing import Filter, ListPlace, ListRow, Order, Quality
from weighbridge.store.selections import FoundCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.store.database import Connection, Database

__all__ = [
    "Approved",
    "Filter",
    "FoundCounts",
    "ListPage",
    "ListRow",
    "Order",
    "Quality",
    "approve",
    "approve_codes",
    "categories",
    "codes_of",
    "completed_codes",
    "count",
    "list_page",
    "remove",
    "retry",
    "suppliers",
    "take_approval_back",
    "understood",
]

PAGE: Final = 50
"""How many products a page has."""
_DONE: Final = ProcessingStatus.COMPLETED
SUPPLIERS: Final = 200
"""How many names of suppliers are offered to choose from; any other can be typed."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some products. `next_page` is the `after` of the next page; "" if there is none."""

    rows: list[ListRow]
    next_page: str


async def list_page(
    database: Database, wanted: Filter, order: Order, after: str = "", limit: int = PAGE
) -> ListPage:
    """The products that the filter `wanted` finds, from the place `after` on.

    `after` is the `next_page` of the page before; "" for the first page.

    Raises:
        InputError: `after` did not come from a page.
    """
    async with database.pool.acquire() as connection:
        found = await listing.page(connection, wanted, order, _place(after), limit + 1)
    shown = found[:limit]
    last = shown[-1][1] if len(found) > limit else None
    return ListPage([row for row, _ in shown], f"{last.value!r}_{last.id}" if last else "")


def _place(text: str) -> ListPlace | None:
    """The place in the list that `next_page` names; None for the beginning."""
    if not text:
        return None
    value, _, row_id = text.partition("_")
    try:
        return ListPlace(float(value), int(row_id))
    except ValueError as error:
        raise InputError("That page does not exist. Go back to the first page.") from error


async def categories(database: Database) -> list[str]:
    """The categories that completed products have."""
    async with database.pool.acquire() as connection:
        return await listing.categories(connection)


async def suppliers(database: Database) -> list[str]:
    """The names of suppliers in order, at most SUPPLIERS."""
    async with database.pool.acquire() as connection:
        return await listing.suppliers(connection, SUPPLIERS)


async def count(database: Database, wanted: Filter) -> FoundCounts:
    """How many products the filter finds, and what may be done to them."""
    async with database.pool.acquire() as connection:
        return await selections.count(connection, wanted)


async def retry(database: Database, wanted: Filter) -> int:
    """Give the failed products that the filter finds another try; returns how many."""
    async with database.transaction() as connection:
        count = await selections.retry(connection, wanted)
        await queue_state.announce(connection)
    return count


async def remove(database: Database, wanted: Filter, expected: int | None = None) -> int:
    """Delete the products that the filter finds, with answers and footprints; returns how many.

    The record of paid calls stays.

    Raises:
        Conflict: the filter does not find the `expected` number any more; nothing was deleted.
    """
    async with database.transaction() as connection:
        deleted = await selections.delete(connection, wanted)
        if expected is not None and deleted != expected:
            raise Conflict(
                f"Nothing was deleted: the filter now finds {deleted:,} products, not {expected:,}. "
                "Reload the list and check it first."
            )
    return deleted


@dataclass(frozen=True, slots=True)
class Approved:
    """How many products of a list of codes were marked or unmarked, and which could not be."""

    count: int
    unknown: tuple[str, ...]
    """Codes that no product has."""
    unfinished: tuple[str, ...]
    """Codes of products without a figure that could be approved."""


async def approve_codes(database: Database, codes: Sequence[str], by: str) -> Approved:
    """Mark those of these products that are completed as checked, until they change."""
    async with database.transaction() as connection:
        count = await selections.check(connection, Filter(codes=tuple(codes)), by)
        return await _approved(connection, codes, count)


async def take_approval_back(database: Database, codes: Sequence[str]) -> Approved:
    """Take the marks of products back; counted are those that had one."""
    async with database.transaction() as connection:
        count = await selections.uncheck_codes(connection, codes)
        done = await _approved(connection, codes, count)
        return replace(done, unfinished=())


async def _approved(connection: Connection, codes: Sequence[str], count: int) -> Approved:
    states = await selections.states_of(connection, codes)
    named = dict.fromkeys(codes)
    return Approved(
        count,
        tuple(code for code in named if code not in states),
        tuple(code for code in named if states.get(code, _DONE) is not ProcessingStatus.COMPLETED),
    )


async def codes_of(database: Database, wanted: Filter) -> list[str]:
    """The codes of all products that the filter finds."""
    async with database.pool.acquire() as connection:
        return await selections.codes_of(connection, wanted)


async def completed_codes(
    database: Database, taxonomy: Taxonomy, category: str, search: str
) -> list[str]:
    """The codes of the completed products of a category or subcategory, or with these words in
    code or name.

    Raises InputError for a category that there is not.
    """
    wanted = Filter(status=ProcessingStatus.COMPLETED, category=category, search=search)
    return await codes_of(database, await understood(database, taxonomy, wanted))


async def approve(database: Database, wanted: Filter, by: str) -> int:
    """Mark the completed products that the filter finds as checked; returns how many.

    `by` is who checked them. A mark ends when its product changes.
    """
    async with database.transaction() as connection:
        return await selections.check(connection, wanted, by)
