"""Session cookies that the server need not store. Pure.

A cookie has the id of its token and the time when the session ends, and is signed with a key made
of that token's hash. So several servers accept each other's sessions, and revoking a token ends its
sessions.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

SESSION_COOKIE: Final = "weighbridge_session"
SESSION_S: Final = 12 * 3600
"""How long a session lasts."""


def open_session(token_id: int, token_sha256: bytes, now_s: float) -> str:
    """The value of a cookie for a new session with this token."""
    claim = f"{token_id}.{int(now_s) + SESSION_S}"
    return f"{claim}.{_sign(claim, token_sha256)}"


def session_holds(cookie: str, token_id: int, token_sha256: bytes, now_s: float) -> bool:
    """Whether this cookie is of a session with this token that has not ended."""
    claim, _, signature = cookie.rpartition(".")
    named, _, ends = claim.partition(".")
    if named != str(token_id):
        return False
    is_ours = hmac.compare_digest(_sign(claim, token_sha256).encode(), _encoded(signature))
    return is_ours and now_s < int(ends)


def _sign(claim: str, token_sha256: bytes) -> str:
    """The signature of a cookie's claim (token id and end), as hexadecimal digits."""
    key = hashlib.sha256(b"weighbridge session\0" + token_sha256).digest()
    return hmac.new(key, _encoded(claim), hashlib.sha256).hexdigest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
