"""Makes and reads cursors, which say where the next page of a list begins.

They are opaque to clients, and stay valid when rows are added or removed.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from weighbridge.api.errors import InvalidField

_PREFIX: Final = "after:"
_HIGHEST: Final = 2**63 - 1


def make_cursor(last_id: int) -> str:
    """A cursor for the position after this id."""
    return base64.urlsafe_b64encode(f"{_PREFIX}{last_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> int:
    """The id after which the list continues; 0 at the beginning.

    Raises:
        InvalidField: not a valid cursor.
    """
    if cursor is None:
        return 0
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, UnicodeError):
        text = ""
    number = text.removeprefix(_PREFIX)
    if not text.startswith(_PREFIX) or not number.isdecimal() or len(number) > 19:
        raise InvalidField(
            "cursor", "This is not a valid cursor; use nextCursor of the previous page."
        )
    return min(int(number), _HIGHEST)
