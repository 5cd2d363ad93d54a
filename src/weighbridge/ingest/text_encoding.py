"""Finds out how the bytes of a text file spell characters, by looking at the whole file once.

Used by the CSV and JSON readers. Undecodable bytes become U+FFFD when the file is read, and the rows that contain
one are rejected on their own.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK_BYTES: Final = 1 << 20
_SAMPLE_BYTES: Final = 4096
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def detect_encoding(path: Path) -> str:
    """A Python codec name: utf-8, utf-8-sig, utf-16 (with mark), utf-16-le, utf-16-be or cp1252.

    UTF-8 unless more characters fail to decode than succeed: one damaged byte does not turn a UTF-8 file into
    Windows-1252, and a Windows-1252 file with a few accents has no valid UTF-8 sequence at all.
    """
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    return told_encoding(sample) or _utf8_or_windows(path)


def told_encoding(sample: bytes) -> str | None:
    """What the first bytes alone tell: a byte order mark, or the zeros of UTF-16."""
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    return _utf16_without_mark(sample)


def _utf16_without_mark(sample: bytes) -> str | None:
    """ASCII text in UTF-16 has a zero in every second byte; nothing else that is text has."""
    pairs = len(sample) // 2
    if pairs == 0:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * pairs and even < 0.1 * pairs:
        return "utf-16-le"
    if even > 0.7 * pairs and odd < 0.1 * pairs:
        return "utf-16-be"
    return None


def _utf8_or_windows(path: Path) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    good = bad = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            text = decoder.decode(block)
            if not text.isascii():
                failed = text.count("\ufffd")
                bad += failed
                good += len(text) - len(text.encode("ascii", "ignore")) - failed
    return "cp1252" if bad > good else "utf-8"
