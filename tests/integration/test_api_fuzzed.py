"""Whatever is sent, the answer is one that the OpenAPI document has: no crash, no other status, no
other shape.

Schemathesis finds more and takes minutes; CONTRIBUTING.md says how it is run.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings

from tests.support.api import IdleEngine, api_client
from tests.support.openapi_requests import DrawnRequest, requests_of
from weighbridge.api.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.support.api import ApiClient

ENDLESS = frozenset({"/api/events"})
EXAMPLES = 1_000


def _check(
    client: ApiClient, document: dict[str, Any], drawn: DrawnRequest, answer: httpx2.Response
) -> None:
    assert answer.status_code < 500, answer.text
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if media_type == "application/problem+json" and drawn.method != "HEAD":
        problem = Problem.model_validate_json(answer.content)
        assert problem.status == answer.status_code
    operation = document["paths"][drawn.path].get(drawn.method.lower())
    if operation is None:
        assert (
            answer.status_code >= 400
            or drawn.path.endswith("}")
            or drawn.method in {"GET", "HEAD", "DELETE"}  # HEAD works where GET does
        )
        return
    assert str(answer.status_code) in operation["responses"], answer.text
    promised = operation["responses"][str(answer.status_code)].get("content", {})
    assert media_type in promised or not (promised or answer.content)
    if media_type == "application/json" and answer.content:
        route = next(r for r in client.app.state.routes if r.name == operation["operationId"])
        read = route.response_model.model_validate_json(answer.content)
        assert json.loads(read.model_dump_json(by_alias=True)) == answer.json()


def test_every_response_is_documented(database_url: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        opened = api_client(database_url, tmp_path, engine=IdleEngine(in_flight=3))
        client = runner.run(stack.enter_async_context(opened))
        runner.run(client.add_products(20, status="completed"))
        document = client.app.openapi()

        @settings(max_examples=EXAMPLES)
        @given(requests_of(document, ENDLESS))
        def fuzz(drawn: DrawnRequest) -> None:
            answer = runner.run(
                client.http.request(
                    drawn.method, drawn.address, headers=drawn.headers, content=drawn.body
                )
            )
            _check(client, document, drawn, answer)

        try:
            fuzz()
        finally:
            runner.run(stack.aclose())
