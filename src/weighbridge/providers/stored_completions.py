"""Fetches the reply to a call whose process has died: a stored chat completion, found by the key
that was sent with the request.

Used by `OpenAIProvider.find`. A server may have no such list, may not let our key see it, or may
ignore `store` or the filter. None of that is an error: there is then no stored reply, and the
question is asked again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx2
import openai

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai import AsyncOpenAI

KEY_NAME: Final = "weighbridge_call"
"""The name of the metadata field that carries the key of a call, by which its stored completion is
found.
"""

LOOKUP_TIMEOUT_S: Final = 30.0
_PASSING: Final = frozenset({402, 408, 409, 425, 429, 498, 499})
"""Statuses below 500 after which the look-up may succeed later. All others mean that the server has
no list of stored completions, or none for this key. (A wrong key shows in the next call.)"""
_NOT_BUILT: Final = 501
_LISTED: Final = 5
"""How many stored completions are fetched for the key of a call, at most: there is one, or two if a
proxy sent the request twice.
"""


class NothingKept(Exception):
    """The server has no list of stored completions for us."""


async def find_stored(client: AsyncOpenAI, key: str) -> Mapping[str, Any] | None:
    """The stored completion with this key as the server shows it; None when it shows none.

    The key is compared here too: a server that ignores the filter lists the replies to other
    questions.

    Raises:
        NothingKept: the server has no list of stored completions for us.
        openai.OpenAIError, httpx2.HTTPError: the look-up failed this time.
    """
    try:
        response = await client.get(
            "/chat/completions",
            cast_to=httpx2.Response,
            options={
                "params": {"metadata": {KEY_NAME: key}, "limit": _LISTED},
                "timeout": LOOKUP_TIMEOUT_S,
            },
        )
    except openai.APIStatusError as error:
        status = error.status_code
        if status == _NOT_BUILT or (status < 500 and status not in _PASSING):
            raise NothingKept from error
        raise
    try:
        listed = json.loads(response.content)
    except ValueError:
        raise NothingKept from None
    entries = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(entries, list):
        raise NothingKept
    return next((entry for entry in entries if _is_reply_to(entry, key)), None)


def _is_reply_to(entry: object, key: str) -> bool:
    """Whether a listed entry is a completion with choices that carries this key."""
    if not isinstance(entry, dict) or not entry.get("choices"):
        return False
    metadata = entry.get("metadata")
    return isinstance(metadata, dict) and metadata.get(KEY_NAME) == key
