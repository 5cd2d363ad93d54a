"""The prompts that our steps make of the sample catalogue, for others to send: the SDK, and counts of tokens.

Answers of earlier steps, which later prompts show, come from the simulator's analyst.
"""

from __future__ import annotations

import csv
import json
from typing import Any

from benchmarks.harness import CATALOGUE
from weighbridge.domain.answers import Subject
from weighbridge.domain.calls import CallReply, FinishReason, Remaining, Usage
from weighbridge.domain.products import Product
from weighbridge.planning.tokens import OutputLengths
from weighbridge.providers.openai_messages import dialect_of, request_body
from weighbridge.simulator.analyst import Analyst, find_products
from weighbridge.simulator.tokens import count_tokens
from weighbridge.wiring import load_vocabulary, make_pipeline


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


def catalogue_prompts(count: int, group_size: int, model: str) -> list[list[dict[str, Any]]]:
    """For each group the bodies of its three calls, with the allowances that our program learns."""
    pipeline = make_pipeline(load_vocabulary())
    lengths = OutputLengths({step.name: step.output_tokens_per_product for step in pipeline})
    products = sample_products(count)
    dialect = dialect_of(model)
    groups = []
    for start in range(0, count, group_size):
        subjects = [Subject(product) for product in products[start : start + group_size]]
        bodies = []
        for step in pipeline:
            allowance = lengths.allowance(step.name, len(subjects))
            request = step.request(subjects, allowance)
            bodies.append(request_body(request, model, dialect))
            answer = Analyst(request.schema).answer(find_products(request.content), 0)
            text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
            lengths.observe(step.name, len(subjects), count_tokens(text), truncated=False)
            reply = CallReply(text, FinishReason.STOP, Usage(0, 0), Remaining(), "simulated")
            answers = step.accept(reply, subjects).answers
            subjects = [
                Subject(s.product, {**s.answers, step.name: answers[s.product.code]})
                for s in subjects
            ]
        groups.append(bodies)
    return groups
