"""Limits groups so that they fit the model's context. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.planning.grouping import (
    GROUP_TOKENS,
    MAX_GROUP_SIZE,
    MIN_GROUP_SIZE,
    TokenBudget,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.planning.cost import QuestionLoad

LEAST_PRODUCT_TOKENS: Final = 100
"""Tokens of a product with a short description. A group has at most as many products as leave each
of them this much room in the model's context.
"""


def budget_for(loads: Sequence[QuestionLoad], context_tokens: int | None) -> TokenBudget:
    """The largest group for which each of these questions, with its answer, fits the context.

    `context_tokens` is None where the context is unknown. If it is too small for two products,
    groups have one, which the server may still refuse.
    """
    if context_tokens is None:
        return TokenBudget(GROUP_TOKENS)
    for size in range(MAX_GROUP_SIZE, 1, -1):
        left = min(_tokens_left_for_data(load, size, context_tokens) for load in loads)
        if left >= size * LEAST_PRODUCT_TOKENS:
            return TokenBudget(min(GROUP_TOKENS, left), size, min(size, MIN_GROUP_SIZE))
    return TokenBudget(GROUP_TOKENS, 1, 1)


def _tokens_left_for_data(load: QuestionLoad, size: int, context_tokens: int) -> int:
    per_product = load.data_tokens_per_product + load.allowance_per_product
    return int(context_tokens - load.prompt_tokens - size * per_product)
