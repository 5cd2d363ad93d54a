"""What a picture takes from the token budget, by OpenAI's published formulas.

Used by `tokens.py`. Two families of models count differently: patches of 32 × 32 pixels with a factor
per model, or tiles of 512 × 512 pixels after scaling (guide "Images and vision", calculating costs). For
other providers this is an estimate; what was really charged is settled after the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Final

PATCH_PX: Final = 32
PATCHES_MAX: Final = 1536
TILE_PX: Final = 512
TILES_SQUARE_PX: Final = 2048
TILES_SHORT_SIDE_PX: Final = 768

UNKNOWN_IMAGE_PX: Final = (1200, 1200)
"""The size of a picture that only the provider will see: usual for shops, and near the most there is to pay."""


@dataclass(frozen=True, slots=True)
class Patches:
    """Counts 32 px patches, at most 1,536 of them."""

    factor: float


@dataclass(frozen=True, slots=True)
class Tiles:
    """Counts 512 px tiles, on top of a base."""

    base: int
    per_tile: int


UNKNOWN_MODEL: Final = Patches(1.72)

IMAGE_PRICES: Final[dict[str, Patches | Tiles]] = {
    "gpt-4.1-mini": Patches(1.62),
    "gpt-4.1-nano": Patches(2.46),
    "o4-mini": Patches(1.72),
    # The guide says 1.62 and 2.46 for these two; users measure 1.2 and 1.5. The higher ones are reserved.
    "gpt-5-mini": Patches(1.62),
    "gpt-5-nano": Patches(2.46),
    "gpt-5.4-mini": Patches(1.62),
    "gpt-5.4-nano": Patches(2.46),
    "gpt-4o": Tiles(85, 170),
    "gpt-4.1": Tiles(85, 170),
    "gpt-4.5": Tiles(85, 170),
    "gpt-4o-mini": Tiles(2833, 5667),
    "gpt-5": Tiles(70, 140),
    "o1": Tiles(75, 150),
    "o3": Tiles(75, 150),
    "computer-use-preview": Tiles(65, 129),
}
"""By the beginning of the model's name; the longest one that fits counts."""


def image_tokens(width_px: int, height_px: int, model: str) -> int:
    """Tokens of a picture at the detail that the provider chooses by itself (high)."""
    price = image_price(model)
    if isinstance(price, Tiles):
        return price.base + price.per_tile * _tiles(width_px, height_px)
    return ceil(round(_patches(width_px, height_px) * price.factor, 6))


def image_price(model: str) -> Patches | Tiles:
    """How a model counts. Knows fine-tuned (`ft:…`), dated and prefixed (`openai/…`) names."""
    name = model.removeprefix("ft:").rpartition("/")[2]
    known = [prefix for prefix in IMAGE_PRICES if name.startswith(prefix)]
    return IMAGE_PRICES[max(known, key=len)] if known else UNKNOWN_MODEL


def _patches(width_px: int, height_px: int) -> int:
    patches = ceil(width_px / PATCH_PX) * ceil(height_px / PATCH_PX)
    if patches <= PATCHES_MAX:
        return patches
    # Shrunk to fit, then a little more, until a whole number of patches fits one of the sides.
    shrink = sqrt(PATCHES_MAX * PATCH_PX**2 / (width_px * height_px))
    wide, high = width_px * shrink / PATCH_PX, height_px * shrink / PATCH_PX
    fit = min(max(1, floor(wide)) / wide, max(1, floor(high)) / high)
    return min(ceil(round(wide * fit, 6)) * ceil(round(high * fit, 6)), PATCHES_MAX)


def _tiles(width_px: int, height_px: int) -> int:
    shrink = min(1.0, TILES_SQUARE_PX / max(width_px, height_px))
    shrink = min(shrink, TILES_SHORT_SIDE_PX / min(width_px, height_px))
    wide, high = width_px * shrink / TILE_PX, height_px * shrink / TILE_PX
    return ceil(round(wide, 6)) * ceil(round(high, 6))
