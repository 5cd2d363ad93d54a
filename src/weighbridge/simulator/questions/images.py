"""How many prompt tokens an image costs, by OpenAI's published formulas:
https://developers.openai.com/api/docs/guides/images-vision

Used by `questions/chat.py`. A data: URL is decoded far enough to read its size; an http(s) URL is
never fetched and counts as a picture of 1024 × 1024.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from typing import TYPE_CHECKING, Final

from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATCH_MULTIPLIERS: Final[Mapping[str, float]] = {
    "gpt-4.1-mini": 1.62, "gpt-4.1-nano": 2.46, "gpt-5-mini": 1.62, "gpt-5-nano": 2.46,
}  # fmt: skip
_TILE_COSTS: Final[Mapping[str, tuple[int, int]]] = {
    "gpt-4o-mini": (2833, 5667), "gpt-5": (70, 140),
}  # fmt: skip
_DEFAULT_TILE_COST: Final = (85, 170)  # base, per tile
_MAX_PATCHES: Final = 1536
_NEWER: Final = ("gpt-6", "gpt-5.6")
_NEWER_FACTOR: Final = 1.2  # as others measured it: none is published
_NEWER_MOST: Final = {"low": 256, "high": 2_500}
_NEWER_MOST_AT_AUTO: Final = 12_000
_REMOTE_SIZE: Final = (1024, 1024)
_MIME_TYPES: Final = ("image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif")


class ImageUnusable(ValueError):
    """The provider cannot read this picture; the message is OpenAI's, more or less."""


def image_tokens(url: str, model: str, detail: str) -> int:
    """Tokens that the picture behind the URL adds to the prompt. Raises ImageUnusable."""
    width, height = _size(url)
    if model.startswith(_NEWER):
        most = _NEWER_MOST.get(detail, _NEWER_MOST_AT_AUTO)
        return math.ceil(_patches(width, height, most) * _NEWER_FACTOR)
    if (multiplier := _PATCH_MULTIPLIERS.get(model)) is not None:
        return math.ceil(_patches(width, height, _MAX_PATCHES) * multiplier)
    base, per_tile = _TILE_COSTS.get(model, _DEFAULT_TILE_COST)
    return base if detail == "low" else base + per_tile * _tiles(width, height)


def _size(url: str) -> tuple[int, int]:
    if url.startswith(("https://", "http://")):
        if (
            ".invalid/" in url
        ):  # RFC 2606: a name that never resolves; the way to ask for this failure
            raise ImageUnusable(f"Error while downloading {url}.")
        return _REMOTE_SIZE
    header, _, payload = url.partition(",")
    if not header.startswith("data:") or not header.endswith(";base64"):
        raise ImageUnusable(
            "Expected a base64-encoded data URL with an image MIME type or an http(s) URL."
        )
    if header[5:-7] not in _MIME_TYPES:
        raise ImageUnusable(
            f"Unsupported image MIME type '{header[5:-7]}'; use png, jpeg, gif or webp."
        )
    try:
        with Image.open(io.BytesIO(base64.b64decode(payload, validate=True))) as picture:
            return picture.size
    except (binascii.Error, UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ImageUnusable(
            "You uploaded an unsupported image. Please make sure your image is valid."
        ) from error


def _patches(width: int, height: int, most: int) -> int:
    """Patches of 32 px; a picture with too many is first made smaller, to whole patches in one
    direction.
    """
    patches = math.ceil(width / 32) * math.ceil(height / 32)
    if patches <= most:
        return patches
    scale = math.sqrt(32 * 32 * most / (width * height))
    across, down = width * scale / 32, height * scale / 32
    scale *= min(math.floor(across) / across, math.floor(down) / down)
    return min(most, math.ceil(width * scale / 32) * math.ceil(height * scale / 32))


def _tiles(width: int, height: int) -> int:
    """Tiles of 512 px, after fitting into 2048 × 2048 and then to a shorter side of at most 768."""
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    return math.ceil(width * scale / 512) * math.ceil(height * scale / 512)
