"""Decides which products share a call: three to five without an image, depending on their tokens; a
product with an image has a call of its own.

The dispatcher asks here when it takes pending products, and makes one job of each group. Pure and
deterministic: the same products give the same groups, in whichever order they come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from weighbridge.domain.products import Picture
from weighbridge.planning.image_tokens import UNKNOWN_IMAGE_PX, image_tokens
from weighbridge.planning.tokens import content_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.domain.products import Product

GROUP_TOKENS: Final = 6_000
"""The most tokens of product data in one call.

Calls with more data give worse answers and are hardly cheaper.
"""

MAX_GROUP_SIZE: Final = 5
MIN_GROUP_SIZE: Final = 3

OPEN_GROUPS: Final = 4
"""Number of groups that are filled at the same time. With several, one long description does not
separate the products around it; with few, the products of a group are close together in the
catalogue, where they tend to be alike.
"""


@dataclass(frozen=True, slots=True)
class Ready:
    """A product that waits to be grouped. `alone`: it must not share a call with others."""

    product_id: int
    tokens: int
    has_image: bool
    alone: bool = False


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """The most tokens of product data and the most products that a group may have, and how many
    products it should have at least.
    """

    max_tokens_per_group: int
    max_group_size: int = MAX_GROUP_SIZE
    min_group_size: int = MIN_GROUP_SIZE


@dataclass(frozen=True, slots=True)
class Group:
    """Products that share a call, in the order of their ids. `tokens` are those of their data."""

    product_ids: tuple[int, ...]
    tokens: int


def product_tokens(product: Product, model: str) -> int:
    """Estimated prompt tokens of one product's data."""
    return content_tokens(product_text(product)) + picture_tokens(product, model)


def product_text(product: Product) -> str:
    """One product's data as in the first question: `content_tokens` then has its texts counted
    already.
    """
    row = {
        "code": product.code,
        "name": product.name,
        "description": product.description,
        "weight_kg": product.weight_kg,
        **product.facts.shown(),
    }
    return to_json(row).decode()


def picture_tokens(product: Product, model: str) -> int:
    """Estimated prompt tokens of one product's pictures."""
    tokens = 0
    for picture in product.pictures:
        size_px = UNKNOWN_IMAGE_PX
        if isinstance(picture, Picture):
            size_px = picture.width_px, picture.height_px
        tokens += image_tokens(*size_px, model)
    return tokens


def group_products(ready: Iterable[Ready], budget: TokenBudget) -> list[Group]:
    """Put each product into exactly one group; ids must be unique.

    No group exceeds the budget, except that a product which has too many tokens itself becomes a
    group of one. Groups are in the order of their first ids.
    """
    in_order = sorted(ready, key=lambda product: product.product_id)
    single = [
        product
        for product in in_order
        if product.has_image or product.alone or product.tokens >= budget.max_tokens_per_group
    ]
    singles = {product.product_id for product in single}
    shared = _fill([p for p in in_order if p.product_id not in singles], budget)
    _top_up(shared, budget)
    groups = [[product] for product in single] + shared
    for members in groups:
        members.sort(key=lambda product: product.product_id)
    groups.sort(key=lambda members: members[0].product_id)
    return [
        Group(tuple(product.product_id for product in members), _tokens(members))
        for members in groups
    ]


def _tokens(members: list[Ready]) -> int:
    return sum(product.tokens for product in members)


def _fits(product: Ready, members: list[Ready], budget: TokenBudget) -> bool:
    return (
        len(members) < budget.max_group_size
        and _tokens(members) + product.tokens <= budget.max_tokens_per_group
    )


def _fill(products: list[Ready], budget: TokenBudget) -> list[list[Ready]]:
    """Groups of these products: each goes to the first open group that has room for it, else to a
    new one.
    """
    groups: list[list[Ready]] = []
    still_open: list[list[Ready]] = []
    for product in products:
        for members in still_open:
            if _fits(product, members, budget):
                members.append(product)
                break
        else:
            members = [product]
            groups.append(members)
            still_open.append(members)
        still_open = [m for m in still_open if len(m) < budget.max_group_size][-OPEN_GROUPS:]
    return groups


def _top_up(groups: list[list[Ready]], budget: TokenBudget) -> None:
    """Move products from large groups to small ones nearby, until these have `min_group_size`: six
    products become 3 + 3, not 5 + 1.
    """
    for index, small in enumerate(groups):
        if len(small) >= budget.min_group_size:
            continue
        neighbours = groups[max(0, index - OPEN_GROUPS) : index + OPEN_GROUPS + 1]
        neighbours.sort(key=lambda members: abs(members[0].product_id - small[0].product_id))
        for members in neighbours:
            while len(small) < budget.min_group_size < len(members) and _fits(
                members[-1], small, budget
            ):
                small.append(members.pop())
