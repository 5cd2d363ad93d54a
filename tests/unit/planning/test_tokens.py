"""Tokens of prompts, and allowances learned from answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.answers import BillOfMaterials, Classification
from weighbridge.domain.calls import CallRequest
from weighbridge.planning.image_tokens import UNKNOWN_IMAGE_PX, image_tokens
from weighbridge.planning.tokens import (
    ENOUGH,
    FIXED_TOKENS,
    REMEMBERED,
    OutputAllowances,
    Remembered,
    content_tokens,
    request_tokens,
)
from weighbridge.tokenizer import count_tokens

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"category": {"type": "string"}}}


def request(content: str = "A chair.", **other: Any) -> CallRequest:
    parts: dict[str, Any] = {
        "instructions": "Classify the products.",
        "content": content,
        "schema_name": "classification",
        "schema": SCHEMA,
        "max_output_tokens": 100,
    }
    return CallRequest(**parts | other)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("Hello world", 2), ("<|endoftext|>", 7), ("Gartenstuhl", 3), ("a\ud800b", 3)],
)
def test_texts_are_counted_in_the_o200k_vocabulary(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_a_text_of_any_length_can_be_counted() -> None:
    assert count_tokens("chair " * 400_000) in range(400_000, 400_003)
    assert count_tokens("\U00010331" * 100_000) == 400_000


@given(st.text(max_size=300), st.text(max_size=300))
def test_counting_pieces_separately_is_nearly_exact(one: str, other: str) -> None:
    assert count_tokens(one + other) <= count_tokens(one) + count_tokens(other) + 4


KEYS = st.sampled_from(
    ['"code":', '"description":', '"weight_kg":', 'code":', '"', "':", "'s", " "]
)


@given(st.lists(st.one_of(KEYS, st.text(max_size=40)), max_size=12).map("".join))
def test_counting_products_one_by_one_gives_the_same_total(content: str) -> None:
    assert content_tokens(content) == count_tokens(content)


def test_evicted_counts_are_recomputed_and_memory_is_bounded() -> None:
    memory = Remembered(most=3)
    texts = [f"chair {number} " * number for number in range(20)]
    for text in (*texts, *reversed(texts)):
        assert memory.tokens(text) == count_tokens(text)
        assert len(memory) <= 2 * 3


def test_a_prompt_is_counted_with_its_schema_and_frame() -> None:
    parts = ["Classify the products.", "A chair.", json.dumps(SCHEMA, separators=(",", ":"))]
    inside = sum(count_tokens(part) for part in parts)
    assert inside < request_tokens(request()) < inside + 40


def test_equal_schemas_count_alike_and_different_ones_do_not() -> None:
    larger = {"type": "object", "enum": ["chair", "table", "lamp", "shelf"]}
    assert request_tokens(request(schema=dict(SCHEMA))) == request_tokens(request())
    assert request_tokens(request(schema=larger)) != request_tokens(request())
    assert request_tokens(request(schema=larger)) == request_tokens(request(schema=larger))


def test_a_picture_of_known_size_is_counted_by_its_size() -> None:
    with_image = request(image_urls=("data:image/png;base64,AAAA",))
    more = request_tokens(with_image, "gpt-4o", [(128, 64)]) - request_tokens(request(), "gpt-4o")
    assert more == 255


def test_every_picture_of_a_call_is_counted() -> None:
    four = request(image_urls=("data:image/png;base64,AAAA", "https://a.example/b.jpg") * 2)
    sizes = [(128, 64), None, (1024, 1024), None]
    more = request_tokens(four, "gpt-4o", sizes) - request_tokens(request(), "gpt-4o")
    assert more == 255 + 765 + 2 * image_tokens(*UNKNOWN_IMAGE_PX, "gpt-4o")


def test_a_picture_of_unknown_size_is_counted_as_a_usual_one() -> None:
    with_image = request(image_urls=("https://example.org/chair.jpg",))
    more = request_tokens(with_image, "gpt-4.1-mini") - request_tokens(request())
    assert more == image_tokens(*UNKNOWN_IMAGE_PX, "gpt-4.1-mini")


def lengths() -> OutputAllowances:
    return OutputAllowances({Classification.step: 60, BillOfMaterials.step: 400})


def test_without_history_the_allowance_is_the_expected_length_plus_a_margin() -> None:
    assert lengths().allowance("classification", 5) == 375 + FIXED_TOKENS


def test_with_history_the_allowance_is_tight() -> None:
    learned = lengths()
    for index in range(100):
        learned.observe(Classification.step, 5, 180 + index % 20, truncated=False)
    assert 199 < learned.allowance(Classification.step, 5) < 199 * 1.4
    assert learned.allowance("bill_of_materials", 5) == 2_500 + FIXED_TOKENS


def test_an_unseen_group_size_is_scaled_from_the_nearest() -> None:
    learned = lengths()
    for _ in range(ENOUGH):
        learned.observe("classification", 5, 500, truncated=False)
        learned.observe("classification", 1, 300, truncated=False)
    assert learned.allowance("classification", 4) == 460 + FIXED_TOKENS
    assert learned.allowance("classification", 2) == 690 + FIXED_TOKENS
    assert learned.allowance("classification", 3) == 345 + FIXED_TOKENS


def test_a_few_long_answers_count_before_statistics_exist() -> None:
    learned = lengths()
    learned.observe("classification", 1, 1_000, truncated=False)
    assert learned.allowance("classification", 1) == 1_150 + FIXED_TOKENS
    assert learned.allowance("classification", 2) == 150 + FIXED_TOKENS


def test_truncated_answers_raise_the_allowance() -> None:
    learned = lengths()
    for _ in range(50):
        learned.observe("classification", 5, 300, truncated=False)
    before = learned.allowance("classification", 5)
    for _ in range(5):
        learned.observe("classification", 5, before, truncated=True)
    assert learned.allowance("classification", 5) > 1.4 * before


def test_each_failed_attempt_doubles_the_allowance() -> None:
    learned = lengths()
    usual = learned.allowance("classification", 1)
    assert [learned.allowance("classification", 1, failed) for failed in range(4)] == [
        usual,
        2 * usual,
        4 * usual,
        8 * usual,
    ]


def test_a_model_that_writes_without_end_is_not_allowed_ever_more() -> None:
    learned = lengths()
    most = 0
    for _ in range(50):
        for attempts in range(4):
            allowance = learned.allowance("bill_of_materials", 1, attempts)
            learned.observe("bill_of_materials", 1, allowance, truncated=True, attempts=attempts)
            most = max(most, allowance)
    assert most <= 3 * learned.allowance("bill_of_materials", 1)
    assert most < 20_000


def test_a_retry_that_was_cut_says_nothing_of_what_is_usual() -> None:
    learned = lengths()
    before = learned.allowance("classification", 1)
    learned.observe("classification", 1, 4 * before, truncated=True, attempts=2)
    assert learned.allowance("classification", 1) == before
    learned.observe("classification", 1, 4 * before, truncated=False, attempts=2)
    assert learned.allowance("classification", 1) > 4 * before


def test_old_answers_are_forgotten() -> None:
    learned = lengths()
    for _ in range(REMEMBERED):
        learned.observe("classification", 5, 5_000, truncated=False)
    for _ in range(REMEMBERED):
        learned.observe("classification", 5, 100, truncated=False)
    assert learned.allowance("classification", 5) == 115 + FIXED_TOKENS
    assert len(learned.dump()["classification"]["5"]) == REMEMBERED


observations = st.lists(
    st.tuples(
        st.sampled_from(["classification", "bill_of_materials"]),
        st.integers(1, 5),
        st.integers(1, 5_000),
        st.booleans(),
    ),
    max_size=60,
)


@given(observations)
def test_output_lengths_round_trip(seen: list[tuple[str, int, int, bool]]) -> None:
    learned, again = lengths(), lengths()
    for step, size, tokens, truncated in seen:
        learned.observe(step, size, tokens, truncated)
    again.load(json.loads(json.dumps(learned.dump())))
    assert again.dump() == learned.dump()
    for step, size, *_ in seen:
        assert again.allowance(step, size) == learned.allowance(step, size)


@given(observations, st.integers(1, 5))
def test_an_allowance_covers_the_lengths_seen(
    seen: list[tuple[str, int, int, bool]], size: int
) -> None:
    learned = lengths()
    for step, group_size, tokens, truncated in seen:
        learned.observe(step, group_size, tokens, truncated)
    mine = [tokens for step, group, tokens, _ in seen if step == "classification" and group == size]
    assert learned.allowance("classification", size) >= max(mine, default=1)


def test_a_step_that_is_no_longer_asked_is_forgotten() -> None:
    learned = lengths()
    learned.load({"packaging": {"5": [100]}, "classification": {"5": [1]}})
    assert learned.dump() == {"classification": {"5": [1]}}
