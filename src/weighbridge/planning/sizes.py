"""How much of a call a product takes: its text, the frame around it, and its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.planning.image_tokens import UNKNOWN_IMAGE_PX, image_tokens
from weighbridge.planning.tokens import count_tokens

if TYPE_CHECKING:
    from weighbridge.domain.products import Product

GROUP_TOKENS: Final = 6_000
"""Data tokens that share a call. Longer groups make answers worse before they make calls cheaper."""
FRAME_TOKENS: Final = 30
"""Field names, quotes and the weight of one product in the question."""


def product_tokens(product: Product, model: str) -> int:
    """Estimated prompt tokens of one product's data."""
    tokens = count_tokens(f"{product.code} {product.name} {product.description}") + FRAME_TOKENS
    if product.picture is not None:
        tokens += image_tokens(product.picture.width_px, product.picture.height_px, model)
    elif product.image_url is not None:
        tokens += image_tokens(*UNKNOWN_IMAGE_PX, model)
    return tokens
