"""How much of a call a product takes: its text, the frame around it, and its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from weighbridge.planning.image_tokens import UNKNOWN_IMAGE_PX, image_tokens
from weighbridge.planning.tokens import content_tokens

if TYPE_CHECKING:
    from weighbridge.domain.products import Product

GROUP_TOKENS: Final = 6_000
"""Data tokens that share a call. Longer groups make answers worse before they make calls cheaper."""


def product_tokens(product: Product, model: str) -> int:
    """Estimated prompt tokens of one product's data."""
    # Written as in the first question, which then finds these very pieces counted.
    row = {
        "code": product.code,
        "name": product.name,
        "description": product.description,
        "weight_kg": product.weight_kg,
    }
    tokens = content_tokens(to_json(row).decode())
    if product.picture is not None:
        tokens += image_tokens(product.picture.width_px, product.picture.height_px, model)
    elif product.image_url is not None:
        tokens += image_tokens(*UNKNOWN_IMAGE_PX, model)
    return tokens
