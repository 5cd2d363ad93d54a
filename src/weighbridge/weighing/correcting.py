"""People's corrections over the model's answers: one pure function, applied before every
calculation.

    the model's answers ──┐
                          ├── corrected answers ── calculate
    active corrections ───┘

The answers themselves are never changed: a correction that is taken back leaves no trace in the
figure, and a model that is asked again is corrected again. Each step knows how its own values are
read and checked (`Step.correct`).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weighbridge.carbon.components import why_not_counted
from weighbridge.domain.answers import Answer, BillOfMaterials, Classification, Subject
from weighbridge.domain.bill_lines import LINES
from weighbridge.domain.corrections import NOT_APPLIED, Change
from weighbridge.errors import AnswerError, InputError
from weighbridge.weighing.near_matches import WHOLE_LIST, did_you_mean
from weighbridge.weighing.product_factors import FACTORS, factor_before
from weighbridge.weighing.understanding import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.answers import StepName
    from weighbridge.domain.corrections import Correction, Path
    from weighbridge.domain.products import Product
    from weighbridge.steps.base import Step
    from weighbridge.steps.registered import Steps


_ALMOST_A_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9.,' ]*\s*[A-Za-z%]*")


class CorrectedAnswers(NamedTuple):
    """The answers by step, as corrected. `notes` say what was corrected, and what could not be.

    `base` has the answers without the corrections of single values: as the model gave them, or a
    person in its place (a whole bill). In these the line that a correction is about is found again.
    `placed` are the corrections with the paths that they have now.
    """

    answers: dict[StepName, Answer]
    notes: tuple[str, ...]
    base: Mapping[StepName, Answer]
    placed: tuple[Correction, ...]

    def overridden(self, given: Mapping[StepName, Answer]) -> dict[StepName, Answer]:
        """The model's own answers to those steps whose answers are corrected; `given` has all of
        its answers.
        """
        return {name: given[name] for name, answer in self.answers.items() if answer != given[name]}


class Made(NamedTuple):
    """What a change does to one product: the value before and after it, and the path under which it
    is recorded.

    `anchor` is that of a `Correction`.
    """

    change: Change
    anchor: str | None
    before: Any
    after: Any


def corrected(
    product: Product,
    given: Mapping[StepName, Answer],
    corrections: Sequence[Correction],
    steps: Steps,
) -> CorrectedAnswers:
    """The model's answers (`given`) with these corrections, in the order in which they were made.
    Of several corrections of the same value the latest counts, and has a note.
    """
    work = _CorrectionRun(product, given, corrections)
    for step in steps if corrections else ():
        if step.name in work.current:
            work.apply(step)
    return CorrectedAnswers(
        work.current,
        tuple(said for _, said in work.notes),
        work.base,
        tuple(work.placed),
    )


class _CorrectionRun:
    """The answers of one product while they are corrected, step by step. The public fields are
    those of the `CorrectedAnswers` that come out of it; each note is kept with the change that it
    is about.
    """

    def __init__(
        self,
        product: Product,
        given: Mapping[StepName, Answer],
        corrections: Sequence[Correction],
    ) -> None:
        self._product = product
        self._given = given
        self.current = dict(given)
        self.base = dict(given)
        self.placed = list(corrections)
        self.notes: list[tuple[Change, str]] = []

    def apply(self, step: Step[Any]) -> None:
        """Apply the corrections of this step. Those of the steps that it needs have been applied
        already.
        """
        current = self.current
        if any(current.get(name) != self._given.get(name) for name in step.needs):
            corrected, base = Subject(self._product, current), Subject(self._product, self.base)
            current[step.name] = step.follow(current[step.name], corrected, base)
        for at in [n for n, each in enumerate(self.placed) if each.change.step == step.name]:
            each = self.placed[at]
            try:
                change = self._relocated(step, each)
                self.placed[at] = replace(each, change=change)
                if not step.corrections_add_up and self._is_replaced(step, change, at):
                    continue
                subject = Subject(self._product, current)
                answer = step.correct(subject, current[step.name], change.path, change.value)
            except AnswerError as error:
                self.notes.append((each.change, f"{NOT_APPLIED}{each.says}: {error}"))
                continue
            current[step.name] = answer
            if change.path == (LINES,):
                self.base[step.name] = answer
            self.notes = [one for one in self.notes if not one[0].is_within(change)]
            self.notes.append((change, each.note(_names(step, change.path))))

    def _relocated(self, step: Step[Any], each: Correction) -> Change:
        """The change with the path that its value has now. Raises AnswerError where the value is
        gone.
        """
        subject = Subject(self._product, self.base)
        return replace(each.change, path=step.relocate(each.change.path, each.anchor, subject))

    def _is_replaced(self, step: Step[Any], change: Change, at: int) -> bool:
        """Whether a later correction (those after `at`) is of the same value, or of a whole that it
        is part of.
        """
        for later in self.placed[at + 1 :]:
            with suppress(AnswerError):
                if later.change.step == step.name and change.is_within(
                    self._relocated(step, later)
                ):
                    return True
        return False


@lru_cache(256)
def _names(step: Step[Any], path: Path) -> Mapping[str, str]:
    """Key → name of what the value at `path` is chosen from."""
    return step.choices(path)


def make_change(
    product: Product,
    given: Mapping[StepName, Answer],
    corrections: Sequence[Correction],
    change: Change,
    steps: Steps,
    factors: FactorTable,
    *,
    as_given: bool = False,
) -> Made:
    """What the change does to the product, on top of its earlier corrections.

    `as_given`: the change is recorded with the path and value that it has; otherwise a fact of a
    process is recorded with all processes of its line (see `Step.recorded_as`).

    Raises InputError when the change cannot be made; the message names the product and the target.
    """
    if change.step == FACTORS:
        subject = Subject(product, corrected(product, given, corrections, steps).answers)
        before = factor_before(product.code, factors, subject, change, corrections)
        return Made(change, None, before, change.value)
    step = next((step for step in steps if step.name == change.step), None)
    if step is None or change.step not in given:
        known = ", ".join((*steps.names, FACTORS))
        raise InputError(f"{change.target}: there is no such step. Choose one of: {known}.")
    so_far = corrected(product, given, corrections, steps)
    subject = Subject(product, so_far.answers)
    answer = subject.answers[change.step]
    is_there = _is_attribute(change)
    try:
        anchor = step.anchor(change.path, Subject(product, so_far.base))
        step.value_at(answer, change.path)
        is_there = True
        changed = step.correct(subject, answer, change.path, change.value)
        path, value = change.path, change.value
        if not as_given:
            path, value = step.recorded_as(changed, path, value)
        before, after = step.value_at(answer, path), step.value_at(changed, path)
    except AnswerError as error:
        meant = _suggestion(step, change) if is_there else ""
        raise InputError(f"{product.code}: {change.target}: {error}{meant}") from error
    return Made(Change(change.step, path, value), anchor, before, after)


def _suggestion(step: Step[Any], change: Change) -> str:
    """A sentence with what the words of a refused change may be meant for, or how to write it; ""
    where there is nothing to say.
    """
    if _is_attribute(change) and change.path[1] not in (names := step.choices(change.path[:1])):
        return did_you_mean(change.path[1:], names) or f" Choose one of: {', '.join(names)}."
    choices, words = step.choices(change.path), words_of(change.value)
    if choices and any(word not in choices for word in words):
        return did_you_mean(words, choices) or WHOLE_LIST
    if isinstance(change.value, str) and _ALMOST_A_NUMBER.fullmatch(change.value.strip()):
        return " Write it with a decimal point and without a unit, such as 0.25."
    return ""


def not_counted(
    product: Product,
    given: Mapping[StepName, Answer],
    corrections: Sequence[Correction],
    changes: Sequence[Change],
    steps: Steps,
    factors: FactorTable,
) -> list[str]:
    """A message for each attribute in `changes` that the calculation would leave out, with the
    reason; `corrections` must have the changes among them.
    """
    named = {change.path[1] for change in changes if _is_attribute(change)}
    if not named:
        return []
    answers = corrected(product, given, corrections, steps).answers
    bill = Subject(product, answers).answer(BillOfMaterials)
    kind = Subject(product, answers).answer(Classification)
    if bill is None or kind is None:
        return []
    return [
        f"{product.code}: {BillOfMaterials.step}.attributes.{attribute.name}: {reason}"
        for attribute in bill.attributes
        if attribute.name in named
        and (reason := why_not_counted(attribute, kind.subcategory, bill, factors))
    ]


def _is_attribute(change: Change) -> bool:
    """Whether the change is about an attribute of the bill."""
    is_one = len(change.path) == 2 and change.path[0] == "attributes"
    return is_one and change.step == BillOfMaterials.step
