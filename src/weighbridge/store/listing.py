"""Products for people to look through: filtered, in several orders, a page at a time however many
there are.

A page begins after the last row of the page before (its place in the order and its id), so that
page 20,000 costs as much as page 1. Each order has an index.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from weighbridge.domain.products import ProcessingStatus
from weighbridge.domain.recordings import RECORDED
from weighbridge.store.database import LONG_STATEMENT_S

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.store.database import Connection


class Order(StrEnum):
    """In which order products are listed."""

    UPLOADED = "uploaded"
    FOOTPRINT = "footprint"
    CHECK_FIRST = "check-first"


class Quality(StrEnum):
    """PACT's data quality rating in three classes."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which products a list shows; None and an empty text leave nothing out."""

    status: ProcessingStatus | None = None
    search: str = ""
    category: str = ""
    supplier: str = ""
    quality: Quality | None = None
    error_kind: str = ""
    unchecked: bool = False  # only those that nobody has checked
    corrected: bool = False  # only those that somebody has corrected
    noted: bool = False  # only those with notes on their row
    codes: tuple[str, ...] | None = None
    subcategory: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Filter()


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a page ends: the number that the list is ordered by, and the id."""

    value: float
    id: int


@dataclass(frozen=True, slots=True)
class ListRow:
    """A product in a list. Figures are None unless it is completed."""

    id: int
    code: str
    name: str
    status: ProcessingStatus
    category: str | None
    subcategory: str | None
    emissions_kg_co2e: float | None
    low_kg_co2e: float | None
    high_kg_co2e: float | None
    data_quality: float | None
    simulated: bool | None
    recorded: bool | None
    error: str | None
    checked_at: datetime | None


_QUALITY: Final = {
    Quality.GOOD: "f.data_quality < 1.7",
    Quality.FAIR: "f.data_quality >= 1.7 AND f.data_quality < 2.3",
    Quality.POOR: "f.data_quality >= 2.3",
}
"""Class of data quality → SQL condition."""
_ORDER_VALUE: Final = {
    Order.FOOTPRINT: "f.emissions_kg_co2e",
    Order.CHECK_FIRST: "(f.high_kg_co2e - f.low_kg_co2e)",
}
"""Order → SQL for the number that the list is ordered by, the largest first."""
IS_CHECKED: Final = (
    "EXISTS (SELECT FROM product_checks c WHERE c.product_id = p.id AND c.revision = p.revision)"
)
_SUPPLIER: Final = "(p.facts->>'supplier')"
CORRECTED: Final = "corrected a product"
"""The action in the audit log when somebody changes facts of a product, which then counts as
corrected.
"""
IS_CORRECTED: Final = (
    f"(EXISTS (SELECT FROM audit_log a WHERE a.subject = p.code AND a.action = '{CORRECTED}')"  # noqa: S608
    " OR EXISTS (SELECT FROM corrections o WHERE o.product_id = p.id AND o.withdrawn_at IS NULL))"
)


@dataclass(slots=True)
class Where:
    """The conditions of a statement and their arguments, one added after the other."""

    conditions: list[str] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)

    def add(self, condition: str, *arguments: Any) -> None:
        """Add a condition, which has a {} for each argument."""
        places = []
        for argument in arguments:
            self.arguments.append(argument)
            places.append(f"${len(self.arguments)}")
        self.conditions.append(condition.format(*places))

    @override
    def __str__(self) -> str:
        return " AND ".join(self.conditions) or "true"


def where_of(wanted: Filter) -> Where:
    """The conditions of a filter, on `products p` and `footprints f`."""
    where = Where()
    if wanted.status is not None:
        # Written out, not a parameter: a prepared plan cannot use the partial index of a state
        # otherwise.
        where.add(f"p.status = '{wanted.status.value}'")
    if wanted.search:
        pattern = f"%{_literal(wanted.search)}%"
        where.add("(p.code ILIKE {} OR p.name ILIKE {})", pattern, pattern)
    if wanted.category:
        where.add("f.category = {} AND p.status = 'completed'", wanted.category)
    if wanted.subcategory:
        where.add("f.subcategory = {} AND p.status = 'completed'", wanted.subcategory)
    if wanted.supplier:
        where.add(f"{_SUPPLIER} = {{}}", wanted.supplier)
    if wanted.noted:
        where.add("p.notes <> '[]'")
    if wanted.quality is not None:
        where.add(f"{_QUALITY[wanted.quality]} AND p.status = 'completed'")
    if wanted.error_kind:
        where.add(
            "p.status = 'failed' AND coalesce(p.error_kind, 'unknown') = {}", wanted.error_kind
        )
    if wanted.unchecked:
        where.add(f"p.status = 'completed' AND NOT {IS_CHECKED}")
    if wanted.corrected:
        where.add(IS_CORRECTED)
    if wanted.codes is not None:
        where.add("p.code = ANY({}::text[])", list(wanted.codes))
    return where


def _literal(text: str) -> str:
    """A LIKE pattern for exactly this text: LIKE's special characters in it are escaped."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


