"""Completes the OpenAPI document: our problem schema, security and examples.

The examples in `examples.json` are recorded from a run of the program against the simulator
(`python -m tests.support.recorded_examples`); nobody writes them by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from weighbridge.api.errors import PROBLEM_JSON, Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

EXAMPLES_FILE: Final = Path(__file__).with_name("examples.json")
_OPEN_TO_ALL: Final = ("/healthz", "/readyz")


def complete_document(app: FastAPI) -> None:
    """Make the application's OpenAPI document include our problem schema, security and examples."""
    generate = app.openapi

    def complete_openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = generate()
        _replace_error_schemas(document)
        document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{}, {"bearer": []}]
        for path in _OPEN_TO_ALL:
            document["paths"][path]["get"]["security"] = []
        _add_examples(document, json.loads(EXAMPLES_FILE.read_text(encoding="utf-8")))
        return document

    app.openapi = complete_openapi  # type: ignore[method-assign]


def _replace_error_schemas(document: dict[str, Any]) -> None:
    """Replace FastAPI's own error schemas with `Problem`."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs")
    schemas["Problem"] = problem


def _add_examples(document: dict[str, Any], examples: dict[str, Any]) -> None:
    """Add the recorded example of each answer to the document, by operation and status."""
    for methods in document["paths"].values():
        for operation in methods.values():
            answers = examples["answers"].get(operation["operationId"], {})
            for status, answer in operation["responses"].items():
                for kind, media in answer.get("content", {}).items():
                    if kind == PROBLEM_JSON:
                        media["example"] = examples["problems"][status]
                    elif status in answers:
                        media["example"] = answers[status]
