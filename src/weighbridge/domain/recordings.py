"""Answers that somebody gave once, kept so that they can be given again.

A recording is text, a JSON object a line. The first line says who answered, when, and which
question; each other line has what was asked about a product and what the answer was:

    {"recording": {"by": "a language model", "on": "2026-11-27", "question": "together-2.2.2-…"}}
    {"product": {"code": …, "name": …, "description": …, "weight_kg": …}, "answer": {"subcategory":
    …, …}}

An answer counts only for a product of which the same would be asked: another description, another
product.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.domain.products import Product

RECORDED: Final = "recorded"
"""Name of the provider that replays recorded answers."""

AskedAbout = tuple[str, str, str, float | None]
"""Code, name, description and weight of a product: they tell what an answer is about."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Answers to all steps, by what they were asked about."""

    by: str
    on: str  # date, ISO 8601
    question: str  # its version
    answers: Mapping[AskedAbout, Mapping[str, Any]]

    @property
    def label(self) -> str:
        """Who is named as the model: "a language model, recorded 2026-11-27"."""
        return f"{self.by}, recorded {self.on}"


def asked_about(product: Product) -> AskedAbout:
    """The key in a `Recording` of the answer for this product."""
    return product.code, product.name, product.description, product.weight_kg


def asked_about_row(row: Mapping[str, Any]) -> AskedAbout:
    """The same key, from the JSON object that shows the product in a question."""
    weight_kg = row["weight_kg"]
    return (
        str(row["code"]),
        str(row["name"]),
        str(row["description"]),
        None if weight_kg is None else float(weight_kg),
    )


def write_recording(recording: Recording) -> str:
    """The recording as text, in the form that the top of this module shows."""
    head = {"by": recording.by, "on": recording.on, "question": recording.question}
    lines: list[dict[str, Any]] = [{"recording": head}]
    for (code, name, description, weight_kg), answer in recording.answers.items():
        product = {"code": code, "name": name, "description": description, "weight_kg": weight_kg}
        lines.append({"product": product, "answer": answer})
    return "".join(
        json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines
    )


def read_recording(lines: Iterable[str]) -> Recording:
    """The recording in these lines.

    Raises ValueError, which names the line that cannot be read, or says that there are no lines.
    """
    head: Mapping[str, Any] | None = None
    answers: dict[AskedAbout, Mapping[str, Any]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            part = json.loads(line)
            if head is None:
                head = {name: str(part["recording"][name]) for name in ("by", "on", "question")}
            else:
                answers[asked_about_row(part["product"])] = dict(part["answer"])
        except (ValueError, KeyError, TypeError) as error:
            wanted = (
                '{"product": …, "answer": …}' if head else '{"recording": {"by", "on", "question"}}'
            )
            raise ValueError(f"line {number}: not {wanted} as JSON") from error
    if head is None:
        raise ValueError("it has no lines")
    return Recording(head["by"], head["on"], head["question"], answers)
