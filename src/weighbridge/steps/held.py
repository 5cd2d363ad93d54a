"""Which stored answers of a product still hold.

An answer holds when it was given to a question that would be asked today. There are two ways to it: the steps one
after the other, each resting on the versions of the answers before it, and the question that asks for all at once.
Both count, whichever is asked at present: nobody pays again because the setting was changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import StepName
    from weighbridge.steps.question import Question

T = TypeVar("T")


def held_answers(
    stored: Mapping[tuple[StepName, str], T], alone: Sequence[Question], together: Question
) -> dict[StepName, tuple[str, T]]:
    """For each answered step (version, what was stored for it), out of everything stored by step and version.

    No answer rests on another than the one that is returned with it: of a late reply that crossed with others,
    the longer line of answers is taken.
    """
    return max(_line(stored, alone, None), _line(stored, alone, together.version({})), key=len)


def _line(
    stored: Mapping[tuple[StepName, str], T], alone: Sequence[Question], together: str | None
) -> dict[StepName, tuple[str, T]]:
    """The answers that rest on each other. `together`: begin with those that were given at once."""
    line: dict[StepName, tuple[str, T]] = {}
    for question in alone:
        (step,) = question.steps
        versions = {name: version for name, (version, _) in line.items()}
        if not all(name in versions for name in question.needs):
            continue
        asked = [question.version(versions)]
        if together is not None and all(versions[name] == together for name in question.needs):
            asked.insert(0, together)
        for version in asked:
            if (step, version) in stored:
                line[step] = (version, stored[step, version])
                break
    return line
