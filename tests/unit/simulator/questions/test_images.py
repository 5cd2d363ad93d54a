"""Image tokens by the provider's published examples."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest
from PIL import Image

from weighbridge.simulator.questions.images import ImageUnusable, image_tokens


def data_url(width: int, height: int, kind: str = "png") -> str:
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, kind)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.mark.parametrize(
    ("model", "width", "height", "detail", "tokens"),
    [
        # The guide's worked examples are those of "high" with a factor of 1.2: 1,024 patches, and
        # 2,500 after fitting 2048 × 2048; https://developers.openai.com/api/docs/guides/images-vision
        ("gpt-5.6-luna", 1024, 1024, "high", 1229),
        ("gpt-5.6-luna", 2048, 2048, "high", 3000),
        ("gpt-5.6-luna", 1024, 768, "low", 231),
        ("gpt-6-astra", 4096, 512, "high", 2458),
        ("gpt-6-luna", 2560, 1440, "high", 2931),
        ("gpt-6-luna", 2560, 1440, "auto", 4320),
        ("gpt-4.1-mini", 1024, 1024, "auto", 1659),
        ("gpt-4.1-mini", 1800, 2400, "auto", 4977),
        ("gpt-4.1-nano", 1800, 2400, "auto", 3572),
        ("gpt-4o", 1024, 1024, "high", 765),
        ("gpt-4o", 2048, 4096, "high", 1105),
        ("gpt-4o", 4096, 8192, "low", 85),
    ],
)
def test_tokens_are_those_of_the_providers_guide(
    model: str, width: int, height: int, detail: str, tokens: int
) -> None:
    assert image_tokens(data_url(width, height), model, detail) == tokens


def test_a_remote_picture_is_not_fetched() -> None:
    assert image_tokens("https://example.com/a.jpg", "gpt-4o", "high") == 765


def test_a_picture_of_more_than_30_000_patches_is_refused_unless_it_is_made_smaller() -> None:
    huge = data_url(6000, 6000)
    with pytest.raises(ImageUnusable, match="35,344 patches"):
        image_tokens(huge, "gpt-5.6-luna", "auto")
    assert image_tokens(huge, "gpt-5.6-luna", "high") == 3000


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a.png",
        "data:text/plain;base64,aGVsbG8=",
        "data:image/png;base64,aGVsbG8=",
        "data:image/png;base64,***",
        "https://pictures.invalid/a.png",
    ],
)
def test_unreadable_images_are_refused(url: str) -> None:
    with pytest.raises(ImageUnusable):
        image_tokens(url, "gpt-4.1-mini", "auto")


def test_a_picture_that_states_more_pixels_than_it_can_have_is_refused() -> None:
    whole = io.BytesIO()
    Image.new("L", (1, 1)).save(whole, "png")
    png = bytearray(whole.getvalue())
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    with pytest.raises(ImageUnusable):
        image_tokens(f"data:image/png;base64,{base64.b64encode(png).decode()}", "gpt-4o", "high")
