"""Server-sent events: nothing is missed, nothing drowns the listener."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.api import ApiClient, api_client
from tests.support.application import PATIENCE_S, until
from weighbridge import telemetry
from weighbridge.service import events as service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from weighbridge.service.events import Event

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as opened:
        yield opened


async def _next(listening: AsyncGenerator[Event | None, None], kind: str) -> Event:
    """The next event of this kind."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in listening:
            if event is not None and event.kind == kind:
                return event
    raise AssertionError(f"the stream ended without {kind}")


def _data(event: Event) -> Any:
    return json.loads(event.data)


async def test_a_new_listener_first_gets_the_current_state(client: ApiClient) -> None:
    await client.add_products(3)
    listening = client.context.events.listen()
    first = await _next(listening, "progress")
    assert _data(first)["database"]["pending"] == 3
    await listening.aclose()


async def test_listeners_hear_changes_made_by_another_server(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    listening = client.context.events.listen()
    await _next(listening, "progress")
    async with api_client(database_url, tmp_path / "other") as other:
        await _next(
            listening, "progress"
        )  # the first look: what changes from now on is a change of state
        await other.http.post("/api/products/stop-queue")
        state = await _next(listening, "state")
    assert _data(state)["running"] is False
    await listening.aclose()


async def test_listeners_hear_the_first_change_after_the_first_look(client: ApiClient) -> None:
    listening = client.context.events.listen()
    await anext(listening)
    await client.http.post("/api/products/stop-queue")
    state = await _next(listening, "state")
    assert _data(state)["running"] is False
    await listening.aclose()


async def test_a_change_of_state_while_nobody_listened_is_not_missed(client: ApiClient) -> None:
    listening = client.context.events.listen()
    last = await _next(listening, "progress")
    await listening.aclose()
    for action in ("stop", "start"):
        number = client.context.events.newest_number
        await client.http.post(f"/api/products/{action}-queue")
        await client.context.events.update()
        assert client.context.events.newest_number > number
    again = client.context.events.listen(last.id)
    told = [_data(await _next(again, "state"))["running"] for _ in range(2)]
    assert told == [False, True]
    await again.aclose()


async def test_a_reconnecting_listener_gets_each_missed_event_once(
    client: ApiClient,
) -> None:
    hub = client.context.events
    hub.publish("log", {"n": 0})
    listening = hub.listen()
    last = await _next(listening, "progress")
    await listening.aclose()
    for n in range(1, 6):
        hub.publish("log", {"n": n})
    again = hub.listen(last.id)
    assert [_data(await _next(again, "log"))["n"] for _ in range(5)] == [1, 2, 3, 4, 5]
    await again.aclose()


@pytest.mark.parametrize("last_id", ["0badc0de-3", "x", "-", "9" * 50, "\N{SNOWMAN}"])
async def test_a_listener_with_an_unknown_id_is_reset(client: ApiClient, last_id: str) -> None:
    listening = client.context.events.listen(last_id)
    first = await anext(listening)
    assert first is not None
    assert first.kind == "reset"
    assert "queue" in _data(first)
    await listening.aclose()


async def test_a_slow_listener_is_reset(client: ApiClient) -> None:
    hub = client.context.events
    listening = hub.listen()
    await _next(listening, "progress")
    for _ in range(3):
        hub.publish("log", {"text": "x" * service.KEPT_BYTES})
    await _next(listening, "reset")
    await listening.aclose()


async def test_ten_thousand_lines_become_one_update(client: ApiClient) -> None:
    hub = client.context.events
    await asyncio.sleep(0)  # the hub's task has begun and watches
    before = hub.newest_number
    for n in range(10_000):
        telemetry.info("product_completed", f"done {n}", code=f"P{n}")
    await hub.update()
    assert hub.newest_number - before == 2
    listening = hub.listen(f"{hub.epoch}-{before}")
    lines = _data(await _next(listening, "log"))
    products = _data(await _next(listening, "products"))
    assert len(lines["lines"]) + lines["omitted"] == 10_000
    assert len(products["products"]) + products["omitted"] == 10_000
    assert len(lines["lines"]) == service.LINES_PER_UPDATE
    assert products["products"][0] == {"code": "P0", "aiProcessingStatus": "completed"}
    await listening.aclose()


async def test_warnings_are_kept_when_lines_are_left_out(client: ApiClient) -> None:
    hub = client.context.events
    await asyncio.sleep(0)
    before = hub.newest_number
    for n in range(1_000):
        telemetry.info("chatter", f"line {n}")
    telemetry.error("product_failed", "❌ Product P1 failed", code="P1")
    await hub.update()
    listening = hub.listen(f"{hub.epoch}-{before}")
    lines = _data(await _next(listening, "log"))["lines"]
    assert lines[-1]["level"] == "ERROR"
    await listening.aclose()


async def test_the_stream_is_valid_for_browsers(client: ApiClient) -> None:
    hub = client.context.events
    hub.publish("log", {"text": "line\nbreak"})

    async def end_soon() -> None:
        await until(lambda: hub.listeners == 1, "the stream has begun")
        listening = hub.listen()
        await _next(listening, "progress")
        await listening.aclose()
        hub.close()

    ending = asyncio.create_task(end_soon())
    response = await client.http.get(
        "/api/events", headers={"Last-Event-ID": f"{hub.epoch}-{hub.newest_number - 1}"}
    )
    await ending
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = response.text.strip().split("\n\n")
    assert blocks[0] == "retry: 2000"
    assert blocks[1].split("\n")[1:] == ["event: log", 'data: {"text":"line\\nbreak"}']
    assert blocks[1].startswith("id: ")


async def test_an_idle_stream_sends_heartbeats(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "HEARTBEAT_S", 0.01)
    listening = client.context.events.listen()
    await _next(listening, "progress")
    async with asyncio.timeout(PATIENCE_S):
        while await anext(listening) is not None:
            pass
    await listening.aclose()


async def test_log_lines_from_other_threads_are_all_published(
    client: ApiClient,
) -> None:
    listening = client.context.events.listen()
    await _next(listening, "progress")

    def talk() -> None:
        for number in range(500):
            telemetry.info("talk", f"line {number}")

    both = [asyncio.to_thread(talk) for _ in range(2)]
    await asyncio.gather(*both)
    told = 0
    while told < 1_000:
        log = _data(await _next(listening, "log"))
        told += log["omitted"] + sum(line["event"] == "talk" for line in log["lines"])
    assert told == 1_000
    await listening.aclose()
