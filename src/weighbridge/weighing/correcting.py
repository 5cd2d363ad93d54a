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

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weighbridge.carbon.components import why_not_counted
from weighbridge.domain.answers import Answer, BillOfMaterials, Classification, Subject
from weighbridge.domain.bill_lines import LINES
from weighbridge.domain.corrections import Change
from weighbridge.errors import AnswerError, InputError
from weighbridge.weighing.near_matches import did_you_mean
from weighbridge.weighing.product_factors import FACTORS, factor_before
from weighbridge.weighing.understanding import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.answers import StepName
    from weighbridge.domain.corrections import Correction
    from weighbridge.domain.products import Product
    from weighbridge.steps.base import Step
    from weighbridge.steps.registered import Steps


NOT_APPLIED: Final = "not applied: "
"""Begins the note on a correction that does not fit the answers."""


class CorrectedAnswers(NamedTuple):
    """`notes` say what was corrected, and what could not be.

    `base` has the answers as they were given as a whole, by the model or in its place: the places
    of corrections are told apart by them. `placed` are the corrections with the places where they
    are now.
    """

    answers: dict[StepName, Answer]
    notes: tuple[str, ...]
    base: Mapping[StepName, Answer]
    placed: tuple[Correction, ...]

    def overridden(self, given: Mapping[StepName, Answer]) -> dict[StepName, Answer]:
        """The model's own answers to the steps that are corrected."""
        return {name: given[name] for name, answer in self.answers.items() if answer != given[name]}


class Made(NamedTuple):
    """What a change does to one product, and as what it is recorded."""

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
    """The answers with these corrections, in the order they were made; the latest of each place
    holds and is noted.
    """
    work = _Applying(product, given, corrections)
    for step in steps if corrections else ():
        if step.name in work.current:
            work.apply(step)
    return CorrectedAnswers(
        work.current,
        tuple(said for _, said in work.notes),
        work.base,
        tuple(work.placed),
    )


class _Applying:
    """Answers on their way to being corrected."""

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
        """Correct the answer to this step; those that it needs are corrected."""
        current = self.current
        if any(current.get(name) != self._given.get(name) for name in step.needs):
            corrected, base = Subject(self._product, current), Subject(self._product, self.base)
            current[step.name] = step.follow(current[step.name], corrected, base)
        for at in [n for n, each in enumerate(self.placed) if each.change.step == step.name]:
            each = self.placed[at]
            try:
                change = self._place(step, each)
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
            self.notes.append((change, f"corrected: {each.says}"))

    def _place(self, step: Step[Any], each: Correction) -> Change:
        """The change where its place is now. Raises AnswerError where there is none."""
        subject = Subject(self._product, self.base)
        return replace(each.change, path=step.relocate(each.change.path, each.anchor, subject))

    def _is_replaced(self, step: Step[Any], change: Change, at: int) -> bool:
        for later in self.placed[at + 1 :]:
            with suppress(AnswerError):
                if later.change.step == step.name and change.is_within(self._place(step, later)):
                    return True
        return False


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
    """What the change does to the product as it is corrected already. `as_given`: recorded as it
    is, and not with all that it is part of.

    Raises InputError when it cannot be made; the message names the product and the target.
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
    try:
        anchor = step.anchor(change.path, Subject(product, so_far.base))
        step.value_at(answer, change.path)
        changed = step.correct(subject, answer, change.path, change.value)
        path, value = change.path, change.value
        if not as_given:
            path, value = step.recorded_as(changed, path, value)
        before, after = step.value_at(answer, path), step.value_at(changed, path)
    except AnswerError as error:
        meant = _meant(step, change)
        raise InputError(f"{product.code}: {change.target}: {error}{meant}") from error
    return Made(Change(change.step, path, value), anchor, before, after)


def _meant(step: Step[Any], change: Change) -> str:
    """What the words of a refused change may be meant for: its value, or the name of its target."""
    if _is_attribute(change):
        return did_you_mean(change.path[1:], step.choices(change.path[:1]))
    return did_you_mean(words_of(change.value), step.choices(change.path))


def not_counted(
    product: Product,
    given: Mapping[StepName, Answer],
    corrections: Sequence[Correction],
    changes: Sequence[Change],
    steps: Steps,
    factors: FactorTable,
) -> list[str]:
    """What is wrong with attributes that somebody gives and the calculation would leave out, with
    all that is changed at once; `corrections` has the changes among them.
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
    is_one = len(change.path) == 2 and change.path[0] == "attributes"
    return is_one and change.step == BillOfMaterials.step
