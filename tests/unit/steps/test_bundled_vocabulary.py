"""The questions with the lists that come with the package: within the provider's limits, and not
too dear.
"""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from tests.support.step_builders import with_bill
from weighbridge.factor_sources.bundled import BundledFactors, load_taxonomy
from weighbridge.planning.tokens import OutputAllowances
from weighbridge.steps import build_questions

if TYPE_CHECKING:
    from weighbridge.steps import Question

QUESTIONS = build_questions(BundledFactors().load().vocabulary(load_taxonomy()))

# Instructions and schema are paid for (and count against the tokens per minute) in every call: a
# group of five shares them. Raising a ceiling costs throughput; below the floor, the provider
# caches nothing.
CACHED_FROM_TOKENS = 1_024
SHORTEST_OUTPUT_LIMIT_TOKENS = (
    4_096  # of the older models that know strict schemas, and some servers
)
CEILINGS_TOKENS = {
    "classification": 1_950,
    "bill_of_materials": 3_450,
    "manufacturing": 1_900,
    "together": 6_800,
}


def count_tokens(text: str) -> int:
    # The tokenizer opens its data in a way that Python 3.11 and 3.12 call deprecated.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        encoding = import_module("bpe_openai").get_encoding("o200k_base")
    return len(encoding.encode(text))


@pytest.mark.parametrize(
    "question", [*QUESTIONS.alone, QUESTIONS.together], ids=lambda question: question.name
)
def test_the_constant_prompt_prefix_is_cacheable_and_within_budget(
    question: Question,
) -> None:
    request = question.request([with_bill("A", "pp_resin")], 100)
    schema = json.dumps(request.schema, ensure_ascii=False, separators=(",", ":"))
    tokens = count_tokens(request.instructions) + count_tokens(schema)
    assert CACHED_FROM_TOKENS <= tokens <= CEILINGS_TOKENS[question.name]


@pytest.mark.parametrize(
    "question", [*QUESTIONS.alone, QUESTIONS.together], ids=lambda question: question.name
)
def test_initial_allowances_fit_the_smallest_models(
    question: Question,
) -> None:
    allowance = OutputAllowances(QUESTIONS.expected_lengths()).allowance(question.name, 5)
    assert allowance <= SHORTEST_OUTPUT_LIMIT_TOKENS


def test_every_family_of_the_process_table_has_materials() -> None:
    vocabulary = BundledFactors().load().vocabulary(load_taxonomy())
    families = {term.family for term in vocabulary.materials.values()}
    assert {
        family for term in vocabulary.processes.values() for family in term.families
    } <= families
