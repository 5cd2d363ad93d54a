"""What one process learns of a server is stored, shown and known to the next one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.support.application import program
from weighbridge.service.queue import queue_status
from weighbridge.service.status_view import status_document
from weighbridge.store import provider_facts
from weighbridge.store.provider_facts import ProviderFacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Refuses:
    """A server that does not take one parameter; counts how often it said so."""

    def __init__(self, is_sent: Callable[[dict[str, Any]], bool], message: str) -> None:
        self._is_sent = is_sent
        self._message = message
        self.refused = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response | None:
        if not self._is_sent(json.loads(request.content or b"{}")):
            return None
        self.refused += 1
        return httpx2.Response(400, json={"error": {"message": self._message, "type": "invalid"}})


def no_strict_schema() -> Refuses:
    """Of the schemas it takes only those that are not strict."""
    return Refuses(
        lambda asked: asked.get("response_format", {}).get("json_schema", {}).get("strict", False),
        "Unknown parameter: 'response_format.json_schema.strict'.",
    )


def no_effort_none() -> Refuses:
    """It always reasons."""
    return Refuses(
        lambda asked: asked.get("reasoning_effort") == "none",
        "Unsupported value: 'reasoning_effort' does not support 'none'. Use 'low'.",
    )


async def test_the_form_of_answers_is_found_once_and_known_to_the_next_process(
    database_url: str, tmp_path: Path
) -> None:
    server = no_strict_schema()
    async with program(database_url, tmp_path) as running:
        await running.add_many(3)
        running.wire.instead = server
        await running.start()
        await running.until(completed=3)
        await running.stop()
        look = await queue_status(running.app.database, running.app.clock)
    assert server.refused > 0
    assert status_document(look)["provider"]["answerForm"] == "schema"
    server.refused = 0
    async with program(database_url, tmp_path) as running:
        await running.add(*({"code": f"N-{n}"} for n in range(3)))
        running.wire.instead = server
        await running.start()
        await running.until(completed=6)
    assert server.refused == 0


async def test_a_refused_reasoning_effort_is_a_notice_in_the_status_and_known_to_the_next_process(
    database_url: str, tmp_path: Path
) -> None:
    server = no_effort_none()
    for completed in (1, 2):
        async with program(database_url, tmp_path, model="gpt-6-luna") as running:
            await running.add({"code": f"N-{completed}"})
            running.wire.instead = server
            await running.start()
            await running.until(completed=completed)
            await running.stop()
            [notice] = (await queue_status(running.app.database, running.app.clock)).notices
            assert "refused the reasoning effort none; low is sent instead" in notice
    assert server.refused == 1


async def test_what_is_learned_belongs_to_one_server_and_one_model(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        kept = ProviderFacts(
            "localhost:8080", "small", {"form": "object"}, ("Old.",), {"classification": {"1": [9]}}
        )
        async with running.app.database.transaction() as connection:
            await provider_facts.save(connection, kept)
            assert await provider_facts.load(connection, "localhost:8080", "small") == kept
            for other in (("localhost:8081", "small"), ("localhost:8080", "large")):
                assert await provider_facts.load(connection, *other) == ProviderFacts(*other)
