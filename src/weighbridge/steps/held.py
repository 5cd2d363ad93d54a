"""Which stored answers of a product still hold.

An answer holds when it was given to a question that would be asked today. There are two ways to it:
the steps one after the other, each resting on the versions of the answers before it, and the
question that asks for all at once. Both count, whichever is asked at present: nobody pays again
because the setting was changed.

Where there is none, an answer to another version of the question holds too, if it can be true of
today's lists: a worker of the version before or after gave it, and nobody pays again because a host
was upgraded (decision 0017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from weighbridge.domain.answers import Answer, StepName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.steps.question import Question

Stored = Mapping[tuple[StepName, str], Answer]
"""All stored answers about a product in its current form, by step and version."""


def own_versions(alone: Sequence[Question], together: Question) -> frozenset[str]:
    """Every version that this program's own questions can have."""
    at_once = together.version({})
    ways: list[dict[StepName, str]] = [{}]
    for question in alone:
        (step,) = question.steps
        ways = [
            {**way, step: version}
            for way in ways
            for version in (question.version(way), at_once)
            if version != at_once or all(way[name] == at_once for name in question.needs)
        ]
    return frozenset(version for way in ways for version in way.values())


def held_answers(
    stored: Stored,
    alone: Sequence[Question],
    together: Question,
    own: frozenset[str],
) -> dict[StepName, str]:
    """For each answered step the version of the answer that holds. `own`: see `own_versions`.

    Answers that are returned together rest on each other. Where late replies have left several such
    sets, it is the one that answers the most steps.
    """
    if not stored:
        return {}
    at_once = together.version({})
    held = max(
        _consistent_versions(stored, alone, None),
        _consistent_versions(stored, alone, at_once),
        key=len,
    )
    if len(held) == len({step for step, _ in stored}):
        return held
    step_of = {part.name: part for question in alone for part in question.parts}
    others = {
        (step, version): answer
        for (step, version), answer in stored.items()
        if version not in own and step_of[step].can_be_true(answer)
    }
    mixed = (_consistent_versions(stored, alone, way, others) for way in (None, at_once))
    return max(held, *mixed, key=len)


def _consistent_versions(
    stored: Stored,
    alone: Sequence[Question],
    together: str | None,
    others: Stored | None = None,
) -> dict[StepName, str]:
    """Step → version of stored answers that rest on each other.

    `together`: the version of the combined question where its answers are preferred; None: those of
    single steps alone. `others` are answers to other versions, which fill the gaps.
    """
    versions: dict[StepName, str] = {}
    for question in alone:
        (step,) = question.steps
        if not all(name in versions for name in question.needs):
            continue
        asked = [question.version(versions)]
        if together is not None and all(versions[name] == together for name in question.needs):
            asked.insert(0, together)
        if others:
            asked += _fitting_other_versions(stored, question, versions, others)
        found = next((version for version in asked if (step, version) in stored), None)
        if found is not None:
            versions[step] = found
    return versions


def _fitting_other_versions(
    stored: Stored, question: Question, versions: Mapping[StepName, str], others: Stored
) -> list[str]:
    """Versions of those `others` that are consistent with the answers in `versions`.

    A version does not tell which earlier answers it was given with. So an answer counts only where
    each earlier step has a single answer, which it must have been given with.
    """
    (step,) = question.parts
    answers = Counter(name for name, _ in stored)
    if any(answers[name] > 1 for name in question.needs):
        return []
    before = {name: stored[name, versions[name]] for name in question.needs}
    return sorted(
        version
        for (name, version), answer in others.items()
        if name == step.name and step.rests_on(answer, before)
    )
