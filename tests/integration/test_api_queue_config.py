"""queue-config takes nothing that it was not meant to take, and then changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.api import ApiClient, api_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

PATH = "/api/products/queue-config"


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ('{"batchSize": 0}', "batchSize", "from 1 to 1,000"),
        ('{"batchSize": 1001}', "batchSize", "from 1 to 1,000"),
        ('{"batchSize": true}', "batchSize", "from 1 to 1,000"),
        ('{"batchSize": "200"}', "batchSize", "from 1 to 1,000"),
        ('{"batchSize": 200.0}', "batchSize", "from 1 to 1,000"),
        ('{"batchSize": NaN}', "batchSize", "from 1 to 1,000"),
        ('{"batchSize": Infinity}', "batchSize", "from 1 to 1,000"),
        ('{"batchSize": null}', "batchSize", "from 1 to 1,000"),
        ('{"batchSize": [200]}', "batchSize", "from 1 to 1,000"),
        ('{"batchDelayMs": 29999}', "batchDelayMs", "from 30,000"),
        ('{"maxConcurrentRequests": 21}', "maxConcurrentRequests", "from 1 to 20"),
        ('{"requestsPerMinute": 0}', "requestsPerMinute", "from 1"),
        ('{"tokensPerMinute": -5}', "tokensPerMinute", "from 1"),
        ('{"pacing": "fast"}', "pacing", "batch or continuous"),
        ('{"pacing": 1}', "pacing", "batch or continuous"),
        ('{"askTogether": "true"}', "askTogether", "true or false"),
        ('{"askTogether": 1}', "askTogether", "true or false"),
        ('{"askTogether": null}', "askTogether", "true or false"),
        ('{"ask_together": true}', "ask_together", "not a setting"),
        ('{"batch_size": 200}', "batch_size", "batchSize"),
        ('{"batchSize": 200, "colour": "red"}', "colour", "not a setting"),
        ('{"\\ud800": 1}', "?", "not a setting"),
        ('{"batchSize": 5, "batchSize": 6}', "batchSize", "more than once"),
        ('{"pacing": ["batch"]}', "pacing", "batch or continuous"),
        ("{}", "body", "batchSize (a whole number from 1 to 1,000)"),
        ("", "body", "empty"),
        ("[1]", "body", "object"),
        ("{", "body", "not valid JSON"),
        ("[" * 9000, "body", "not valid JSON"),
        (f'{{"batchSize": {"9" * 5000}}}', "batchSize", "from 1 to 1,000"),
        (b"\xff", "body", "not UTF-8"),
    ],
)
async def test_an_invalid_value_is_named_with_its_range_and_changes_nothing(
    client: ApiClient, body: str | bytes, field: str, said: str
) -> None:
    before = await client.get("/api/products/queue-status")
    refused = await client.http.put(PATH, content=body)
    assert refused.status_code == 422
    (problem,) = refused.json()["errors"]
    assert problem["field"] == field
    assert said in problem["detail"]
    assert await client.get("/api/products/queue-status") == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
async def test_a_body_without_json_content_type_is_refused(client: ApiClient, kind: str) -> None:
    refused = await client.http.put(
        PATH, content='{"batchSize": 200}', headers={"Content-Type": kind}
    )
    assert refused.status_code == 415
    assert "application/json" in refused.json()["detail"]
    assert (await client.get("/api/products/queue-status"))["queue"]["batchSize"] == 500


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", ""])
async def test_every_json_content_type_is_accepted(client: ApiClient, kind: str) -> None:
    taken = await client.http.put(
        PATH, content='{"batchSize": 200}', headers={"Content-Type": kind}
    )
    assert taken.status_code == 200


async def test_one_invalid_value_changes_nothing(client: ApiClient) -> None:
    refused = await client.http.put(PATH, json={"batchSize": 200, "pacing": "fast"})
    assert refused.status_code == 422
    assert (await client.get("/api/products/queue-status"))["queue"]["batchSize"] == 500


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batchSize", 1),
        ("batchSize", 1000),
        ("batchDelayMs", 30000),
        ("maxConcurrentRequests", 1),
        ("maxConcurrentRequests", 20),
        ("requestsPerMinute", 1),
        ("tokensPerMinute", 1),
    ],
)
async def test_both_ends_of_each_range_are_accepted(
    client: ApiClient, name: str, value: int
) -> None:
    taken = await client.http.put(PATH, json={name: value})
    assert taken.json()["current"][name] == value


async def test_asking_together_is_switched_on_and_off_and_shown(client: ApiClient) -> None:
    for value in (True, False):
        taken = await client.http.put(PATH, json={"askTogether": value})
        assert taken.json()["previous"]["askTogether"] is not value
        assert taken.json()["current"]["askTogether"] is value
        shown = (await client.get("/api/products/queue-status"))["queue"]["askTogether"]
        assert shown is value


async def test_a_changed_delay_applies_to_the_current_pause(client: ApiClient) -> None:
    await client.execute("UPDATE queue_state SET next_batch_at = '2030-01-01T00:01:00Z'")
    await client.http.put(PATH, json={"batchDelayMs": 30_000, "batchSize": 7})
    status = await client.get("/api/products/queue-status")
    assert status["queue"]["nextBatchAt"] == "2030-01-01T00:00:30Z"
    await client.http.put(PATH, json={"pacing": "continuous"})
    assert (await client.get("/api/products/queue-status"))["queue"]["nextBatchAt"] is None


async def test_two_servers_on_one_database_agree(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    async with api_client(database_url, tmp_path / "other") as other:
        await client.http.put(PATH, json={"batchSize": 77})
        await other.http.post("/api/products/stop-queue")
        one = await client.get("/api/products/queue-status")
        two = await other.get("/api/products/queue-status")
    assert one == two
    assert (one["queue"]["batchSize"], one["queue"]["running"]) == (77, False)


async def test_settings_survive_a_restart(database_url: str, tmp_path: Path) -> None:
    async with api_client(database_url, tmp_path) as first:
        await first.http.put(PATH, json={"batchSize": 77})
        await first.http.post("/api/products/stop-queue")
    async with api_client(database_url, tmp_path) as second:
        queue = (await second.get("/api/products/queue-status"))["queue"]
    assert (queue["batchSize"], queue["running"]) == (77, False)
