"""What a model is shown of a picture: upright, on white, no larger than it uses, without
metadata.
"""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.support.hostile_pictures import jpeg_of_scans
from tests.support.picture_shop import picture
from weighbridge.fetching.picture_process import (
    REPLY,
    REQUEST,
    Bounds,
    NoPicture,
    re_encode,
    serve,
)
from weighbridge.planning.image_tokens import image_tokens, useful_size

NO_BOUNDS = Bounds(0, 0, 0)
SHARP_RED = (200, 0, 0)


def _near(pixel: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= 4 for a, b in zip(pixel, wanted, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_every_kind_becomes_a_jpeg_of_the_same_size(kind: str) -> None:
    width, height, data = re_encode(picture((40, 20), kind), NO_BOUNDS)
    shown = Image.open(io.BytesIO(data))
    assert (shown.format, shown.size, (width, height)) == ("JPEG", (40, 20), (40, 20))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16"])
def test_every_colour_mode_can_be_shown(mode: str) -> None:
    assert re_encode(picture((9, 9), mode=mode), NO_BOUNDS)[:2] == (9, 9)


def test_picture_is_turned_upright_and_loses_its_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    exif[0x010E] = "taken at home, 52.1 N 4.9 E"
    width, height, data = re_encode(picture((40, 20), "JPEG", exif=exif), NO_BOUNDS)
    assert (width, height) == (20, 40)
    assert b"taken at home" not in data
    assert not Image.open(io.BytesIO(data)).getexif()


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "WEBP", "PNG"])
def test_no_comment_profile_or_description_is_shown_on(kind: str) -> None:
    words = PngInfo()
    for key in ("comment", "Comment", "Description"):
        words.add_text(key, "taken at home")
    data = picture(
        (40, 20),
        kind,
        comment=b"taken at home",
        icc_profile=b"taken at home",
        xmp=b"taken at home",
        pnginfo=words,
        dpi=(300, 300),
    )
    assert b"taken at home" in data
    assert b"taken at home" not in re_encode(data, NO_BOUNDS)[2]


def test_what_is_transparent_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(out, "PNG")
    shown = Image.open(io.BytesIO(re_encode(out.getvalue(), NO_BOUNDS)[2]))
    assert _near(shown.getpixel((4, 4)), (255, 255, 255))


def test_only_the_first_picture_of_an_animation_is_shown() -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in (SHARP_RED, "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    shown = Image.open(io.BytesIO(re_encode(out.getvalue(), NO_BOUNDS)[2]))
    assert _near(shown.getpixel((4, 4)), SHARP_RED)


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-4.1-mini", "gpt-4o", "a server's own"])
@pytest.mark.parametrize("size", [(3000, 2000), (2000, 3000), (6000, 300), (100, 100)])
def test_smaller_picture_costs_and_shows_as_much(size: tuple[int, int], model: str) -> None:
    bounds = useful_size(model)
    as_bounds = Bounds(bounds.most_pixels, bounds.long_px, bounds.short_px)
    width, height, _ = re_encode(picture(size, "JPEG"), as_bounds)
    costs = image_tokens(width, height, model) / image_tokens(*size, model)
    assert 0.9 < costs < 1.06  # sides are rounded
    assert width / height == pytest.approx(size[0] / size[1], rel=0.02)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JPEG"),
        (b"<html>not found</html>", "not a JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG"),
        (picture((40, 20), "BMP"), "not a JPEG"),
        (picture((40, 20), "TIFF"), "not a JPEG"),
        (picture((400, 200), "JPEG")[:-60], "damaged"),
        (picture((400, 200))[:-60], "damaged"),
        (picture((12_000, 12_000), mode="1"), "million pixels"),
        (picture((20_000, 1), mode="1"), "million pixels"),
        (jpeg_of_scans(70), "more than 64 scans"),
        (jpeg_of_scans(3_000), "more than 64 scans"),
    ],
)
def test_what_is_no_picture_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(NoPicture, match=reason):
        re_encode(data, NO_BOUNDS)


@settings(max_examples=300)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]),
    seed=st.integers(0, 2**32),
    changes=st.integers(1, 40),
)
def test_spoilt_files_are_shown_or_refused_and_nothing_else(
    kind: str, seed: int, changes: int
) -> None:
    source = random.Random(seed)
    data = bytearray(picture((32, 24), kind))
    for _ in range(changes):
        data[source.randrange(len(data))] = source.randrange(256)
    request = REQUEST.pack(len(data), 500, 0, 0) + data
    replies = io.BytesIO()
    serve(io.BytesIO(request), replies)
    ok, _, _, length = REPLY.unpack(replies.getvalue()[: REPLY.size])
    assert len(replies.getvalue()) == REPLY.size + length
    assert ok in {0, 1}
