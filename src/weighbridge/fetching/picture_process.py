"""The process in which pictures of strangers are decoded: a decompression bomb or a fault in a
decoder ends this process and nothing else.

Run by its path from `decoding.py`, without the environment; it imports little but Pillow. Requests
come on stdin, replies go to stdout:

    request   length of the picture, most pixels, long side, short side (4 bytes each); the picture
    reply     1 for a picture or 0 for a reason (1 byte), width, height, length (4 bytes each);
              the JPEG or the reason
"""

from __future__ import annotations

import io
import struct
import sys
from math import sqrt
from typing import TYPE_CHECKING, Final, NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from weighbridge.jpeg_scans import DAMAGE_ERRORS, MAX_JPEG_SCANS, has_too_many_scans

if TYPE_CHECKING:
    from typing import BinaryIO

REQUEST: Final = struct.Struct(">IIII")
REPLY: Final = struct.Struct(">BIII")
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
MAX_PIXELS: Final = 50_000_000
MAX_SIDE_PX: Final = 16_384
MEMORY_BYTES: Final = 1_500_000_000
"""The most address space that this process may take; a picture of MAX_PIXELS decodes in a third of
it.
"""
JPEG_QUALITY: Final = 90


class Bounds(NamedTuple):
    """The size to which a picture is reduced because the model uses no more; 0: no bound.

    All in pixels; `long_side` and `short_side` bound the longer and the shorter side.
    """

    most_pixels: int
    long_side: int
    short_side: int


class NoPicture(Exception):
    """The bytes are no picture that can be shown; the message says why."""


def re_encode(data: bytes, bounds: Bounds) -> tuple[int, int, bytes]:
    """(width, height, bytes) of the picture as a JPEG.

    It is upright, on white, no larger than `bounds`, and without the metadata of the original.
    Raises NoPicture for bytes that are no picture.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _require_size(*image.size)
            if image.format in {"JPEG", "MPO"} and has_too_many_scans(data):
                raise NoPicture(f"the JPEG has more than {MAX_JPEG_SCANS} scans; save it again")
            wanted = _size_within(*image.size, bounds)
            image.draft("RGB", wanted)  # JPEGs alone: decodes no more pixels than are wanted
            upright = _on_white(ImageOps.exif_transpose(image))
        small = upright.resize(_size_within(*upright.size, bounds), Image.Resampling.LANCZOS)
        small.info.clear()  # comments would be written into the JPEG
        out = io.BytesIO()
        small.save(out, "JPEG", quality=JPEG_QUALITY)
    except UnidentifiedImageError:
        raise NoPicture("the file at its address is not a JPEG, PNG, WebP or GIF picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NoPicture(_too_large()) from None
    except MemoryError:
        raise NoPicture(
            "decoding the picture takes too much memory; use a smaller version"
        ) from None
    except DAMAGE_ERRORS as error:
        raise NoPicture(f"the picture is damaged ({error})") from None
    return *small.size, out.getvalue()


def _require_size(width: int, height: int) -> None:
    """Raises NoPicture for a picture that is too large or empty."""
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise NoPicture(_too_large())
    if min(width, height) < 1:
        raise NoPicture("the picture is empty")


def _too_large() -> str:
    return (
        f"the picture has more than {MAX_PIXELS // 1_000_000} million pixels or a side above "
        f"{MAX_SIDE_PX:,}"
    )


def _size_within(width: int, height: int, bounds: Bounds) -> tuple[int, int]:
    """(width, height) scaled down, in proportion, until they are within the bounds."""
    scales = [1.0]
    if bounds.most_pixels:
        scales.append(sqrt(bounds.most_pixels / (width * height)))
    if bounds.long_side:
        scales.append(bounds.long_side / max(width, height))
    if bounds.short_side:
        scales.append(bounds.short_side / min(width, height))
    scale = min(scales)
    return max(1, int(width * scale)), max(1, int(height * scale))


def _on_white(image: Image.Image) -> Image.Image:
    """The picture in RGB; what is transparent becomes white, as on a shop's page."""
    if image.mode.startswith("I"):  # 16 bits of grey
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    flat = Image.new("RGB", layered.size, "white")
    flat.paste(layered, mask=layered.getchannel("A"))
    return flat


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until `requests` ends."""
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        length, *bounds = REQUEST.unpack(head)
        try:
            width, height, body = re_encode(requests.read(length), Bounds(*bounds))
            reply = REPLY.pack(1, width, height, len(body)) + body
        except NoPicture as error:
            reason = str(error).encode()
            reply = REPLY.pack(0, 0, 0, len(reason)) + reason
        replies.write(reply)
        replies.flush()


def limit_this_process() -> None:
    """Limit the memory of this process, and forbid it to write files and core dumps.

    Windows has no such limits.
    """
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    Image.preinit()
    limit_this_process()
    serve(sys.stdin.buffer, sys.stdout.buffer)
