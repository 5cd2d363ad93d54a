"""All steps in one question: the model writes the answer to each before the one that rests on it.

For every product the reply holds, in this order, what it is, what it is made of and how it is made:
strict structured outputs keep the order of the schema. The lists, the rules and the products are
paid for once instead of once for each step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.steps.question import HOW_TO_READ, SURENESS, Question, sureness_field
from weighbridge.steps.schemas import reply_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.steps.base import Step

TOGETHER: Final = "together"
"""Name of the question that asks for all steps at once."""

TASK: Final = """\
You collect what the carbon footprint of a product is calculated from. For each product say, in this order, what the numbers below ask: each part rests on those before it."""


def combined_question(steps: Sequence[Step[Any]]) -> Question:
    """The question that asks for all of these steps at once.

    Raises FactorTableInvalid when the lists of all steps are more than one schema may hold.
    """
    properties: dict[str, Any] = {}
    chapters = []
    for number, step in enumerate(steps, start=1):
        sureness = sureness_field(step)
        for name, schema in step.properties.items():
            properties[sureness if name == "confidence" else name] = schema
        chapters.append(f"{number}. {step.chapter}".replace('"confidence"', f'"{sureness}"'))
    fields = ", ".join(f'"{sureness_field(step)}"' for step in steps)
    instructions = "\n\n".join([TASK, *chapters, f"{HOW_TO_READ}- {fields}: {SURENESS}"])
    return Question(TOGETHER, steps, instructions, reply_schema(properties))
