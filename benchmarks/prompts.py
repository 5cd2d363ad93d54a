"""The prompts that our steps make of the sample catalogue, for others to send: the SDK, and counts
of tokens.

Answers of earlier steps, which later prompts show, come from the simulator's analyst.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.harness import CATALOGUE
from weighbridge.application import load_questions
from weighbridge.domain.answers import Subject
from weighbridge.domain.calls import CallReply, FinishReason, Remaining, Usage
from weighbridge.domain.products import Product
from weighbridge.planning.tokens import OutputAllowances, request_tokens
from weighbridge.providers.requests.bodies import request_body
from weighbridge.providers.requests.capabilities import capabilities_of
from weighbridge.settings import load_settings
from weighbridge.simulator.answering.analyst import Analyst, find_products
from weighbridge.simulator.tokens import count_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.steps import Question


def sample_products(count: int, first: int = 0) -> list[Product]:
    """The sample catalogue over and over, as `harness.write_catalogue` writes it."""
    with CATALOGUE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for number in range(first, first + count):
        row = rows[number % len(rows)]
        weight_kg = float(row["weight"]) if row["weight"] else None
        description = f"{row['description']} Series {number}."
        found.append(Product(f"B-{number:07d}", row["name"], description, weight_kg))
    return found


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call: what would be sent, and what it takes."""

    body: dict[str, Any]
    prompt_tokens: int
    output_tokens: int
    allowance: int


def catalogue_prompts(count: int, group_size: int, model: str) -> list[list[dict[str, Any]]]:
    """For each group the bodies of its three calls, with the allowances that our program learns."""
    return [[call.body for call in calls] for calls in catalogue_calls(count, group_size, model)]


def catalogue_calls(
    count: int, group_size: int, model: str, *, together: bool = False
) -> list[list[PlannedCall]]:
    """The calls of each group: one for each step, or one for all of them."""
    questions = load_questions(load_settings())
    asked = [questions.together] if together else questions.alone
    lengths = OutputAllowances(questions.expected_lengths())
    products = sample_products(count)
    return [
        _calls_of(products[start : start + group_size], asked, lengths, model)
        for start in range(0, count, group_size)
    ]


def _calls_of(
    group: list[Product], questions: Sequence[Question], lengths: OutputAllowances, model: str
) -> list[PlannedCall]:
    subjects = [Subject(product) for product in group]
    calls = []
    for question in questions:
        allowance = lengths.allowance(question.name, len(subjects))
        request = question.request(subjects, allowance)
        answer = Analyst(request.schema).answer(find_products(request.content), 0)
        text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        output_tokens = count_tokens(text)
        lengths.observe(question.name, len(subjects), output_tokens, truncated=False)
        body = request_body(request, model, capabilities_of(model, is_openai=True))
        calls.append(PlannedCall(body, request_tokens(request, model), output_tokens, allowance))
        reply = CallReply(text, FinishReason.STOP, Usage(0, 0), Remaining(), "simulated")
        answers = question.accept(reply, subjects).answers
        subjects = [Subject(s.product, {**s.answers, **answers[s.product.code]}) for s in subjects]
    return calls
