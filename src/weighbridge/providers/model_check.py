"""The check before anything is spent: is the key right, and does the provider know the model?

`OpenAIProvider.check` runs it at start. OpenAI answers `GET /models/{model}`; other servers may have only the
list, or neither, which proves nothing against them: the first call will tell.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx2
import openai
from openai import AsyncOpenAI

from weighbridge.errors import ModelUnknown, ProviderError
from weighbridge.providers.openai_error_kinds import FAILURES, refusal_text
from weighbridge.providers.openai_errors import Asked, translate

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_SUCH_ENDPOINT: Final = frozenset({400, 404, 405, 501})
_SUGGESTIONS: Final = 3


async def check_model(client: AsyncOpenAI, asked: Asked) -> Mapping[str, str]:
    """Pass, or say what is wrong. Returns the headers of the answer that decided.

    Raises:
        ProviderError: the kind that a call would meet, with the names of similar models if it is the model.
    """
    try:
        response = await _get(client, f"/models/{quote(asked.model, safe='')}")
        if isinstance(_read(response), dict):
            return response.headers
    except openai.APIStatusError as error:
        if _may_ask_but_not_list(error):
            return error.response.headers
        if error.status_code not in _NO_SUCH_ENDPOINT:
            raise translate(error, asked) from error
        if error.status_code == 404 and _names_model(error):
            raise await _unknown(client, asked, translate(error, asked)) from error
    except FAILURES as error:
        raise translate(error, asked) from error
    return await _check_by_list(client, asked)


async def _check_by_list(client: AsyncOpenAI, asked: Asked) -> Mapping[str, str]:
    """For servers that do not show single models. The list need not be complete: names may have short forms."""
    try:
        response = await _get(client, "/models")
    except openai.APIStatusError as error:
        if error.status_code not in _NO_SUCH_ENDPOINT and not _may_ask_but_not_list(error):
            raise translate(error, asked) from error
        return error.response.headers
    except FAILURES as error:
        raise translate(error, asked) from error
    if _read(response) is None:
        raise ModelUnknown(
            f"{asked.host} returns web pages, not an API. "
            "Check OPENAI_BASE_URL: it usually ends in /v1."
        )
    return response.headers


async def _unknown(client: AsyncOpenAI, asked: Asked, plain: ProviderError) -> ProviderError:
    """The error with names that the user may have meant, if the provider gives its list."""
    try:
        listed = _read(await _get(client, "/models"))
    except FAILURES:
        return plain
    entries = listed.get("data") if isinstance(listed, dict) else None
    names = [str(e["id"]) for e in entries or () if isinstance(e, dict) and "id" in e]
    similar = difflib.get_close_matches(asked.model, names, n=_SUGGESTIONS, cutoff=0.4)
    if not similar:
        return plain
    return ModelUnknown(
        f"{asked.provider} does not know the model {asked.model}, or the key may not use it. "
        f"Similar models: {', '.join(similar)}. Set WEIGHBRIDGE_MODEL to one of them."
    )


async def _get(client: AsyncOpenAI, path: str) -> httpx2.Response:
    return await client.get(path, cast_to=httpx2.Response)


def _read(response: httpx2.Response) -> Any:
    """What the server says; None when that is not JSON."""
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _may_ask_but_not_list(error: openai.APIStatusError) -> bool:
    """Restricted keys may lack the right to see models and yet be fit for calls."""
    return error.status_code in {401, 403} and "model.read" in refusal_text(error)


def _names_model(error: openai.APIStatusError) -> bool:
    text = refusal_text(error).lower()
    return "model_not_found" in text or ("model" in text and "not" in text)
