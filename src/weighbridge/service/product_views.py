"""Products for people to look at: a page of the list, and one product with all that is known
of it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from weighbridge.domain.products import Picture, ProcessingStatus
from weighbridge.errors import NotFound
from weighbridge.store import answers, calls, footprints, products
from weighbridge.store.calls import OK
from weighbridge.store.listing import IS_CHECKED, IS_CORRECTED
from weighbridge.weighing.by_people import with_corrected_mass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from asyncpg import Record

    from weighbridge.domain.results import Footprint, Provenance
    from weighbridge.steps import Steps
    from weighbridge.store.database import Database


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product in a list. Its figures are None unless its status is completed."""

    id: int
    code: str
    name: str
    description: str
    weight_kg: float | None
    image_url: str | None
    has_picture: bool
    more_pictures: tuple[str | None, ...]
    """Addresses of the product's further pictures; None in the place of a picture that is stored
    here.
    """
    country_of_origin: str | None
    facts: Mapping[str, Any]
    notes: list[Mapping[str, Any]]
    status: ProcessingStatus
    category: str | None
    subcategory: str | None
    emissions_kg_co2e: float | None
    low_kg_co2e: float | None
    high_kg_co2e: float | None
    data_quality: float | None
    simulated: bool | None
    attempts: int
    error_kind: str | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


_FIGURES = frozenset(
    {
        "category",
        "subcategory",
        "emissions_kg_co2e",
        "low_kg_co2e",
        "high_kg_co2e",
        "data_quality",
        "simulated",
        "completed_at",
    }
)
_OWN_COLUMNS = tuple(
    field.name
    for field in fields(ListedProduct)
    if field.name not in _FIGURES | {"has_picture", "more_pictures"}
)


@dataclass(frozen=True, slots=True)
class ProductPage:
    """Some products, in the order in which they were stored.

    `next_after_id` is the `after_id` of the next page; None: there are no more.
    """

    products: tuple[ListedProduct, ...]
    next_after_id: int | None


@dataclass(frozen=True, slots=True)
class ShownFootprint:
    """A product's footprint and what it was computed from.

    `answered` has the fields that the steps show, by name. `cost_usd` is what its calls cost.
    """

    footprint: Footprint
    answered: Mapping[str, Any]
    provenance: Provenance
    cost_usd: float
    calculated_at: datetime


@dataclass(frozen=True, slots=True)
class ProductProblem:
    """Something that went wrong with a product."""

    at: datetime
    kind: str
    reason: str
    step: str | None


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product with all that is known about it. `answers` and `calls` are newest first."""

    product: ListedProduct
    footprint: ShownFootprint | None
    answers: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    problems: list[ProductProblem]


@dataclass(frozen=True, slots=True)
class ProductPicture:
    """The stored picture of a product."""

    data: bytes
    media_type: str


async def list_products(
    database: Database,
    *,
    status: ProcessingStatus | None,
    search: str | None,
    after_id: int,
    limit: int,
    checked: bool | None = None,
    corrected: bool | None = None,
) -> ProductPage:
    """Up to `limit` products after the one with the id `after_id`.

    `search` is looked for in code and name. `checked` True: only products that somebody has marked
    as checked; False: only completed ones that nobody has. `corrected` True: only products that
    somebody has corrected; False: only others.
    """
    where = [
        condition if wanted else f"NOT {condition}"
        for condition, wanted in ((IS_CHECKED, checked), (IS_CORRECTED, corrected))
        if wanted is not None
    ]
    if checked is False:
        where.append("p.status = 'completed'")  # the others have nothing to check
    async with database.pool.acquire() as connection:
        rows = await products.page(
            connection,
            status=status,
            search=search,
            after_id=after_id,
            limit=limit + 1,
            where=where,
        )
    shown = rows[:limit]
    return ProductPage(
        tuple(_listed(row) for row in shown), shown[-1]["id"] if len(rows) > limit else None
    )


async def show_product(database: Database, steps: Steps, code: str) -> ProductRecord:
    """Everything about one product.

    Raises:
        NotFound: there is no such product.
    """
    async with database.pool.acquire() as connection:
        row = _require_row(await products.find(connection, code), code)
        given = await answers.answers_of(connection, row["id"])
        made = await calls.calls_of(connection, row["id"])
        detail = await footprints.detail_of(connection, row)
    footprint = None
    if detail is not None and row["status"] == ProcessingStatus.COMPLETED:
        footprint = ShownFootprint(
            with_corrected_mass(detail.footprint, detail.model_answers, steps),
            steps.shown(detail.answers),
            detail.provenance,
            row["cost_usd"],
            row["calculated_at"],
        )
    return ProductRecord(_listed(row), footprint, given, made, _problems(row, made))


async def require_product(database: Database, code: str) -> None:
    """Raises NotFound when there is no such product."""
    async with database.pool.acquire() as connection:
        _require_row(await products.find(connection, code), code)


async def show_picture(database: Database, code: str, number: int = 1) -> ProductPicture:
    """A stored picture of a product; `number` counts all of its pictures from 1.

    Raises:
        NotFound: there is no such product, or no such picture is stored.
    """
    async with database.pool.acquire() as connection:
        row = _require_row(await products.find(connection, code), code)
        picture = dict(enumerate(products.product_of(row).pictures, start=1)).get(number)
        if not isinstance(picture, Picture):
            which = f" number {number}" if number > 1 else ""
            raise NotFound(f"Product {code} has no uploaded picture{which}.")
        data = await products.load_picture(connection, picture.sha256)
    return ProductPicture(data, picture.media_type)


def _require_row(row: Record | None, code: str) -> Record:
    """The row; raises NotFound if there is none."""
    if row is None:
        raise NotFound(f"There is no product {code}.")
    return row


def _listed(row: Record) -> ListedProduct:
    """The product of a row, without figures unless it is completed."""
    is_current = row["status"] == ProcessingStatus.COMPLETED
    values: dict[str, Any] = {name: row[name] for name in _OWN_COLUMNS}
    values |= {name: row[name] if is_current else None for name in _FIGURES}
    return ListedProduct(
        **values,
        has_picture=row["picture_sha256"] is not None,
        more_pictures=tuple(one.get("url") for one in row["more_pictures"]),
    )


def _problems(row: Record, made: list[dict[str, Any]]) -> list[ProductProblem]:
    """The errors of a product: its own, then those of its calls, newest first."""
    found = []
    if row["error"] is not None:
        kind = row["error_kind"] or "unknown"
        found.append(ProductProblem(row["updated_at"], kind, row["error"], None))
    found += [
        ProductProblem(
            call["started_at"], call["outcome"], call["error"] or call["outcome"], call["step"]
        )
        for call in made
        if call["outcome"] != OK
    ]
    return found
