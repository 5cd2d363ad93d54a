"""Every answer of the contract: names, types, defaults, counts.

On a real server: tests/e2e/test_javascript_client.py.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from PIL import Image

from tests.support.api import ApiClient, IdleEngine, api_client
from weighbridge.store.jobs import enqueue_jobs, jobs_table
from weighbridge.store.workers import note_calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

CSV = (
    "code,name,description,weight,countryOfOrigin\n"
    'PROD-001,Steel bottle,"Stainless steel, 500 ml",0.35,DE\n'
    "PROD-002,Oak chair,Solid oak with a lacquer,6.5,PL\n"
    "PROD-003,Mug,Ceramic,heavy,CN\n"
)


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path, engine=IdleEngine(in_flight=3)) as opened:
        yield opened


def _shape(value: Any) -> Any:
    """Names and JSON types, recursively."""
    if isinstance(value, dict):
        return {name: _shape(part) for name, part in value.items()}
    return type(value).__name__


async def test_queue_status_has_the_documented_names_types_and_defaults(client: ApiClient) -> None:
    status = await client.get("/api/products/queue-status")
    assert status["queue"] == {
        "queueLength": 0,
        "processing": False,
        "processedCount": 0,
        "failedCount": 0,
        "batchSize": 500,
        "batchDelayMs": 60000,
        "maxConcurrentRequests": 10,
        "pacing": "batch",
        "askTogether": False,
        "running": True,
        "pausedReason": None,
        "currentBatch": 0,
        "nextBatchAt": None,
        "limits": {
            "requestsPerMinute": {"used": 0, "allowed": 500},
            "tokensPerMinute": {"used": 0, "allowed": 450000},
        },
    }
    assert status["database"] == {"pending": 0, "processing": 0, "completed": 0, "failed": 0}
    assert status["totalProducts"] == 0


async def test_processing_is_boolean_and_queue_length_counts_pending(
    client: ApiClient,
) -> None:
    await client.add_products(4, status="pending", prefix="W")
    await client.add_products(3, status="processing", prefix="R")
    await client.add_products(2, status="completed", prefix="C")
    await client.add_products(1, status="failed", prefix="F")
    status = await client.get("/api/products/queue-status")
    queue = status["queue"]
    assert (queue["processing"], queue["queueLength"]) == (True, 4)
    assert (queue["processedCount"], queue["failedCount"]) == (2, 1)
    assert status["totalProducts"] == 10


async def test_upload_list_show_change_and_delete(client: ApiClient) -> None:
    uploaded = await client.http.post(
        "/api/products/bulk-upload", files={"file": ("products.csv", CSV, "text/csv")}
    )
    assert uploaded.status_code == 201
    done = uploaded.json()
    assert (done["created"], done["updated"], done["unchanged"]) == (3, 0, 0)
    assert done["rejected"] == []
    assert [(note["row"], note["field"]) for note in done["notes"]] == [(4, "weight")]
    assert "heavy" in done["notes"][0]["reason"] + (done["notes"][0]["found"] or "")

    noted = await client.http.get(done["notesUrl"])
    assert noted.headers["content-type"].startswith("text/csv")
    assert noted.text.splitlines()[1].startswith("4,weight,")

    again = await client.http.post(
        "/api/products/bulk-upload", files={"file": ("products.csv", CSV, "text/csv")}
    )
    assert again.status_code == 200
    assert (again.json()["created"], again.json()["unchanged"]) == (0, 3)

    page = await client.get("/api/products", params={"search": "bottle", "status": "pending"})
    assert [product["code"] for product in page["products"]] == ["PROD-001"]
    assert page["nextCursor"] is None
    assert page["products"][0]["weight"] == 0.35
    assert page["products"][0]["countryOfOrigin"] == "DE"
    assert page["products"][0]["aiProcessingStatus"] == "pending"

    detail = await client.get("/api/products/PROD-001")
    assert (detail["footprint"], detail["answers"], detail["calls"], detail["errors"]) == (
        None,
        [],
        [],
        [],
    )

    gone = await client.http.delete("/api/products/PROD-001")
    assert (gone.status_code, gone.content) == (204, b"")
    missing = await client.http.get("/api/products/PROD-001")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"


async def test_one_product_as_json_is_created_changed_and_left_alone(client: ApiClient) -> None:
    product = {"code": "A/1", "name": "Bottle", "description": "Glass bottle", "weight": 0.4}
    created = await client.http.post("/api/products", json=product)
    assert (created.status_code, created.json()["created"]) == (201, 1)
    same = await client.http.post("/api/products", json=product)
    assert (same.status_code, same.json()["unchanged"]) == (200, 1)
    changed = await client.http.post("/api/products", json={**product, "weight": 0.5})
    assert (changed.status_code, changed.json()["updated"]) == (200, 1)
    assert (await client.get("/api/products/A%2F1"))["weight"] == 0.5


async def test_an_invalid_product_is_refused_with_its_field(client: ApiClient) -> None:
    refused = await client.http.post(
        "/api/products", json={"code": "A", "name": " ", "description": "x", "weight": 1}
    )
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["name"]


async def test_an_unusable_weight_costs_only_the_weight_and_is_noted(client: ApiClient) -> None:
    kept = await client.http.post(
        "/api/products", json={"code": "A", "name": "Bottle", "description": "x", "weight": -1}
    )
    assert (kept.status_code, kept.json()["created"]) == (201, 1)
    product = await client.get("/api/products/A")
    assert product["weight"] is None
    assert [note["field"] for note in product["notes"]] == ["weight"]


async def test_a_json_array_is_an_upload_too(client: ApiClient) -> None:
    products = [{"code": f"J{n}", "name": "Mug", "description": "Ceramic mug"} for n in range(3)]
    done = await client.http.post("/api/products/bulk-upload", json=products)
    assert (done.status_code, done.json()["created"]) == (201, 3)


async def test_start_stop_and_reset_answer_with_counts(client: ApiClient) -> None:
    await client.add_products(5)
    await client.add_products(2, status="failed", prefix="F")
    await client.add_products(3, status="processing", prefix="S")  # stuck: there is no job

    stopped = (await client.http.post("/api/products/stop-queue")).json()
    assert stopped["callsInFlight"] == 3
    assert stopped["queue"]["running"] is False
    assert (await client.get("/api/products/queue-status"))["queue"]["running"] is False

    started = (await client.http.post("/api/products/start-queue")).json()
    assert started["addedToQueue"] == 8
    assert isinstance(started["message"], str)
    assert started["queue"]["running"] is True

    reset = (await client.http.post("/api/products/reset-failed")).json()
    assert reset["modifiedCount"] == 2
    assert isinstance(reset["message"], str)
    assert (await client.get("/api/products/queue-status"))["database"]["pending"] == 10


@pytest.mark.parametrize(("pacing", "elsewhere"), [("batch", 2), ("continuous", 4)])
async def test_stop_counts_the_calls_of_other_workers(
    client: ApiClient, pacing: str, elsewhere: int
) -> None:
    await client.http.put("/api/products/queue-config", json={"pacing": pacing})
    other = uuid4()
    async with client.context.database.transaction() as connection:
        await enqueue_jobs(connection, 4)
        await note_calls(connection, other, in_flight=2, waiting=2)
    await client.execute(
        f"UPDATE {jobs_table()} SET status = 'picked', queue_manager_id = $1",  # noqa: S608
        other,
    )
    stopped = (await client.http.post("/api/products/stop-queue")).json()
    assert stopped["callsInFlight"] == 3 + elsewhere


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (0, "No call is in flight."),
        (1, "1 call in flight will finish"),
        (1200, "1,200 calls in flight will finish"),
    ],
)
async def test_stop_reports_calls_in_flight(client: ApiClient, calls: int, said: str) -> None:
    client.context.engine = IdleEngine(in_flight=calls)
    stopped = (await client.http.post("/api/products/stop-queue")).json()
    assert said in stopped["message"]


async def test_queue_config_answers_previous_and_current(client: ApiClient) -> None:
    changed = await client.http.put(
        "/api/products/queue-config", json={"batchSize": 1000, "pacing": "continuous"}
    )
    assert changed.status_code == 200
    assert changed.json()["previous"] == {
        "batchSize": 500,
        "batchDelayMs": 60000,
        "maxConcurrentRequests": 10,
        "pacing": "batch",
        "askTogether": False,
        "requestsPerMinute": 500,
        "tokensPerMinute": 450000,
    }
    assert changed.json()["current"] == {
        **changed.json()["previous"],
        "batchSize": 1000,
        "pacing": "continuous",
        "askTogether": False,
    }


async def test_processing_stats_of_an_empty_database_have_every_field(client: ApiClient) -> None:
    stats = await client.get("/api/products/processing-stats")
    assert set(stats) == {"asOf", "batches", "counts", "last24Hours", "overall"}
    assert set(stats["overall"]) == set(stats["last24Hours"])
    assert set(stats["overall"]) == {
        "calls", "failedCalls", "retries", "rateLimited", "simulatedCalls", "tokens", "costUsd",
        "unpricedCalls",
        "latencyMeanS", "latencyP50S", "latencyP95S", "waitedMeanS", "completed", "failed",
        "productsPerHour", "failureRate", "secondsPerBatch", "byStep", "byModel", "recentErrors", "variants", "reused",
    }  # fmt: skip
    assert set(stats["overall"]["tokens"]) == {
        "estimated",
        "input",
        "cachedInput",
        "output",
        "total",
    }


async def test_a_picture_is_stored_shown_and_makes_the_product_pending(client: ApiClient) -> None:
    await client.add_products(1, status="completed")
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, "PNG")
    stored = await client.http.post(
        "/api/products/P00001/image", files={"file": ("../red.png", file.getvalue(), "image/png")}
    )
    assert stored.status_code == 200
    assert _shape(stored.json()) == {
        "code": "str", "mediaType": "str", "widthPx": "int", "heightPx": "int", "sizeBytes": "int",
    }  # fmt: skip
    shown = await client.http.get("/api/products/P00001/image")
    assert (shown.headers["content-type"], shown.content) == ("image/png", file.getvalue())
    product = await client.get("/api/products/P00001")
    assert (product["hasPicture"], product["aiProcessingStatus"]) == (True, "pending")


@pytest.mark.parametrize("format_name", ["csv", "jsonl", "xlsx", "parquet"])
async def test_results_are_downloaded_in_every_format(client: ApiClient, format_name: str) -> None:
    await client.add_products(3)
    export = await client.http.get("/api/products/export", params={"format": format_name})
    assert export.status_code == 200
    assert export.headers["content-disposition"].endswith(f'.{format_name}"')
    starts = {"csv": b"code,", "jsonl": b'{"', "xlsx": b"PK", "parquet": b"PAR1"}
    assert export.content.startswith(starts[format_name])
    if format_name == "csv":
        assert [line.partition(",")[0] for line in export.text.splitlines()] == [
            "code", "P00001", "P00002", "P00003",
        ]  # fmt: skip
    if format_name == "jsonl":
        assert len([json.loads(line) for line in export.text.splitlines()]) == 3


async def test_health_metrics_docs_and_front_page_answer(client: ApiClient) -> None:
    assert (await client.get("/healthz"))["status"] == "ok"
    assert await client.get("/readyz") == {"status": "ready"}
    metrics = await client.http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'weighbridge_products{state="pending"} 0.0' in metrics.text
    docs = await client.http.get("/docs")
    assert docs.status_code == 200
    assert "SwaggerUIBundle" in docs.text
    assert "Overview · Weighbridge" in (await client.http.get("/")).text
    assert (await client.get("/openapi.json"))["info"]["title"] == "Weighbridge"
