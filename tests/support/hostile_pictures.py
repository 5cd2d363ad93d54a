"""Pictures that strangers could send: bombs, damage, disguises. Each kind is made in several
sizes and formats from a seed, so that no single example can be special-cased.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING, Final

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_HUGE: Final = ((65_500, 65_500), (1, 100_000_000), (100_000_000, 1), (0, 9), (9, 0), (30_000, 2_000))  # fmt: skip


@cache
def still(kind: str, side: int = 48) -> bytes:
    """A sound picture with some contents."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((side, side)).convert("RGB").save(out, kind)
    return out.getvalue()


@cache
def _zeros(megabytes: int) -> bytes:
    return zlib.compress(bytes(megabytes << 20))


def hostile_pictures(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Name of the kind, and the bytes."""
    chance = random.Random(seed)
    for number in range(count):
        make = _KINDS[number % len(_KINDS)]
        yield make.__name__, make(chance)


def jpeg_of_scans(scans: int, side: int = 512) -> bytes:
    """A progressive JPEG whose last scan comes again and again: few bytes, much work."""
    out = io.BytesIO()
    Image.new("L", (side, side), 200).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, each with a true checksum."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def png_head(width: int, height: int) -> tuple[bytes, bytes]:
    """The header of an 8-bit grey PNG."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)


def _cut(chance: random.Random) -> bytes:
    data = still(chance.choice(FORMATS))
    return data[: chance.randrange(len(data))]


def _spoilt(chance: random.Random) -> bytes:
    data = bytearray(still(chance.choice(FORMATS)))
    for _ in range(chance.randrange(1, 40)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _wrong_checksum(chance: random.Random) -> bytes:
    data = bytearray(still("PNG"))
    data[29 + chance.randrange(4)] ^= 1 << chance.randrange(8)  # the header's
    return bytes(data)


def _png_of_huge_sides(chance: random.Random) -> bytes:
    size = chance.choice(_HUGE)
    return png([png_head(*size), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")])


def _gif_of_huge_sides(chance: random.Random) -> bytes:
    data = bytearray(still("GIF"))
    data[6:10] = struct.pack("<HH", *chance.choice([(65_535, 65_535), (1, 65_535), (0, 0)]))
    return bytes(data)


def _jpeg_of_huge_sides(chance: random.Random) -> bytes:
    data = bytearray(still("JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", *chance.choice([(65_500, 65_500), (0, 9), (65_500, 1)]))
    return bytes(data)


def _png_bomb(chance: random.Random) -> bytes:
    """Unpacks to far more than its header says."""
    return png([png_head(64, 64), (b"IDAT", _zeros(chance.choice([2, 64]))), (b"IEND", b"")])


def _png_text_bomb(chance: random.Random) -> bytes:
    packed = _zeros(chance.choice([2, 64]))
    kind, lead = chance.choice([(b"zTXt", b"Comment\0\0"), (b"iCCP", b"icc\0\0")])
    body = zlib.compress(bytes(65 * 64))
    chunks = [(kind, lead + packed)] * chance.randrange(1, 5)
    return png([png_head(64, 64), *chunks, (b"IDAT", body), (b"IEND", b"")])


def _metadata_of_megabytes(chance: random.Random) -> bytes:
    """EXIF, colour profile or comment, as many segments as fit into some megabytes."""
    lead, marker = chance.choice(
        [(b"Exif\0\0II*\0\x08\0\0\0\xff\xff", 0xE1), (b"ICC_PROFILE\0\x01\xff", 0xE2), (b"", 0xFE)]
    )
    body = lead + chance.randbytes(65_500 - len(lead))
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    data = still("JPEG")
    return data[:2] + segment * chance.choice([1, 2, 20]) + data[2:]


def _many_scans(chance: random.Random) -> bytes:
    return jpeg_of_scans(chance.choice([70, 500, 3_000]), chance.choice([64, 1_024]))


def _many_frames(chance: random.Random) -> bytes:
    """An animation: the frames of a GIF are copied, thousands of times."""
    data = still("GIF", 8)
    frame = data[data.rindex(b"\x2c\0\0\0\0") : -1]
    return data[:-1] + frame * chance.choice([1, 100, 10_000]) + b";"


def _other_format(chance: random.Random) -> bytes:
    return still(chance.choice(["BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "ICNS", "JPEG2000"]))


def _not_a_picture(chance: random.Random) -> bytes:
    text = chance.choice(
        [
            b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
            b"<!DOCTYPE svg [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><svg>&b;</svg>",
            b"<html><script>alert(1)</script></html>",
            b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nwhile(1){}",
            b"PK\x03\x04" + bytes(200),
            b"#!/bin/sh\nreboot\n",
            b"push graphic-context\nfill 'url(https://a.example/|ls)'",
            b"\x1f\x8b\x08\0" + bytes(50),
            b"",
        ]
    )
    return text + chance.randbytes(chance.choice([0, 0, 4_000]))


def _two_kinds_in_one(chance: random.Random) -> bytes:
    first, second = (still(chance.choice(FORMATS)) for _ in range(2))
    page = b"<script>alert(1)</script>%PDF-1.7 PK\x03\x04"
    return chance.choice([first + second, first[:9] + second, first + page, page + first])


_KINDS: Final[tuple[Callable[[random.Random], bytes], ...]] = (
    _cut,
    _spoilt,
    _wrong_checksum,
    _png_of_huge_sides,
    _gif_of_huge_sides,
    _jpeg_of_huge_sides,
    _png_bomb,
    _png_text_bomb,
    _metadata_of_megabytes,
    _many_scans,
    _many_frames,
    _other_format,
    _not_a_picture,
    _two_kinds_in_one,
)
