"""Estimates how many tokens a picture takes, by OpenAI's published formulas:
https://developers.openai.com/api/docs/guides/images-vision

Used by `tokens.py`. Two families of models count differently: patches of 32 × 32 pixels with a
factor per model, or tiles of 512 × 512 pixels after scaling (guide "Images and vision", calculating
costs). For other providers this is an estimate; what was really charged is settled after the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Final

from weighbridge.planning.models import Patches, Tiles, profile_of

PATCH_PX: Final = 32
TILE_PX: Final = 512
TILES_SQUARE_PX: Final = 2048
TILES_SHORT_SIDE_PX: Final = 768

UNKNOWN_IMAGE_PX: Final = (1200, 1200)
"""The assumed width and height, usual for shops, of a picture that only the provider will load.
`picture_doubt_tokens` gives by how much that may be too low.
"""


@dataclass(frozen=True, slots=True)
class PictureBounds:
    """The largest picture that a model uses, in pixels; 0: no bound.

    The provider shrinks a larger one, which costs no more and shows no more.
    """

    most_pixels: int = 0
    long_px: int = 0
    short_px: int = 0


def useful_size(model: str) -> PictureBounds:
    """The size to which the provider shrinks larger pictures before this model gets them."""
    counted = profile_of(model).images
    if isinstance(counted, Tiles):
        return PictureBounds(long_px=TILES_SQUARE_PX, short_px=TILES_SHORT_SIDE_PX)
    return PictureBounds(most_pixels=counted.most * PATCH_PX**2, long_px=counted.long_px)


def image_tokens(width_px: int, height_px: int, model: str) -> int:
    """Tokens of a picture at detail "high". The provider's count may differ by one, by rounding."""
    counted = profile_of(model).images
    if isinstance(counted, Tiles):
        return counted.base + counted.per_tile * _tiles(width_px, height_px)
    return ceil(round(_patches(width_px, height_px, counted) * counted.factor, 6))


def most_image_tokens(model: str) -> int:
    """The most that a picture of any size can take."""
    counted = profile_of(model).images
    if isinstance(counted, Tiles):
        return image_tokens(TILES_SQUARE_PX, TILES_SHORT_SIDE_PX, model)
    return ceil(round(counted.most * counted.factor, 6))


def _patches(width_px: int, height_px: int, counted: Patches) -> int:
    """Number of patches that OpenAI counts for a picture of this size, by steps A to C of its guide
    "Images and vision", rounded to whole pixels after each step.
    """
    fit = min(1.0, counted.long_px / max(width_px, height_px))
    wide, high = max(1, round(width_px * fit)), max(1, round(height_px * fit))
    patches = ceil(wide / PATCH_PX) * ceil(high / PATCH_PX)
    if patches <= counted.most:
        return patches
    shrink = sqrt(counted.most * PATCH_PX**2 / (wide * high))
    # A little more, until a whole number of patches fits one of the sides.
    across, down = wide * shrink / PATCH_PX, high * shrink / PATCH_PX
    shrink *= min(max(1, floor(across)) / across, max(1, floor(down)) / down)
    # Full precision would need exact roots: 1599.9999 is 1600.
    wide, high = (max(1, floor(round(side * shrink, 6))) for side in (wide, high))
    return min(ceil(wide / PATCH_PX) * ceil(high / PATCH_PX), counted.most)


def _tiles(width_px: int, height_px: int) -> int:
    """Number of tiles of a picture after it was shrunk to the model's largest size."""
    shrink = min(1.0, TILES_SQUARE_PX / max(width_px, height_px))
    shrink = min(shrink, TILES_SHORT_SIDE_PX / min(width_px, height_px))
    wide, high = (max(1, floor(round(side * shrink, 6))) for side in (width_px, height_px))
    return ceil(wide / TILE_PX) * ceil(high / TILE_PX)
