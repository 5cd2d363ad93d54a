"""The published OpenAPI document is the application's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.api import api_client

if TYPE_CHECKING:
    from typing import Any

pytestmark = pytest.mark.anyio

PUBLISHED = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture
async def document(database_url: str, tmp_path: Path) -> dict[str, Any]:
    async with api_client(database_url, tmp_path) as client:
        openapi: dict[str, Any] = client.app.openapi()
    return openapi


async def test_the_published_document_matches_the_application(document: dict[str, Any]) -> None:
    written = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    assert PUBLISHED.read_text(encoding="utf-8") == written, (
        "docs/openapi.json is out of date. Write it anew with: python -m weighbridge.api.openapi docs/openapi.json"
    )


async def test_every_operation_documents_its_problems(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path.startswith("/api/"):
                assert {"400", "401", "403", "422", "503"} <= set(operation["responses"]), path


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in text
