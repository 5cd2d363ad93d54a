"""What every step promises: what is stored comes back, and what is shown is what it says it
shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.vocabulary import small_vocabulary
from tests.toys.packaging import PackagingStep
from weighbridge.errors import AnswerMalformed
from weighbridge.steps import STEPS
from weighbridge.steps.registered import Steps

REGISTERED = Steps([*STEPS, PackagingStep], small_vocabulary())
every_step = pytest.mark.parametrize("name", REGISTERED.names)


def step_named(name: str) -> Any:
    """The step of this name."""
    return next(step for step in REGISTERED if step.name == name)


@every_step
def test_stored_answers_round_trip(name: str) -> None:
    answer = step_named(name).usual_answer()
    stored = json.loads(json.dumps(REGISTERED.encode(answer)))
    assert isinstance(stored, dict)
    assert REGISTERED.decode(name, stored) == answer


@every_step
@pytest.mark.parametrize("data", [{}, {"confidence": "sure"}, {"lines": 3, "uses": 3, "kind": 1}])
def test_invalid_stored_data_asks_for_reprocessing(name: str, data: dict[str, Any]) -> None:
    with pytest.raises(AnswerMalformed, match="Process the product again"):
        REGISTERED.decode(name, data)


@every_step
def test_a_usual_answer_is_one_that_todays_lists_allow(name: str) -> None:
    step = step_named(name)
    assert step.can_be_true(step.usual_answer())


@every_step
def test_fields_have_the_kind_that_they_say(name: str) -> None:
    step = step_named(name)
    answer = step.usual_answer()
    for field in step.fields:
        value = field.value(answer)
        if isinstance(field.kind, Mapping):
            assert field.column is None, "a list has no cell in a table"
            for record in value:
                assert record.keys() == field.kind.keys()
                known = {key: type(part) for key, part in record.items() if part is not None}
                assert known == {key: field.kind[key] for key in known}
        else:
            assert isinstance(value, field.kind)


@every_step
def test_every_needed_step_comes_before(name: str) -> None:
    before = REGISTERED.names[: REGISTERED.names.index(name)]
    assert set(step_named(name).needs) <= set(before)


def test_no_two_fields_have_one_name() -> None:
    for names in (
        [field.name for field in REGISTERED.fields],
        [field.json_name for field in REGISTERED.fields],
    ):
        assert len(set(names)) == len(names)


def test_a_product_without_an_answer_shows_empty_fields() -> None:
    shown = REGISTERED.shown({})
    assert shown == {field.name: field.empty for field in REGISTERED.fields}
