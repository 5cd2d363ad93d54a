"""Which products share a call: nothing lost, nothing doubled, nothing over budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.planning.context import budget_for
from weighbridge.planning.cost import QuestionLoad
from weighbridge.planning.grouping import (
    GROUP_TOKENS,
    Group,
    Ready,
    TokenBudget,
    group_products,
)

if TYPE_CHECKING:
    import random

BUDGET = TokenBudget(6_000)

ready_lists = st.lists(
    st.builds(
        Ready,
        product_id=st.integers(1, 10_000),
        tokens=st.integers(0, 1_500) | st.integers(0, 9_000),
        has_image=st.booleans() | st.just(False),
        alone=st.just(False) | st.booleans(),
    ),
    max_size=60,
    unique_by=lambda product: product.product_id,
)
budgets = st.builds(
    TokenBudget,
    max_tokens_per_group=st.integers(1, 10_000),
    max_group_size=st.just(5),
    min_group_size=st.just(3),
)


@given(ready_lists, budgets)
def test_no_product_is_lost_or_duplicated(ready: list[Ready], budget: TokenBudget) -> None:
    groups = group_products(ready, budget)
    grouped = [product_id for group in groups for product_id in group.product_ids]
    assert sorted(grouped) == sorted(product.product_id for product in ready)
    assert all(group.product_ids for group in groups)


@given(ready_lists, budgets)
def test_no_group_is_above_five_or_over_budget(ready: list[Ready], budget: TokenBudget) -> None:
    tokens = {product.product_id: product.tokens for product in ready}
    for group in group_products(ready, budget):
        assert len(group.product_ids) <= 5
        assert group.tokens == sum(tokens[product_id] for product_id in group.product_ids)
        assert group.tokens <= budget.max_tokens_per_group or len(group.product_ids) == 1


@given(ready_lists)
def test_products_with_images_or_retries_go_alone(ready: list[Ready]) -> None:
    single = {p.product_id for p in ready if p.has_image or p.alone}
    for group in group_products(ready, BUDGET):
        assert len(group.product_ids) == 1 or single.isdisjoint(group.product_ids)


@given(ready_lists, budgets, st.randoms(use_true_random=False))
def test_any_input_order_gives_the_same_groups(
    ready: list[Ready], budget: TokenBudget, order: random.Random
) -> None:
    shuffled = list(ready)
    order.shuffle(shuffled)
    assert group_products(shuffled, budget) == group_products(ready, budget)


@given(ready_lists)
def test_groups_and_products_are_in_id_order(ready: list[Ready]) -> None:
    groups = group_products(ready, BUDGET)
    assert all(list(group.product_ids) == sorted(group.product_ids) for group in groups)
    first_ids = [group.product_ids[0] for group in groups]
    assert first_ids == sorted(first_ids)


@given(st.integers(3, 200))
def test_short_descriptions_make_groups_of_three_to_five(count: int) -> None:
    groups = group_products([Ready(i, 200, has_image=False) for i in range(count)], BUDGET)
    assert all(3 <= len(group.product_ids) <= 5 for group in groups)
    assert len(groups) == -(-count // 5)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (2, [2]), (5, [5]), (6, [3, 3]), (7, [4, 3]), (8, [5, 3]), (11, [5, 3, 3])],
)
def test_a_remainder_is_spread_over_groups(count: int, sizes: list[int]) -> None:
    groups = group_products([Ready(i, 200, has_image=False) for i in range(count)], BUDGET)
    assert [len(group.product_ids) for group in groups] == sizes


def test_full_groups_hold_neighbours() -> None:
    groups = group_products([Ready(i, 200, has_image=False) for i in range(10)], BUDGET)
    assert [group.product_ids for group in groups] == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)]


def test_long_descriptions_make_smaller_groups() -> None:
    groups = group_products([Ready(i, 2_500, has_image=False) for i in range(6)], BUDGET)
    assert [len(group.product_ids) for group in groups] == [2, 2, 2]


def test_one_long_description_does_not_break_up_its_neighbours() -> None:
    ready = [Ready(i, 5_500 if i == 2 else 300, has_image=False) for i in range(11)]
    groups = group_products(ready, BUDGET)
    assert sorted(len(group.product_ids) for group in groups) == [2, 4, 5]


def test_a_gap_is_filled_by_a_later_product_that_fits() -> None:
    tokens = [2_000, 2_000, 3_000, 2_000, 1_000]
    ready = [Ready(i, size, has_image=False) for i, size in enumerate(tokens)]
    groups = group_products(ready, BUDGET)
    assert [group.product_ids for group in groups] == [(0, 1, 3), (2, 4)]


def test_a_single_product_over_budget_goes_alone() -> None:
    assert group_products([Ready(7, 99_999, has_image=False)], BUDGET) == [Group((7,), 99_999)]


def test_no_products_make_no_group() -> None:
    assert group_products([], BUDGET) == []


LOADS = [QuestionLoad(2_400, 60.0, 80.0), QuestionLoad(3_600, 150.0, 200.0, 50.0)]


@pytest.mark.parametrize("context_tokens", [None, 1_050_000])
def test_a_large_context_changes_nothing(context_tokens: int | None) -> None:
    assert budget_for(LOADS, context_tokens) == TokenBudget(GROUP_TOKENS)


@given(st.integers(1, 20_000))
def test_groups_fit_a_small_context_with_question_and_answer(context_tokens: int) -> None:
    budget = budget_for(LOADS, context_tokens)
    assert budget.min_group_size <= budget.max_group_size
    if budget.max_group_size == 1:
        return
    for load in LOADS:
        each = load.data_tokens_per_product + load.allowance_per_product
        taken = load.prompt_tokens + budget.max_group_size * each + budget.max_tokens_per_group
        assert taken <= context_tokens


@pytest.mark.parametrize(("context_tokens", "size"), [(8_192, 5), (4_600, 2), (4_096, 1), (512, 1)])
def test_groups_become_smaller_as_the_context_does(context_tokens: int, size: int) -> None:
    assert budget_for(LOADS, context_tokens).max_group_size == size