async def page(
    connection: Connection, wanted: Filter, order: Order, after: ListPlace | None, limit: int
) -> list[tuple[ListRow, ListPlace]]:
    """One page of products, each with the place from which the next page may begin."""
    where = where_of(wanted)
    if order is Order.UPLOADED:
        value, order_by = "p.id::float8", "p.id"
        if after is not None:
            where.add("p.id > {}", after.id)
        join = "LEFT JOIN footprints f ON f.product_id = p.id AND p.status = 'completed'"
    else:
        value = _ORDER_VALUE[order]
        order_by = f"{value} DESC, f.product_id DESC"
        where.add("p.status = 'completed'")
        if after is not None:
            where.add(
                f"({value}, f.product_id) < ({{}}::float8, {{}}::bigint)", after.value, after.id
            )
        join = "JOIN footprints f ON f.product_id = p.id"
    where.arguments.append(limit)
    rows = await connection.fetch(
        f"SELECT p.id, p.code, p.name, p.status, f.category, f.subcategory, f.emissions_kg_co2e, f.low_kg_co2e,"  # noqa: S608
        f" f.high_kg_co2e, f.data_quality, f.simulated, strpos(f.provider, '{RECORDED}') > 0 AS "
        f"recorded, p.error, {value} AS place, (SELECT c.checked_at FROM product_checks c WHERE "
        f"c.product_id = p.id AND c.revision = p.revision) AS checked_at FROM products p {join} "
        f"WHERE {where} ORDER BY {order_by} LIMIT ${len(where.arguments)}",
        *where.arguments,
        timeout=LONG_STATEMENT_S,
    )
    return [(_row(row), ListPlace(row["place"], row["id"])) for row in rows]


def _row(row: Any) -> ListRow:
    named = {name: row[name] for name in ListRow.__dataclass_fields__}
    return ListRow(**{**named, "status": ProcessingStatus(row["status"])})


async def categories(connection: Connection) -> list[str]:
    """The categories of completed products, in order; one index look-up each, instead of reading
    all products.
    """
    rows = await connection.fetch(
        "WITH RECURSIVE found AS ( (SELECT category FROM footprints ORDER BY category LIMIT 1) "
        "UNION ALL SELECT (SELECT f.category FROM footprints f WHERE f.category > found.category "
        "ORDER BY f.category LIMIT 1) FROM found WHERE found.category IS NOT NULL) SELECT "
        "category FROM found WHERE category IS NOT NULL"
    )
    return [row["category"] for row in rows]


async def suppliers(connection: Connection, limit: int) -> list[str]:
    """The first suppliers by name; one index look-up each, instead of reading all products."""
    rows = await connection.fetch(
        f"WITH RECURSIVE found AS ( (SELECT {_SUPPLIER} AS name FROM products p WHERE {_SUPPLIER} "  # noqa: S608
        f"IS NOT NULL ORDER BY 1 LIMIT 1) UNION ALL SELECT (SELECT {_SUPPLIER} FROM products p "
        f"WHERE {_SUPPLIER} > found.name ORDER BY 1 LIMIT 1) FROM found WHERE found.name IS NOT "
        "NULL) SELECT name FROM found WHERE name IS NOT NULL LIMIT $1",
        limit,
    )
    return [row["name"] for row in rows]
