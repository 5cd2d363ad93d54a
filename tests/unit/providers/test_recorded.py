"""Recorded answers take the place of what the other provider says, for the products that they were
given about.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tests.support.step_builders import subject, whole_entry
from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.calls import CallReply, FinishReason, Price, Remaining, Usage
from weighbridge.domain.recordings import Recording, read_recording, write_recording
from weighbridge.providers.base import Provider
from weighbridge.providers.recorded import RecordedProvider
from weighbridge.steps import build_questions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.calls import CallRequest

pytestmark = pytest.mark.anyio

QUESTIONS = build_questions(small_vocabulary())
SHIRT, CHAIR = subject("SHIRT", weight_kg=0.2), subject("CHAIR", weight_kg=4.0)
ENTRY = whole_entry("SHIRT", "T-shirts & tops", {"cotton_fibre": 0.2}, ("knitting", 1))
ANSWER = {name: value for name, value in ENTRY.items() if name != "code"}
RECORDING = Recording(
    "a careful model",
    "2026-11-27",
    "together-1",
    {("SHIRT", "A product", "Nothing special.", 0.2): ANSWER},
)


@dataclass
class Simulator(Provider):
    """Says the same whatever it is asked."""

    name = "simulator"
    model = "gpt"
    simulated = True
    price = Price(1.0, 1.0, 1.0)
    keeps_replies = True
    longest_call_s = 60.0
    closed = False
    tier = None
    context_tokens = 100_000
    notices = ()
    remembered: Mapping[str, Any] = field(default_factory=dict)

    @override
    def learned(self) -> Mapping[str, Any]:
        return self.remembered

    @override
    def recall(self, learned: Mapping[str, Any]) -> None:
        self.remembered = learned

    @override
    async def is_alive(self) -> bool:
        return not self.closed

    @override
    async def call(self, request: CallRequest) -> CallReply:
        return CallReply("{}", FinishReason.STOP, Usage(100, 50), Remaining(), "gpt")

    @override
    async def find(self, request: CallRequest) -> CallReply | None:
        return await self.call(request)

    @override
    async def check(self) -> None:
        return None

    @override
    async def aclose(self) -> None:
        self.closed = True


async def replied(question: Any, *subjects: Any) -> CallReply:
    provider = RecordedProvider(RECORDING, Simulator())
    return await provider.call(question.request(subjects, 100))


async def test_a_known_product_gets_its_recorded_answers() -> None:
    reply = await replied(QUESTIONS.together, SHIRT)
    accepted = QUESTIONS.together.accept(reply, [SHIRT])
    assert not accepted.refusals
    assert len(accepted.answers["SHIRT"]) == 3
    assert reply.model == "a careful model, recorded 2026-11-27"
    assert (reply.provider, reply.simulated) == (None, None)


async def test_steps_asked_one_by_one_each_get_their_part() -> None:
    answered = SHIRT
    for question in QUESTIONS.alone:
        reply = await replied(question, answered)
        accepted = question.accept(reply, [answered])
        assert not accepted.refusals
        answered = answered._replace(answers={**answered.answers, **accepted.answers["SHIRT"]})
    assert len(answered.answers) == 3


@pytest.mark.parametrize(
    "changed",
    [
        CHAIR,
        subject("SHIRT", weight_kg=0.3),
        subject("SHIRT", name="Another name", weight_kg=0.2),
        subject("SHIRT", description="Another one.", weight_kg=0.2),
        subject("SHIRT"),
    ],
)
async def test_what_was_not_asked_about_stays_with_the_simulator_and_is_called_so(
    changed: Any,
) -> None:
    reply = await replied(QUESTIONS.together, changed)
    assert reply.text == "{}"
    assert (reply.provider, reply.simulated) == ("simulator", True)


async def test_in_a_mixed_group_unknown_products_get_no_answer_of_somebody_else() -> None:
    reply = await replied(QUESTIONS.together, SHIRT, CHAIR)
    accepted = QUESTIONS.together.accept(reply, [SHIRT, CHAIR])
    assert set(accepted.answers) == {"SHIRT"}
    assert [refusal.code for refusal in accepted.refusals] == ["CHAIR"]


async def test_it_costs_nothing_and_keeps_nothing() -> None:
    simulator = Simulator()
    provider = RecordedProvider(RECORDING, simulator)
    assert provider.price == Price(0.0, 0.0, 0.0)
    assert (provider.name, provider.model, provider.simulated) == ("recorded", "gpt", False)
    assert provider.keeps_replies is False
    assert await provider.find(QUESTIONS.together.request([SHIRT], 100)) is None
    await provider.check()
    provider.recall({"stores": False})
    assert provider.learned() == {"stores": False}
    assert (provider.tier, provider.context_tokens, provider.notices) == (None, 100_000, ())
    assert await provider.is_alive()
    await provider.aclose()
    assert simulator.closed
    assert provider.longest_call_s == 60.0


def test_a_recording_comes_back_as_it_was_written() -> None:
    assert read_recording(write_recording(RECORDING).splitlines()) == RECORDING


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no lines"),
        ("[1]", "line 1"),
        ('{"recording": {"by": "x"}}', "line 1"),
        (write_recording(RECORDING) + '{"product": {}}', "line 3"),
        (write_recording(RECORDING) + "nonsense", "line 3"),
    ],
)
def test_what_is_no_recording_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        read_recording(text.splitlines())


def test_the_recording_of_the_sample_catalogue_answers_todays_question() -> None:
    from pathlib import Path

    from weighbridge.application import load_questions
    from weighbridge.service.evaluation.questionnaires import (
        load_recording,
        read_products,
        recorded_answers,
    )
    from weighbridge.settings import Settings

    examples = Path(__file__).parents[3] / "examples"
    settings = Settings()
    question = load_questions(settings).together
    read = read_products(examples / "catalogue.csv")
    products = read.products
    assert not read.rejected
    recording = load_recording(examples / "catalogue.answers.jsonl")
    checked = recorded_answers(recording, question, products)
    assert recording.question == question.version({})
    assert not checked.refused
    assert len(checked.answers) == len(products)
    assert json.dumps(recording.label)
