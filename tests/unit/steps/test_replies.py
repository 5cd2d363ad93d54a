"""Replies are sorted by product code alone, and nothing that a model writes makes that fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.step_builders import AskedAlone, kind_entry, products_reply, reply, subject
from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.answers import Classification
from weighbridge.domain.calls import FinishReason
from weighbridge.errors import AnswerError, AnswerMalformed, AnswerTruncated, WrongProducts
from weighbridge.steps.classification import ClassificationStep
from weighbridge.steps.replies import match_entries

if TYPE_CHECKING:
    from tests.support.step_builders import OneStepAccepted

STEP = AskedAlone(ClassificationStep(small_vocabulary()))
GROUP = [subject("A-1"), subject("B-2"), subject("C-3")]
THREE = [
    kind_entry("A-1", "T-shirts & tops"),
    kind_entry("B-2", "Smartphones"),
    kind_entry("C-3", "Luminaires"),
]


def refused(accepted: OneStepAccepted) -> dict[str, type[AnswerError]]:
    return {refusal.code: type(refusal.error) for refusal in accepted.refusals}


def subcategory(accepted: OneStepAccepted, code: str) -> str:
    answer = accepted.answers[code]
    assert isinstance(answer, Classification)
    return answer.subcategory


def test_entries_in_any_order_reach_their_products() -> None:
    accepted = STEP.accept(products_reply(THREE[::-1]), GROUP)
    assert not accepted.refusals
    assert subcategory(accepted, "A-1") == "T-shirts & tops"
    assert subcategory(accepted, "C-3") == "Luminaires"


def test_a_missing_product_is_refused_alone() -> None:
    accepted = STEP.accept(products_reply([THREE[0], THREE[2]]), GROUP)
    assert set(accepted.answers) == {"A-1", "C-3"}
    assert refused(accepted) == {"B-2": WrongProducts}
    assert "B-2" in str(accepted.refusals[0].error)


def test_a_product_answered_twice_differently_is_refused() -> None:
    entries = [*THREE, kind_entry("A-1", "Laptops")]
    accepted = STEP.accept(products_reply(entries), GROUP)
    assert refused(accepted) == {"A-1": WrongProducts}


def test_identical_duplicate_answers_are_accepted_once() -> None:
    accepted = STEP.accept(products_reply([*THREE, THREE[0]]), GROUP)
    assert len(accepted.answers) == 3
    assert not accepted.refusals


def test_an_entry_for_a_foreign_product_is_ignored() -> None:
    accepted = STEP.accept(products_reply([*THREE, kind_entry("Z-9", "Laptops")]), GROUP)
    assert set(accepted.answers) == {"A-1", "B-2", "C-3"}


@pytest.mark.parametrize("echo", [" A-1 ", "a-1", "A -1", "Ａ-1", "A-1\n", "\u200bA-1"])
def test_a_code_in_another_case_or_spacing_is_recognised(echo: str) -> None:
    accepted = STEP.accept(products_reply([{**THREE[0], "code": echo}]), GROUP[:1])
    assert set(accepted.answers) == {"A-1"}


@pytest.mark.parametrize(
    "written", ['"A-1"', "SKU A-1", "#a-1", "A-1 (Cotton shirt)", "Product: A\u20111.", "\u200bA-1"]
)
def test_a_code_with_words_around_it_is_the_one_that_they_name(written: str) -> None:
    found = match_entries([{"code": written}], ["A-1", "A-1-XL", "B-2"])
    assert list(found) == ["A-1"]


@pytest.mark.parametrize("written", ["A-1 or B-2", "A-1-XL-2", "XA-1", "A-1/7", "1", "A-1" * 99])
def test_words_that_name_no_product_or_two_are_dropped(written: str) -> None:
    assert match_entries([{"code": written}], ["A-1", "A-1-XL", "B-2"]) == {}


def test_words_around_a_code_never_replace_an_entry_with_the_code_itself() -> None:
    entries = [{"code": "SKU A-1", "n": 1}, {"code": "A-1", "n": 2}]
    assert match_entries(entries, ["A-1", "B-2"]) == {"A-1": [entries[1]]}


def test_a_code_under_another_name_is_found_where_it_is_the_only_one() -> None:
    entries: list[dict[str, Any]] = [
        {"id": "A-1"},
        {"item": "B-2", "like": "C-3"},
        {"code": 7, "id": "C-3"},
    ]
    assert list(match_entries(entries, ["A-1", "B-2", "C-3"])) == ["A-1"]


def test_codes_that_differ_only_in_case_are_never_mixed_up() -> None:
    group = [subject("ab-1"), subject("AB-1")]
    entries = [kind_entry("AB-1", "Laptops"), kind_entry("Ab-1", "Smartphones")]
    accepted = STEP.accept(products_reply(entries), group)
    assert subcategory(accepted, "AB-1") == "Laptops"
    assert refused(accepted) == {"ab-1": WrongProducts}


def test_the_exact_code_wins_over_a_similar_one() -> None:
    entries = [kind_entry("a-1", "Smartphones"), kind_entry("A-1", "Laptops")]
    accepted = STEP.accept(products_reply(entries), GROUP[:1])
    assert subcategory(accepted, "A-1") == "Laptops"


def test_long_and_odd_codes_match_exactly() -> None:
    code = 'SKU/2024 "Größe" №42\\{' + "x" * 300
    accepted = STEP.accept(products_reply([kind_entry(code, "Laptops")]), [subject(code)])
    assert set(accepted.answers) == {code}


def test_a_code_that_is_a_number_in_the_reply_is_not_guessed_at() -> None:
    entry = {"code": 17, "subcategory": "Laptops", "confidence": "high"}
    accepted = STEP.accept(products_reply([entry]), [subject("17")])
    assert refused(accepted) == {"17": WrongProducts}


def test_a_truncated_reply_keeps_the_products_that_were_complete() -> None:
    text = json.dumps({"products": THREE})
    cut = text.index("C-3") + 20
    accepted = STEP.accept(reply(text[:cut], FinishReason.LENGTH), GROUP)
    assert set(accepted.answers) == {"A-1", "B-2"}
    assert refused(accepted) == {"C-3": AnswerTruncated}


@given(cut=st.integers(min_value=0, max_value=400))
def test_truncation_at_any_character_keeps_only_complete_products(cut: int) -> None:
    text = json.dumps({"products": THREE})
    shown = text[:cut]
    complete = [
        entry["code"]
        for entry in THREE
        if text.index(json.dumps(entry)) + len(json.dumps(entry)) <= cut
    ]
    accepted = STEP.accept(reply(shown, FinishReason.LENGTH), GROUP)
    assert sorted(accepted.answers) == complete
    assert set(refused(accepted).values()) <= {AnswerTruncated}
    for entry in THREE:
        if entry["code"] in complete:
            assert subcategory(accepted, entry["code"]) == entry["subcategory"]


def test_reads_a_reply_wrapped_in_prose_and_code_fences() -> None:
    text = "Here you are:\n```json\n" + json.dumps({"products": THREE}, indent=1) + "\n```"
    assert len(STEP.accept(reply(text), GROUP).answers) == 3


def test_a_declined_answer_refuses_every_product_with_a_hint() -> None:
    accepted = STEP.accept(reply("I can't help with that.", FinishReason.REFUSAL), GROUP)
    assert set(refused(accepted).values()) == {AnswerMalformed}
    assert "declined" in str(accepted.refusals[0].error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON at all",
        "null",
        "[]",
        "42",
        '{"products": "none"}',
        '{"items": []}',
        "<html>502</html>",
        "[" * 200_000,
        '{"products": [' + "[" * 200_000,
        '{"products": [' + "9" * 5_000,
    ],
)
def test_text_in_the_wrong_format_is_malformed_for_all(text: str) -> None:
    accepted = STEP.accept(reply(text), GROUP)
    assert refused(accepted) == dict.fromkeys(("A-1", "B-2", "C-3"), AnswerMalformed)


def test_reasoning_without_an_answer_is_named_for_what_it_is() -> None:
    accepted = STEP.accept(reply(""), GROUP)
    assert refused(accepted) == dict.fromkeys(("A-1", "B-2", "C-3"), AnswerMalformed)
    assert "nothing but reasoning" in str(accepted.refusals[0].error)


def test_a_quoted_products_list_is_not_mistaken_for_the_reply() -> None:
    quoted = json.dumps({"note": json.dumps({"products": THREE})})[:-2]
    assert not STEP.accept(reply(quoted), GROUP).answers


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["products", "code", "subcategory", "confidence", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    text=st.text(max_size=200)
    | JSON.map(json.dumps)
    | st.lists(JSON, max_size=4).map(lambda entries: json.dumps({"products": entries})),
    finish_reason=st.sampled_from(FinishReason),
)
@example(text='{"products": [{"code": "A-1", "subcategory": {}}]}', finish_reason=FinishReason.STOP)
def test_any_reply_accepts_or_refuses_each_product_once(
    text: str, finish_reason: FinishReason
) -> None:
    accepted = STEP.accept(reply(text, finish_reason), GROUP)
    answered, declined = set(accepted.answers), [item.code for item in accepted.refusals]
    assert answered.isdisjoint(declined)
    assert sorted([*answered, *declined]) == ["A-1", "B-2", "C-3"]


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("A&B-1", "A&amp;B-1"),
        ("A&B-1", "a&amp;amp;b-1"),
        ("O'Neill 5", "O&#39;Neill 5"),
        ("O'Neill 5", "O&#x27;neill  5"),
        ('12" pan', "12&quot; pan"),
        ("A<B>", "A&lt;B&gt;"),
        ("A&amp;B-1", "A&B-1"),
    ],
)
def test_an_escaped_code_is_the_product_that_it_can_only_mean(code: str, written: str) -> None:
    found = match_entries([{"code": written}, {"code": "B-2"}], [code, "B-2"])
    assert {name: len(entries) for name, entries in found.items()} == {code: 1, "B-2": 1}


def test_an_escaped_code_that_is_itself_a_product_is_that_product() -> None:
    entries = [{"code": "A&amp;B"}, {"code": "A&B"}]
    found = match_entries(entries, ["A&B", "A&amp;B"])
    assert found == {"A&B": [{"code": "A&B"}], "A&amp;B": [{"code": "A&amp;B"}]}
