"""Gives recorded answers in the place of a model; products that are not in the recording go to
another provider.

That other one is the simulator: every question is put to it, so that limits, waiting and faults are
those of a real run, and the recorded answers take the place of what it says. What it says itself
stays labelled as simulated.
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
    """Replays `recording`; `other` answers for the products that it does not have."""

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
        """A recorded reply where any product is in the recording: those that are not are then asked
        alone.
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
    """What a recorded answer to all steps says about the properties that are asked for now.

    Asked alone, a step has one confidence; asked together, each has its own, called after what it
    is about.
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
