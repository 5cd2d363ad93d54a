"""Lists of products: filters, orders, pages, and what is done to a selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.api import ApiClient, api_client
from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import InputError
from weighbridge.service.views.listing import (
    Filter,
    Order,
    Quality,
    approve,
    categories,
    count,
    list_page,
    remove,
    retry,
    suppliers,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

FOOTPRINTS = (
    "INSERT INTO footprints (product_id, revision, emissions_kg_co2e, low_kg_co2e, high_kg_co2e, "
    "mass_kg, data_quality, category, subcategory, provider, model, simulated, cost_usd, detail)"
    # Wider ranges for lighter products: the two orders differ. Every tenth figure is the same.
    " SELECT id, revision, (id / 10) + 1, 0.5, 1000 - id, 1, 1 + (id % 3) * 0.7, 'Category ' || "
    "id % 2, 'Sub',"
    " 'simulator', 'm', true, 0, '{}' FROM products WHERE status = 'completed'"
)


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as opened:
        await opened.add_products(25, status="completed", prefix="C")
        await opened.execute(FOOTPRINTS)
        await opened.add_products(5, status="failed", prefix="F")
        await opened.execute(
            "UPDATE products SET error_kind = 'AnswerTruncated' WHERE code = 'F00001'"
        )
        yield opened


async def _codes(client: ApiClient, wanted: Filter, order: Order = Order.UPLOADED) -> list[str]:
    """All pages, seven products each."""
    codes: list[str] = []
    after = ""
    while True:
        page = await list_page(client.context.database, wanted, order, after, limit=7)
        codes += [row.code for row in page.rows]
        if not page.next_page:
            return codes
        after = page.next_page


async def test_pages_show_every_product_once_in_every_order(client: ApiClient) -> None:
    everything = await _codes(client, Filter())
    assert everything == sorted(everything)
    assert len(everything) == 30
    completed = [f"C{number:05d}" for number in range(1, 26)]
    for order in (Order.FOOTPRINT, Order.CHECK_FIRST):
        codes = await _codes(client, Filter(), order)
        assert sorted(codes) == completed
    heaviest_first = await _codes(client, Filter(), Order.FOOTPRINT)
    assert heaviest_first == sorted(completed, reverse=True)
    assert await _codes(client, Filter(), Order.CHECK_FIRST) == completed


async def test_filters_leave_out_what_does_not_fit(client: ApiClient) -> None:
    assert len(await _codes(client, Filter(status=ProcessingStatus.FAILED))) == 5
    assert await _codes(client, Filter(search="c0001")) == [f"C0001{n}" for n in range(10)]
    assert await _codes(client, Filter(search="100%")) == []
    assert len(await _codes(client, Filter(category="Category 1"), Order.FOOTPRINT)) == 13
    poor = await _codes(client, Filter(quality=Quality.POOR))
    good = await _codes(client, Filter(quality=Quality.GOOD), Order.FOOTPRINT)
    assert len(poor) + len(good) + len(await _codes(client, Filter(quality=Quality.FAIR))) == 25
    assert await _codes(client, Filter(error_kind="AnswerTruncated")) == ["F00001"]
    assert await categories(client.context.database) == ["Category 0", "Category 1"]


async def test_products_are_found_by_supplier_and_by_notes_of_their_row(client: ApiClient) -> None:
    await client.execute(
        """UPDATE products SET facts = jsonb_build_object('supplier', CASE WHEN id % 2 = 0
        THEN 'Øst & Søn' ELSE 'Acme' END) WHERE code IN ('C00001', 'C00002', 'F00003')"""
    )
    await client.execute(
        """UPDATE products SET notes = '[{}]' WHERE code IN ('C00004', 'F00001')"""
    )
    database = client.context.database
    assert await suppliers(database) == ["Acme", "Øst & Søn"]
    by_name = [await _codes(client, Filter(supplier=one)) for one in await suppliers(database)]
    assert sorted(code for codes in by_name for code in codes) == ["C00001", "C00002", "F00003"]
    assert all(by_name)
    assert await _codes(client, Filter(noted=True)) == ["C00004", "F00001"]
    assert await _codes(client, Filter(noted=True), Order.FOOTPRINT) == ["C00004"]
    page = (await client.http.get("/products", params={"supplier": "Øst & Søn"})).text
    assert page.count("data-select aria-label") == len(by_name[1])
    assert "No products yet" not in page


async def test_what_is_done_reaches_exactly_what_the_filter_finds(client: ApiClient) -> None:
    database = client.context.database
    wanted = Filter(category="Category 1", quality=Quality.POOR)
    named = await _codes(client, wanted)
    found = await count(database, wanted)
    assert (found.products, found.completed, found.failed) == (len(named), len(named), 0)
    assert await retry(database, wanted) == 0
    assert await approve(database, wanted, "ana") == len(named)
    unchecked = await _codes(client, Filter(unchecked=True))
    assert len(unchecked) == 25 - len(named)
    assert not set(unchecked) & set(named)
    assert await remove(database, wanted) == len(named)
    assert len(await _codes(client, Filter())) == 30 - len(named)
    assert await remove(database, Filter(codes=())) == 0


async def test_all_that_a_filter_finds_is_counted_confirmed_and_acted_on(client: ApiClient) -> None:
    page = (await client.http.get("/products-found?status=failed")).text
    for said in ("5 products found", "State: failed", "Retry 5 failed products", "Delete 5"):
        assert said in page
    form = {"filter": "status=failed", "count": "5", "action": "retry"}
    answer = await client.http.post("/products-found", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/products?status=failed")
    assert len(await _codes(client, Filter(status=ProcessingStatus.PENDING))) == 5
    entry = (await client.get("/api/audit"))["entries"][0]
    assert (entry["action"], entry["subject"]) == ("retried products", "5 products")
    assert entry["detail"] == {"filter": ["State: failed"]}


@pytest.mark.parametrize("confirmed", ["24", "26", "", "-25", "25x", "٢٥"])
async def test_another_number_than_was_confirmed_is_not_deleted(
    client: ApiClient, confirmed: str
) -> None:
    form = {"filter": "status=completed", "count": confirmed, "action": "delete"}
    answer = await client.http.post("/products-found", data=form)
    assert answer.status_code == 409
    assert "Nothing was deleted: the filter now finds 25 products" in answer.text
    assert len(await _codes(client, Filter())) == 30


async def test_an_export_takes_the_filters_of_the_list(client: ApiClient) -> None:
    async def exported(**filters: str) -> list[str]:
        answer = await client.http.get("/api/products/export", params={"format": "csv", **filters})
        assert answer.status_code == 200, answer.text
        return [line.partition(",")[0] for line in answer.text.splitlines()[1:]]

    assert await exported(status="failed") == [f"F0000{n}" for n in range(1, 6)]
    assert await exported(errorKind="AnswerTruncated", code="F00002") == []
    assert await exported(search="F00002", code="F00002") == ["F00002"]
    assert await exported(supplier="nobody") == []
    refused = await client.http.get("/api/products/export", params={"search": "a\0b"})
    assert refused.status_code == 422


async def test_a_check_holds_until_the_product_changes(client: ApiClient) -> None:
    database = client.context.database
    named = Filter(codes=("C00001", "C00002", "F00001", "nobody"))
    assert await approve(database, named, "ana") == 2
    assert len(await _codes(client, Filter(unchecked=True))) == 23
    await client.execute("UPDATE products SET revision = revision + 1 WHERE code = 'C00001'")
    assert "C00001" in await _codes(client, Filter(unchecked=True))


async def test_a_group_of_failed_products_gets_another_try(client: ApiClient) -> None:
    database = client.context.database
    assert await retry(database, Filter(error_kind="AnswerTruncated")) == 1
    assert await retry(database, Filter(codes=("F00002", "C00001"))) == 1
    assert len(await _codes(client, Filter(status=ProcessingStatus.PENDING))) == 2
    assert await remove(database, Filter(codes=("F00003", "C00001", "nobody"))) == 2
    assert len(await _codes(client, Filter())) == 28


async def test_a_page_that_nobody_gave_out_is_refused(client: ApiClient) -> None:
    for made_up in ("x", "1", "1_x", "1.5_", "_"):
        with pytest.raises(InputError):
            await list_page(client.context.database, Filter(), Order.FOOTPRINT, made_up)
    assert (await client.http.get("/products?after=x&order=footprint")).status_code == 422


async def test_the_address_holds_filter_order_and_page(client: ApiClient) -> None:
    page = (await client.http.get("/products?status=failed&search=F&order=nonsense")).text
    assert page.count("data-select aria-label") == 5
    assert "No products yet" not in page
    assert "Nothing fits" in (await client.http.get("/products?search=nobody")).text
    part = (await client.http.get("/products", headers={"HX-Request": "true"})).text
    assert "<html" not in part


async def test_a_selection_is_acted_on_and_noted(client: ApiClient) -> None:
    form = {"code": ["F00001", "F00002"], "action": "retry", "next": "/products?status=failed"}
    answer = await client.http.post("/products/selection", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/products?status=failed")
    assert "2 failed products wait" in (await client.http.get("/products")).text
    entry = (await client.get("/api/audit"))["entries"][0]
    assert (entry["action"], entry["subject"]) == ("retried products", "2 products")
    assert entry["detail"] == {"codes": ["F00001", "F00002"]}
