"""The check before anything is spent: is the key right, does the provider know the model, and for
how long?

`OpenAIProvider.check` runs it at start. OpenAI answers `GET /models/{model}`; other servers may
have only the list, or neither, which proves nothing against them: the first call will tell.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx2
import openai
from openai import AsyncOpenAI

from weighbridge.errors import ModelUnknown, ProviderError
from weighbridge.providers.faults.kinds import FAILURES, refusal_text
from weighbridge.providers.faults.messages import Asked, translate
from weighbridge.providers.shutdown import shutdown_notice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

_NO_SUCH_ENDPOINT: Final = frozenset({400, 404, 405, 501})
_SUGGESTIONS: Final = 3
ALIVE_WITHIN_S: Final = 10.0
_CONTEXT_FIELDS: Final = (
    "loaded_context_length", "max_model_len", "context_length", "context_window", "max_context_length", "n_ctx",
)  # fmt: skip
"""What LM Studio, vLLM, OpenRouter, Groq, Mistral and llama.cpp call the context of a model."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the server says of the model.

    `key_was_taken`: it answered as API, so the key was not refused.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    key_was_taken: bool = False
    context_tokens: int | None = None
    slots: int | None = None  # calls that a llama.cpp server works on at a time
    shutdown: object = None  # `shutdown_date`, as it was stated

    def beside(self, known: ModelFacts) -> ModelFacts:
        """These, with what was known before where they say nothing."""
        context, slots = self.context_tokens or known.context_tokens, self.slots or known.slots
        return replace(self, context_tokens=context, slots=slots)


async def check_model(
    client: AsyncOpenAI, asked: Asked, *, today: date, is_local: bool = False
) -> ModelFacts:
    """Pass, or say what is wrong.

    Raises:
        ProviderError: the kind that a call would meet, with the names of similar models if it is
        the model. ModelUnknown: also for a model that was shut down, with its successor.
    """
    headers, entry = await _look_up(client, asked)
    context = next((n for name in _CONTEXT_FIELDS if (n := _positive(entry.get(name)))), None)
    slots = None
    if is_local:
        of_slot, slots = await _llama_properties(client)
        context = of_slot or context
    shutdown = entry.get("shutdown_date")
    notice = shutdown_notice(asked.model, shutdown, today, provider=asked.provider)
    if notice and notice.is_over:
        raise ModelUnknown(notice.text)
    return ModelFacts(headers, True, context, slots, shutdown)


async def answers(client: AsyncOpenAI) -> bool:
    """Whether the server answers anything within a few seconds, if only that it has no list of
    models.
    """
    try:
        await client.get("/models", cast_to=httpx2.Response, options={"timeout": ALIVE_WITHIN_S})
    except openai.APIStatusError as error:
        return error.status_code < 500
    except FAILURES:
        return False
    return True


async def _look_up(
    client: AsyncOpenAI, asked: Asked
) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """The headers of the answer that decided, and what it says of the model."""
    try:
        response = await _get(client, f"/models/{quote(asked.model, safe='')}")
        entry = _read(response)
        if isinstance(entry, dict):
            return response.headers, _entry_of(entry, asked.model)
    except openai.APIStatusError as error:
        if _may_ask_but_not_list(error):
            return error.response.headers, {}
        if error.status_code not in _NO_SUCH_ENDPOINT:
            raise translate(error, asked) from error
        if error.status_code == 404 and _names_model(error):
            raise await _unknown(client, asked, translate(error, asked)) from error
    except FAILURES as error:
        raise translate(error, asked) from error
    return await _look_up_in_list(client, asked)


async def _look_up_in_list(
    client: AsyncOpenAI, asked: Asked
) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """For servers that do not show single models.

    The list need not be complete: names may have short forms.
    """
    try:
        response = await _get(client, "/models")
    except openai.APIStatusError as error:
        if error.status_code not in _NO_SUCH_ENDPOINT and not _may_ask_but_not_list(error):
            raise translate(error, asked) from error
        return error.response.headers, {}
    except FAILURES as error:
        raise translate(error, asked) from error
    listed = _read(response)
    if listed is None:
        raise ModelUnknown(
            f"{asked.host} returns web pages, not an API. Check OPENAI_BASE_URL: it usually ends "
            "in /v1."
        )
    return response.headers, _entry_of(listed, asked.model)


def _entry_of(said: Any, model: str) -> Mapping[str, Any]:
    """What is said of the model, in an entry or in a list of entries."""
    entries = said.get("data") if isinstance(said, dict) else said
    if not isinstance(entries, list):
        return said if isinstance(said, dict) else {}
    return next((e for e in entries if isinstance(e, dict) and e.get("id") == model), {})


async def _llama_properties(client: AsyncOpenAI) -> tuple[int | None, int | None]:
    """llama.cpp tells beside its API the context of one slot, and how many slots there are."""
    root = str(client.base_url).rstrip("/").removesuffix("/v1")
    try:
        said = _read(await client.get(f"{root}/props", cast_to=httpx2.Response))
    except (*FAILURES, ValueError):
        return None, None
    if not isinstance(said, dict):
        return None, None
    settings = said.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    return _positive(context), _positive(said.get("total_slots"))


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


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
