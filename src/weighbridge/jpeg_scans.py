"""Counts the scans of a JPEG, and lists the errors that a damaged picture raises.

Decoding each scan is a pass over all pixels, even if the scan has few bytes. This module is
imported by processes that decode untrusted pictures, and so uses the standard library only.
"""

from __future__ import annotations

import re
import struct
from typing import Final

MAX_JPEG_SCANS: Final = 64
"""The most scans that a JPEG may have. Usual ones have about 10; each takes 34 ms at 50 million
pixels, and a file of 224 kB with hundreds of them took 17 s.
"""
DAMAGE_ERRORS: Final = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, AttributeError),
    *(ArithmeticError, LookupError, struct.error),
)
"""The errors that Pillow may raise on a damaged picture."""
_MARKER: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_SCAN: Final = 0xDA
_END: Final = 0xD9
_WITHOUT_LENGTH: Final = frozenset((0x01, 0xD8, _END))


def has_too_many_scans(data: bytes) -> bool:
    """Whether the first picture of a JPEG has more than `MAX_JPEG_SCANS` scans, counted by its
    start-of-scan (SOS) segments (ITU-T T.81, B.1.1).
    """
    at = scans = 0
    while (marker := _MARKER.search(data, at)) and scans <= MAX_JPEG_SCANS:
        kind, at = marker[1][0], marker.end()
        if kind == _END:  # what follows is another picture
            break
        scans += kind == _SCAN
        if kind not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
    return scans > MAX_JPEG_SCANS
