"""A provider: it takes the first word of every list, and asks nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from weighbridge.domain.calls import CallReply, FinishReason, Price, Remaining, Usage
from weighbridge.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.calls import CallRequest
    from weighbridge.settings import Settings


class ParrotProvider(Provider):
    """Answers at once, always the same. `calls` counts."""

    name = "parrot"
    model = ""
    simulated = False
    price = Price(0.0, 0.0, 0.0, known=False)
    longest_call_s = 1.0

    def __init__(self, settings: Settings) -> None:
        self.model = settings.model
        self.calls = 0

    @override
    async def call(self, request: CallRequest) -> CallReply:
        """A reply that fits the schema."""
        self.calls += 1
        entry = request.schema["properties"]["products"]["items"]["properties"]
        products = json.loads(request.content.splitlines()[1])["products"]
        answers = [
            {**{name: _fitting(schema) for name, schema in entry.items()}, "code": one["code"]}
            for one in products
        ]
        text = json.dumps({"products": answers})
        return CallReply(text, FinishReason.STOP, Usage(10, 10), Remaining(), f"{self.model}-1")


def _fitting(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "array":
            parts = schema["items"]["properties"]
            # A process has to name a material of the bill; none is a good answer too.
            return [] if "process" in parts else [{k: _fitting(part) for k, part in parts.items()}]
        case "number":
            return 1.0
        case "string":
            return "all of it"
        case _:
            return None
