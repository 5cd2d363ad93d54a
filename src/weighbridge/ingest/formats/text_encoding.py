"""Finds out the character encoding of a text file, by looking at the whole file once.

Used by the CSV and JSON readers. Undecodable bytes become U+FFFD when the file is read, and the
rows that contain one are rejected on their own.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.errors import InputError
from weighbridge.ingest.formats.legacy_encoding import SHOWN, guess_encoding
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK_BYTES: Final = 1 << 20
_SAMPLE_BYTES: Final = 4096
_SHOWN: Final = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class FoundEncoding:
    """An encoding: `codec` is Python's name for it, `name` the usual one.

    `certainty` says in words how sure it is and why.
    """

    codec: str
    name: str
    certainty: str


def find_encoding(path: Path, chosen: str | None = None) -> FoundEncoding:
    """The character encoding of a file; `chosen` is the user's word for it.

    It is UTF-8 unless more characters beyond ASCII fail to decode than succeed: one damaged byte
    does not turn a UTF-8 file into Windows-1252. Otherwise `legacy_encoding.py` decides; if it
    cannot, the file is refused, and the message says what to do.

    Raises:
        UnreadableFile: no encoding fits well, or several do and give different texts.
        InputError: `chosen` is no encoding.
    """
    if chosen is not None:
        return FoundEncoding(_known_codec(chosen), chosen, "as you said")
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    told = told_encoding(sample)
    if told is not None:
        return FoundEncoding(
            told,
            _SHOWN.get(told, told.upper()),
            "certain: the file begins with its byte order mark"
            if "sig" in told or told == "utf-16"
            else "certain: every second byte is zero",
        )
    bad, good = _count_undecodable_and_decodable(path)
    if bad <= good:
        how = "certain: every byte fits" if not bad else f"{bad:,} characters do not fit"
        return FoundEncoding("utf-8", "UTF-8", how)
    guess = guess_encoding(path)
    return FoundEncoding(
        guess.codec,
        SHOWN.get(guess.codec, guess.codec),
        f"likely: {guess.fit:.0%} of the file's letters fit this encoding",
    )


def _known_codec(name: str) -> str:
    """Python's name for the encoding. Raises InputError if it does not encode text."""
    try:
        codec = codecs.lookup(name.strip())
        "".encode(codec.name)
    except (LookupError, ValueError):
        raise InputError(
            f"There is no encoding {quote(name)}. Common ones are utf-8, windows-1252, "
            "windows-1250, gb18030 and shift_jis."
        ) from None
    return codec.name


def told_encoding(sample: bytes) -> str | None:
    """The encoding that the first bytes show by a byte order mark or the zeros of UTF-16, or
    None.
    """
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    return _utf16_without_mark(sample)


def _utf16_without_mark(sample: bytes) -> str | None:
    """Which UTF-16 it is if every second byte is zero, as in ASCII text; else None."""
    pairs = len(sample) // 2
    if pairs == 0:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * pairs and even < 0.1 * pairs:
        return "utf-16-le"
    if even > 0.7 * pairs and odd < 0.1 * pairs:
        return "utf-16-be"
    return None


def _count_undecodable_and_decodable(path: Path) -> tuple[int, int]:
    """(how many characters beyond ASCII do not decode as UTF-8, how many do).

    A U+FFFD that is written in the file counts as one that does.
    """
    replacing = codecs.getincrementaldecoder("utf-8")(errors="replace")
    dropping = codecs.getincrementaldecoder("utf-8")(errors="ignore")
    good = bad = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            text, kept = replacing.decode(block), dropping.decode(block)
            if not text.isascii():
                bad += text.count("\ufffd") - kept.count("\ufffd")
                good += len(kept) - len(kept.encode("ascii", "ignore"))
    return bad, good
