"""What is stored is what was answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.answers import (
    Answer,
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
    StepName,
)
from weighbridge.domain.facts import ENERGY_FIGURES, ProcessFacts
from weighbridge.errors import AnswerMalformed
from weighbridge.steps import build_questions

STEPS = build_questions(small_vocabulary()).steps

WORDS = st.text(max_size=20)
MASSES = st.floats(min_value=0, max_value=1e9, exclude_min=True)
FACTS = ProcessFacts._fields
SURENESS = st.sampled_from(Confidence)
KNOWN = st.builds(
    ProcessFacts, *(st.none() | (MASSES if n in ENERGY_FIGURES else WORDS) for n in FACTS)
)
ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    st.builds(Classification, WORDS, WORDS, SURENESS),
    st.builds(
        BillOfMaterials,
        st.lists(st.builds(BomLine, WORDS, MASSES, WORDS), max_size=5).map(tuple),
        MASSES,
        st.booleans(),
        st.none() | st.booleans(),
        SURENESS,
    ),
    st.builds(
        ManufacturingProcesses,
        st.lists(st.builds(ProcessUse, WORDS, WORDS, st.none(), KNOWN), max_size=5).map(tuple),
        SURENESS,
    ),
)


@given(answer=ANSWERS)
def test_stored_answers_round_trip(answer: Answer) -> None:
    stored = json.dumps(STEPS.encode(answer))
    assert STEPS.decode(answer.step, json.loads(stored)) == answer


@pytest.mark.parametrize("step", STEPS.names)
@pytest.mark.parametrize(
    "data", [{}, {"confidence": "sure"}, {"lines": 3, "uses": 3, "category": 1}]
)
def test_invalid_stored_data_asks_for_reprocessing(step: StepName, data: dict[str, Any]) -> None:
    with pytest.raises(AnswerMalformed, match="Process the product again"):
        STEPS.decode(step, data)
