"""Seeds that broke an invariant once, and what was wrong then. Every test run repeats them."""

from __future__ import annotations

from typing import Final

_NO_REPLY = (
    "a call without a reply was counted from its leave, not from when it reached the provider"
)
_NOT_TOLD = (
    "a worker with nothing in line did not tell the other when its calls had reached the provider"
)

STORMS: Final = {
    18: _NO_REPLY,
    23: _NO_REPLY,
    26: _NO_REPLY,
    27: _NO_REPLY,
    30: _NO_REPLY,
    55: "a job given to a worker whose connection broke at that moment was kept alive and worked on by nobody",
    61: _NO_REPLY,
    81: _NO_REPLY,
    86: _NO_REPLY,
    158: _NOT_TOLD,
    205: "large calls that left late were taken for another program's, and a twentieth of the quota was used",
    292: _NO_REPLY,
    312: _NOT_TOLD,
}
DECISIONS: Final[dict[int, str]] = {}
