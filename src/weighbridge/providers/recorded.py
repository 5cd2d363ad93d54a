"""Gives recorded answers in the place of a model; products that are not in the recording go to
another provider.

The other provider is the simulator. It gets every question, so that limits, waiting and faults are
those of a real run; recorded answers then replace its own. Answers of the simulator stay labelled
as simulated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from weighbridge.domain.calls import FinishReason, Price
from weighbridge.domain.recordings import RECORDED, Recording, asked_about_row
from weighbridge.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.calls import CallReply, CallRequest

_CONFIDENCE = "confidence"


class RecordedProvider(Provider):
    """Replays `recording`; `other` answers for the products that are not in it."""

    def __init__(self, recording: Recording, other: Provider) -> None:
        self._recording = recording
        self._other = other

    @property
    @override
    def name(self) -> str:
        return RECORDED

    @property
    @override
    def model(self) -> str:
        return self._other.model

    @property
    @override
    def simulated(self) -> bool:
        return False

    @property
    @override
    def price(self) -> Price:
        return Price(0.0, 0.0, 0.0)

    @override
    async def call(self, request: CallRequest) -> CallReply:
        """The recorded answers for the products that have one, or the other provider's reply if
        none has. Products that are missing in a reply are asked about again, alone.
        """
        reply = await self._other.call(request)
        rows = json.loads(request.content.split("\n")[1])["products"]
        entries = [
            {"code": row["code"], **_entry(self._recording.answers[asked], request.schema)}
            for row in rows
            if (asked := asked_about_row(row)) in self._recording.answers
        ]
        if not entries:
            return reply._replace(provider=self._other.name, simulated=self._other.simulated)
        return reply._replace(
            text=json.dumps({"products": entries}, ensure_ascii=False),
            finish_reason=FinishReason.STOP,
            model=self._recording.label,
        )

    @property
    @override
    def tier(self) -> str | None:
        return None

    @property
    @override
    def context_tokens(self) -> int | None:
        return self._other.context_tokens

    @property
    @override
    def calls_at_once(self) -> int | None:
        return self._other.calls_at_once

    @property
    @override
    def is_local(self) -> bool:
        return self._other.is_local

    @property
    @override
    def notices(self) -> tuple[str, ...]:
        return ()

    @override
    def learned(self) -> Mapping[str, Any]:
        return self._other.learned()

    @override
    def recall(self, learned: Mapping[str, Any]) -> None:
        self._other.recall(learned)

    @property
    @override
    def keeps_replies(self) -> bool:
        return False

    @property
    @override
    def longest_call_s(self) -> float:
        return self._other.longest_call_s

    @override
    async def find(self, request: CallRequest) -> CallReply | None:
        return None

    @override
    async def check(self) -> None:
        await self._other.check()

    @override
    async def is_alive(self) -> bool:
        return await self._other.is_alive()

    @override
    async def aclose(self) -> None:
        await self._other.aclose()


def _entry(answer: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a recorded answer that the schema asks for now.

    A recorded answer is to all steps at once and has a confidence for each, such as
    "category_confidence"; the schema of a single step asks for "confidence".
    """
    properties = schema["properties"]["products"]["items"]["properties"]
    entry = {name: answer[name] for name in properties if name in answer}
    if _CONFIDENCE in properties:
        sure = (
            answer[f"{name}_{_CONFIDENCE}"]
            for name in properties
            if f"{name}_{_CONFIDENCE}" in answer
        )
        entry[_CONFIDENCE] = next(sure, None)
    return entry
