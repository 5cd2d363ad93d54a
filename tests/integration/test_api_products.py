"""The list: filters, pages, cursors; and what is told about one product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.api import ApiClient, api_client
from tests.support.picture_shop import picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as opened:
        yield opened


async def _codes(client: ApiClient, **params: str | int) -> list[str]:
    """All pages."""
    codes: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.get("/api/products", params={**params, **cursor})
        codes += [product["code"] for product in page["products"]]
        if page["nextCursor"] is None:
            return codes
        cursor = {"cursor": page["nextCursor"]}


async def test_pages_give_every_product_once_and_in_order(client: ApiClient) -> None:
    await client.add_products(23)
    assert await _codes(client, limit=5) == [f"P{n:05}" for n in range(1, 24)]


async def test_a_full_last_page_has_no_next_one(client: ApiClient) -> None:
    await client.add_products(10)
    page = await client.get("/api/products", params={"limit": 10})
    assert (len(page["products"]), page["nextCursor"]) == (10, None)


async def test_deleting_products_does_not_shift_the_next_page(
    client: ApiClient,
) -> None:
    await client.add_products(6)
    first = await client.get("/api/products", params={"limit": 3})
    await client.http.delete("/api/products/P00001")
    second = await client.get("/api/products", params={"cursor": first["nextCursor"]})
    assert [product["code"] for product in second["products"]] == ["P00004", "P00005", "P00006"]


async def test_filters_apply_to_all_pages(client: ApiClient) -> None:
    await client.add_products(7, status="failed", prefix="F")
    await client.add_products(7, status="completed", prefix="C")
    assert await _codes(client, status="completed", limit=2) == [f"C{n:05}" for n in range(1, 8)]
    assert await _codes(client, search="f0000", limit=2) == [f"F{n:05}" for n in range(1, 8)]


async def test_empty_parameters_are_ignored(client: ApiClient) -> None:
    await client.add_products(60)
    plain = await client.get("/api/products")
    assert await client.get("/api/products?status=&search=&limit=&cursor=") == plain
    assert len(plain["products"]) == 50


@pytest.mark.parametrize("search", ["%", "_", "\\", "100 %", "'; --", "🛒"])
async def test_search_treats_every_character_literally(client: ApiClient, search: str) -> None:
    await client.add_products(3)
    await client.execute("UPDATE products SET name = $1 WHERE code = 'P00002'", f"a{search}b")
    assert await _codes(client, search=search) == ["P00002"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"status": "done"}, "status"),
        ({"cursor": "bm9uc2Vuc2U"}, "cursor"),
        ({"search": "a\0b"}, "search"),
        ({"search": "x" * 201}, "search"),
    ],
)
async def test_an_invalid_parameter_is_named(
    client: ApiClient, params: dict[str, str], field: str
) -> None:
    refused = await client.http.get("/api/products", params=params)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "code", ["A B", "A/B/C", "ä%25?#", "..", "a.b", "image", "x/image/y", "imports/1/rejected"]
)
async def test_a_code_may_contain_anything(client: ApiClient, code: str) -> None:
    from urllib.parse import quote

    added = await client.http.post(
        "/api/products", json={"code": code, "name": "Mug", "description": "Ceramic"}
    )
    assert added.status_code == 201
    # A client library resolves "..", so it is escaped by hand, as encodeURIComponent users must.
    path = quote(code, safe="").replace(".", "%2E")
    assert (await client.get(f"/api/products/{path}"))["code"] == code
    assert (await client.http.delete(f"/api/products/{path}")).status_code == 204


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_impossible_code_is_not_found(client: ApiClient, method: str) -> None:
    missing = await client.http.request(method, "/api/products/a%00b")
    assert missing.status_code == 404


async def test_a_failed_product_says_why_and_which_calls_failed(client: ApiClient) -> None:
    await client.add_products(1, status="failed")
    await client.execute(
        "UPDATE products SET error_kind = 'AnswerMalformed', error = 'No usable answer', attempts "
        "= 4"
    )
    await client.execute(
        "INSERT INTO calls (started_at, latency_s, waited_s, provider, model, simulated, lane, "
        "step, step_version, product_ids, outcome, error, estimated_tokens, output_allowance, "
        "input_tokens, cached_input_tokens, output_tokens, cost_usd) SELECT now(), 1.5, 0, "
        "'openai', 'gpt', false, 'live', 'classification', '1', ARRAY[id], 'ProviderTimeout', 'no "
        "answer in time', 900, 100, 0, 0, 0, 0 FROM products"
    )
    product = await client.get("/api/products/P00001")
    assert [(error["kind"], error["step"]) for error in product["errors"]] == [
        ("AnswerMalformed", None),
        ("ProviderTimeout", "classification"),
    ]
    assert (product["attempts"], len(product["calls"])) == (4, 1)
    stats = await client.get("/api/products/processing-stats")
    assert {(e["source"], e["reason"], e["count"]) for e in stats["overall"]["recentErrors"]} == {
        ("call", "ProviderTimeout", 1),
        ("product", "AnswerMalformed", 1),
    }
    assert stats["overall"]["failureRate"] == 1.0


async def test_a_wrong_method_gets_the_allowed_ones(client: ApiClient) -> None:
    refused = await client.http.patch("/api/products")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, POST"
    refused = await client.http.patch("/api/products/P00001")
    assert refused.headers["allow"] == "DELETE, GET"
    refused = await client.http.patch("/api/products/queue-config")
    assert refused.headers["allow"] == "GET, PUT"


async def test_trailing_slash_redirects_to_the_list(client: ApiClient) -> None:
    moved = await client.http.get("/api/products/?limit=2")
    assert moved.status_code == 307
    assert moved.headers["location"] == "http://127.0.0.1:8000/api/products?limit=2"


async def test_problem_instance_is_a_uri(client: ApiClient) -> None:
    missing = await client.http.get("/api/products/100%25%20%C3%A4")
    assert missing.json()["instance"] == "/api/products/100%25%20%C3%A4"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_answers_head_requests(client: ApiClient, path: str) -> None:
    assert (await client.http.head(path)).status_code == 200


async def test_a_lost_database_is_a_503_without_internal_details(client: ApiClient) -> None:
    await client.context.database.pool.close()
    for path in ("/api/products", "/api/products/queue-status", "/readyz", "/metrics"):
        answer = await client.http.get(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert "pool" not in answer.text
    assert (await client.http.get("/healthz")).status_code == 200


@pytest.mark.parametrize("code", ["export", "processing-stats", "queue-status"])
async def test_a_code_that_clashes_with_a_route_can_be_listed_and_deleted(
    client: ApiClient, code: str
) -> None:
    product = {"code": code, "name": "Steel bottle", "description": "Stainless steel, 500 ml"}
    assert (await client.http.post("/api/products", json=product)).status_code == 201
    listed = await client.get("/api/products", params={"search": code})
    assert [one["code"] for one in listed["products"]] == [code]
    assert (await client.http.delete(f"/api/products/{code}")).status_code == 204
    assert (await client.get("/api/products"))["products"] == []


async def test_all_pictures_of_a_product_are_told_and_shown(client: ApiClient) -> None:
    urls = [f"https://shop.example/{n}.png" for n in range(6)]
    record = {"code": "A", "name": "Mug", "description": "Ceramic", "imageUrl": urls}
    added = await client.http.post("/api/products", json=record)
    assert added.status_code == 201, added.text
    product = await client.get("/api/products/A")
    assert product["imageUrl"] == urls[0]
    assert product["morePictures"] == urls[1:4]
    assert [note["reason"] for note in product["notes"]] == ["4 of 6 pictures used"]
    page = await client.http.get("/products/A")
    assert all(url in page.text for url in urls[:4])
    assert urls[4] not in page.text
    missing = await client.http.get("/api/products/A/image", params={"number": 2})
    assert missing.status_code == 404
    image = {"file": ("a.png", picture((7, 9)), "image/png")}
    await client.http.post("/api/products/A/image", files=image)
    stored = await client.http.get("/api/products/A/image")
    assert stored.headers["content-type"] == "image/png"
    assert (await client.get("/api/products/A"))["morePictures"] == urls[1:4]
