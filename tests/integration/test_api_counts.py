"""The counts that queue-status shows are exact at every moment, whatever many workers do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.api import ApiClient, api_client
from weighbridge.service import processing_stats as service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

_MOVE = {
    "pending": "UPDATE products SET status = 'processing' WHERE id = ANY($1::bigint[]) AND status = 'pending'",
    "processing": "UPDATE products SET status = 'completed' WHERE id = ANY($1::bigint[]) AND status = 'processing'",
}


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as opened:
        yield opened


async def _true_counts(client: ApiClient) -> dict[str, int]:
    rows = await client.context.database.pool.fetch(
        "SELECT status, count(*) AS n FROM products GROUP BY status"
    )
    return {"pending": 0, "processing": 0, "completed": 0, "failed": 0} | {
        row["status"]: row["n"] for row in rows
    }


async def _shown(client: ApiClient) -> dict[str, int]:
    counts: dict[str, int] = (await client.get("/api/products/queue-status"))["database"]
    return counts


async def test_counts_follow_every_kind_of_change(client: ApiClient) -> None:
    await client.add_products(20)
    await client.execute("UPDATE products SET status = 'failed' WHERE id % 2 = 0")
    await client.execute("UPDATE products SET name = name || '!'")
    await client.execute("DELETE FROM products WHERE id % 3 = 0")
    await client.execute(
        "INSERT INTO products (code, name, description) SELECT code, name, description FROM "
        "products ON CONFLICT (code) DO UPDATE SET status = 'completed'"
    )
    await client.add_products(5, prefix="NEW")
    assert await _shown(client) == await _true_counts(client)
    await client.execute("TRUNCATE products CASCADE")
    assert sum((await _shown(client)).values()) == 0


async def test_rolled_back_changes_are_not_counted(client: ApiClient) -> None:
    await client.add_products(5)
    connection = await client.context.database.connect()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("UPDATE products SET status = 'failed'")
    assert (await _shown(client))["pending"] == 5
    await transaction.rollback()
    await connection.close()
    assert await _shown(client) == await _true_counts(client)


async def test_folding_counts_loses_nothing_while_workers_write(client: ApiClient) -> None:
    products = 600
    await client.add_products(products)
    rows = await client.context.database.pool.fetch("SELECT id FROM products ORDER BY id")
    ids = [row["id"] for row in rows]
    totals: set[int] = set()
    is_over = False

    async def work(chosen: list[int]) -> None:
        for statement in _MOVE.values():
            for start in range(0, len(chosen), 5):
                async with client.context.database.transaction() as connection:
                    await connection.execute(statement, chosen[start : start + 5])
                    if start % 20 == 0:
                        await connection.execute("SELECT fold_product_counts()")

    async def look() -> None:
        while not is_over:
            totals.add((await client.get("/api/products/queue-status"))["totalProducts"])

    looking = asyncio.create_task(look())
    await asyncio.gather(*(work(ids[first::4]) for first in range(4)))
    is_over = True
    await looking
    assert totals == {products}
    assert (await _shown(client))["completed"] == products
    await client.execute("SELECT fold_product_counts()")
    kept = await client.context.database.pool.fetchval("SELECT count(*) FROM product_count_changes")
    assert kept == 1


async def _add_calls(client: ApiClient, count: int, age: str, outcome: str = "ok") -> None:
    await client.execute(
        "INSERT INTO calls (started_at, latency_s, waited_s, provider, model, simulated, lane, "
        "step, step_version,"
        " product_ids, outcome, estimated_tokens, output_allowance, input_tokens, "
        "cached_input_tokens,"
        " output_tokens, cost_usd) SELECT now() - $2::text::interval, 2.0, 0.5, 'openai', 'gpt', "
        "false, 'live',"
        " 'classification', '1', '{}', $3, 900, 100, 600, 400, 50, 0.01 FROM generate_series(1, "
        "$1::int)",
        count,
        age,
        outcome,
    )


async def test_statistics_separate_the_last_day_from_overall(client: ApiClient) -> None:
    await _add_calls(client, 4, "3 days")
    await _add_calls(client, 3, "1 hour")
    await _add_calls(client, 2, "1 minute", outcome="RateLimited")
    stats = await client.get("/api/products/processing-stats")
    day, overall = stats["last24Hours"], stats["overall"]
    assert (overall["calls"], overall["rateLimited"], overall["retries"]) == (9, 2, 2)
    assert (day["calls"], day["failedCalls"]) == (5, 2)
    assert day["tokens"] == {
        "estimated": 4500, "input": 3000, "cachedInput": 2000, "output": 250, "total": 3250,
    }  # fmt: skip
    assert day["costUsd"] == pytest.approx(0.05)
    assert 1.5 < day["latencyP50S"] <= 2.0 * 1.3
    assert [(row["name"], row["calls"]) for row in overall["byStep"]] == [("classification", 9)]
    assert [row["name"] for row in overall["byModel"]] == ["gpt"]


async def test_metrics_count_each_call_once_however_often_they_are_read(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SETTLED_AFTER_S", 0.0)
    page = ""
    for total in (5, 10, 15):
        await _add_calls(client, 5, "1 hour" if total == 5 else "1 second")
        for _ in range(3):
            page = (await client.http.get("/metrics")).text
            line = 'weighbridge_calls_total{model="gpt",outcome="ok",step="classification"}'
            assert f"{line} {total}.0" in page
            bucket = 'weighbridge_call_latency_seconds_bucket{le="+Inf",step="classification"}'
            assert f"{bucket} {total}.0" in page
    assert f'weighbridge_tokens_total{{kind="input"}} {600 * 15}.0' in page
    assert (
        'weighbridge_governor_waiting_seconds_bucket{le="0.5",step="classification"} 15.0' in page
    )
