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
from typing import TYPE_CHECKING, Final, NamedTuple

from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Sizing(NamedTuple):
    """How far a picture is made smaller before its patches are counted.

    `longest_px` bounds the longer side; `most_patches` is 0 for no bound.
    """

    longest_px: int
    most_patches: int = 0


_SHRUNK: Final = _Sizing(2048, 2_500)
_SMALL: Final = _Sizing(512)
_AS_IT_IS: Final = _Sizing(65_535)
_OLDER: Final = _Sizing(2048, 6_144)

# Multiplier, and the sizing at each detail. Of GPT-6 the guide lists Astra alone.
_BY_PATCHES: Final[Mapping[str, tuple[float, Mapping[str, _Sizing]]]] = {
    "gpt-6": (1.2, {"low": _SMALL, "high": _Sizing(65_535, 2_500), "auto": _AS_IT_IS}),
    "gpt-5.6": (1.2, {"low": _SMALL, "high": _SHRUNK, "auto": _AS_IT_IS}),
    "gpt-5-mini": (1.2, {}),
    "gpt-5-nano": (1.5, {}),
    "gpt-4.1-mini": (1.62, {}),
    "gpt-4.1-nano": (2.46, dict.fromkeys(("low", "high", "auto"), _Sizing(2048, 1536))),
}
_TILE_COSTS: Final[Mapping[str, tuple[int, int]]] = {
    "gpt-4o-mini": (2833, 5667), "gpt-5": (70, 140),
}  # fmt: skip
_DEFAULT_TILE_COST: Final = (85, 170)  # base, per tile
_REFUSED_ABOVE: Final = 30_000
"""A picture that has more patches than this after it was made smaller is refused."""
_REMOTE_SIZE: Final = (1024, 1024)
_UNREADABLE: Final = (
    binascii.Error, UnidentifiedImageError, OSError, ValueError, SyntaxError,
    Image.DecompressionBombError,
)  # fmt: skip
"""Errors that Pillow and base64 raise about a picture that cannot be read; the last is for one that
states too many pixels.
"""
_MIME_TYPES: Final = ("image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif")


class ImageUnusable(ValueError):
    """The provider cannot read this picture; the message is close to OpenAI's."""


def image_tokens(url: str, model: str, detail: str) -> int:
    """Tokens that the picture behind the URL adds to the prompt. Raises ImageUnusable."""
    width, height = _size(url)
    families = [name for name in _BY_PATCHES if model.startswith(name)]
    if families:
        multiplier, sizings = _BY_PATCHES[max(families, key=len)]
        return math.ceil(_patches(width, height, sizings.get(detail, _OLDER)) * multiplier)
    base, per_tile = _TILE_COSTS.get(model, _DEFAULT_TILE_COST)
    return base if detail == "low" else base + per_tile * _tiles(width, height)


def _size(url: str) -> tuple[int, int]:
    """(width, height) in pixels; a fixed size for a picture on the web.

    Raises:
        ImageUnusable: it cannot be downloaded or decoded, or is of another type.
    """
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
    except _UNREADABLE as error:
        raise ImageUnusable(
            "You uploaded an unsupported image. Please make sure your image is valid."
        ) from error


def _patches(width: int, height: int, sizing: _Sizing) -> int:
    """The number of 32 px patches of a picture after it was made smaller.

    First to `longest_px`, then to `most_patches`, so that patches in one direction are whole.

    Raises:
        ImageUnusable: too many patches are left.
    """
    scale = min(1.0, sizing.longest_px / max(width, height))
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    patches = math.ceil(width / 32) * math.ceil(height / 32)
    if sizing.most_patches and patches > sizing.most_patches:
        scale = math.sqrt(32 * 32 * sizing.most_patches / (width * height))
        across, down = width * scale / 32, height * scale / 32
        scale *= min(max(1, int(across)) / across, max(1, int(down)) / down)
        width, height = int(width * scale + 1e-6), int(height * scale + 1e-6)
        patches = math.ceil(width / 32) * math.ceil(height / 32)
        return max(1, min(sizing.most_patches, patches))
    if patches > _REFUSED_ABOVE:
        raise ImageUnusable(f"The image needs {patches:,} patches; at most 30,000 are accepted.")
    return patches


def _tiles(width: int, height: int) -> int:
    """The number of 512 px tiles, after fitting into 2048 × 2048 px and then to a shorter side of
    at most 768 px.
    """
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    width, height = int(width * scale + 1e-6), int(height * scale + 1e-6)
    return max(1, math.ceil(width / 512)) * max(1, math.ceil(height / 512))
