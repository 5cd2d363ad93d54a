"""The published OpenAPI document is the application's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.api import ApiClient, api_client
from tests.support.recorded_examples import outline, record
from weighbridge.api.document import EXAMPLES_FILE
from weighbridge.api.errors import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

pytestmark = pytest.mark.anyio

PUBLISHED = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def document(client: ApiClient) -> dict[str, Any]:
    openapi: dict[str, Any] = client.app.openapi()
    return openapi


@pytest.fixture
def examples() -> Any:
    return json.loads(EXAMPLES_FILE.read_text(encoding="utf-8"))


async def test_published_document_matches_the_application(document: dict[str, Any]) -> None:
    written = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    assert PUBLISHED.read_text(encoding="utf-8") == written, (
        "docs/openapi.json is out of date. Run: make openapi"
    )


async def test_program_still_answers_as_the_recorded_examples_say(
    database_url: str, tmp_path: Path, examples: Any
) -> None:
    recorded = await record(database_url, tmp_path)
    assert outline(recorded) == outline(examples), (
        "The API answers differently now. Look at the difference; if you meant it, run: make "
        "openapi"
    )


async def test_every_operation_documents_its_problems(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path.startswith("/api/"):
                assert {"400", "401", "403", "422", "503"} <= set(operation["responses"]), path


async def test_every_answer_has_an_example(document: dict[str, Any]) -> None:
    text_or_bytes = {"type": "string"}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                for kind, media in answer.get("content", {}).items():
                    is_file = text_or_bytes.items() <= media["schema"].items()
                    assert "example" in media or is_file, f"{path} {status} {kind}"


async def test_example_answers_fit_the_response_models(client: ApiClient, examples: Any) -> None:
    documented = (
        route for route in client.app.state.routes if getattr(route, "include_in_schema", False)
    )
    routes = {route.name: route for route in documented}
    for name, answers in examples["answers"].items():
        for status, example in answers.items():
            declared = routes[name].responses.get(int(status), {}).get("model")
            model = declared or routes[name].response_model
            if isinstance(example, str):
                continue  # a file
            read = model.model_validate_json(json.dumps(example))
            written = json.loads(read.model_dump_json(by_alias=True))
            assert written == example, name


async def test_example_problems_are_problems(examples: Any) -> None:
    for status, example in examples["problems"].items():
        assert Problem.model_validate(example).status == int(status)


async def test_example_requests_are_accepted(client: ApiClient, document: dict[str, Any]) -> None:
    tried = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for kind, media in operation.get("requestBody", {}).get("content", {}).items():
                example = media.get("example") or media["schema"].get("example")
                if example is None and "items" in media["schema"]:
                    example = [media["schema"]["items"]["example"]]
                if example is None:
                    continue
                body = example if isinstance(example, str) else json.dumps(example)
                done = await client.http.request(
                    method, path, content=body, headers={"Content-Type": kind}
                )
                assert done.is_success, f"{path} {kind}: {done.text}"
                assert done.json().get("rejectedCount", 0) == 0, f"{path} {kind}"
                tried += 1
    assert tried >= 6


async def test_every_schema_reference_resolves(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in text
