"""The check before anything is spent: is the key right, does the provider know the model, and for
how long?

`OpenAIProvider.check` runs it at start. OpenAI answers `GET /models/{model}`; other servers may
have only the list of models, or neither. Those pass, and the first call shows what is wrong.
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
from weighbridge.providers.faults.messages import CallTarget, translate
from weighbridge.providers.shutdown import shutdown_notice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

_NO_SUCH_ENDPOINT: Final = frozenset({400, 404, 405, 501})
_SUGGESTIONS: Final = 3
"""How many similar names of models are suggested, at most, for an unknown one."""
ALIVE_WITHIN_S: Final = 10.0
"""Seconds within which a server must answer to count as alive."""
_CONTEXT_FIELDS: Final = (
    "loaded_context_length", "max_model_len", "context_length", "context_window", "max_context_length", "n_ctx",
)  # fmt: skip
"""The fields in which LM Studio, vLLM, OpenRouter, Groq, Mistral and llama.cpp state the context
length of a model, in tokens.
"""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the server says of the model.

    `key_was_taken`: the server answered like an API, so it did not refuse the key.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    key_was_taken: bool = False
    context_tokens: int | None = None
    slots: int | None = None  # calls that a llama.cpp server works on at a time
    shutdown: object = None  # `shutdown_date`, as it was stated

    def beside(self, known: ModelFacts) -> ModelFacts:
        """These facts; context and slots that they do not state are taken from `known`."""
        context, slots = self.context_tokens or known.context_tokens, self.slots or known.slots
        return replace(self, context_tokens=context, slots=slots)


async def check_model(
    client: AsyncOpenAI, target: CallTarget, *, today: date, is_local: bool = False
) -> ModelFacts:
    """What the server says of the model, if the model can be called.

    Raises:
        ProviderError: the kind of error that a call would get. For an unknown model its message
        names similar ones; for a model that was shut down, its successor.
    """
    headers, entry = await _look_up_model(client, target)
    context = next((n for name in _CONTEXT_FIELDS if (n := _positive_int(entry.get(name)))), None)
    slots = None
    if is_local:
        of_slot, slots = await _llama_properties(client)
        context = of_slot or context
    shutdown = entry.get("shutdown_date")
    notice = shutdown_notice(target.model, shutdown, today, provider=target.provider)
    if notice and notice.is_over:
        raise ModelUnknown(notice.text)
    return ModelFacts(headers, True, context, slots, shutdown)


async def is_answering(client: AsyncOpenAI) -> bool:
    """Whether the server answers within `ALIVE_WITHIN_S`; a status below 500 counts, even 404."""
    try:
        await client.get("/models", cast_to=httpx2.Response, options={"timeout": ALIVE_WITHIN_S})
    except openai.APIStatusError as error:
        return error.status_code < 500
    except FAILURES:
        return False
    return True


async def _look_up_model(
    client: AsyncOpenAI, target: CallTarget
) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """(headers, the entry that describes the model) of the server's answer; the entry may be
    empty.
    """
    try:
        response = await _get(client, f"/models/{quote(target.model, safe='')}")
        entry = _json_of(response)
        if isinstance(entry, dict):
            return response.headers, _entry_of(entry, target.model)
    except openai.APIStatusError as error:
        if _may_call_but_not_list(error):
            return error.response.headers, {}
        if error.status_code not in _NO_SUCH_ENDPOINT:
            raise translate(error, target) from error
        if error.status_code == 404 and _says_model_is_missing(error):
            raise await _error_with_similar_models(
                client, target, translate(error, target)
            ) from error
    except FAILURES as error:
        raise translate(error, target) from error
    return await _look_up_in_list(client, target)


async def _look_up_in_list(
    client: AsyncOpenAI, target: CallTarget
) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """As `_look_up_model`, from the list of models, for servers that do not show single ones.

    A model that is not in the list passes with an empty entry, because names may have short forms.
    """
    try:
        response = await _get(client, "/models")
    except openai.APIStatusError as error:
        if error.status_code not in _NO_SUCH_ENDPOINT and not _may_call_but_not_list(error):
            raise translate(error, target) from error
        return error.response.headers, {}
    except FAILURES as error:
        raise translate(error, target) from error
    listed = _json_of(response)
    if listed is None:
        raise ModelUnknown(
            f"{target.host} returns web pages, not an API. Check OPENAI_BASE_URL: it usually ends "
            "in /v1."
        )
    return response.headers, _entry_of(listed, target.model)


def _entry_of(said: Any, model: str) -> Mapping[str, Any]:
    """The model's entry, from a body that is the entry itself or a list; empty if there is none."""
    entries = said.get("data") if isinstance(said, dict) else said
    if not isinstance(entries, list):
        return said if isinstance(said, dict) else {}
    return next((e for e in entries if isinstance(e, dict) and e.get("id") == model), {})


async def _llama_properties(client: AsyncOpenAI) -> tuple[int | None, int | None]:
    """(context tokens of one slot, number of slots) of a llama.cpp server; None for what is not
    stated. A slot works on one call at a time.
    """
    root = str(client.base_url).rstrip("/").removesuffix("/v1")
    try:
        said = _json_of(await client.get(f"{root}/props", cast_to=httpx2.Response))
    except (*FAILURES, ValueError):
        return None, None
    if not isinstance(said, dict):
        return None, None
    settings = said.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    return _positive_int(context), _positive_int(said.get("total_slots"))


def _positive_int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


async def _error_with_similar_models(
    client: AsyncOpenAI, target: CallTarget, plain: ProviderError
) -> ProviderError:
    """The error with the names of similar models, or `plain` if there are none to name."""
    try:
        listed = _json_of(await _get(client, "/models"))
    except FAILURES:
        return plain
    entries = listed.get("data") if isinstance(listed, dict) else None
    names = [str(e["id"]) for e in entries or () if isinstance(e, dict) and "id" in e]
    similar = difflib.get_close_matches(target.model, names, n=_SUGGESTIONS, cutoff=0.4)
    if not similar:
        return plain
    return ModelUnknown(
        f"{target.provider} does not know the model {target.model}, or the key may not use it. "
        f"Similar models: {', '.join(similar)}. Set WEIGHBRIDGE_MODEL to one of them."
    )


async def _get(client: AsyncOpenAI, path: str) -> httpx2.Response:
    return await client.get(path, cast_to=httpx2.Response)


def _json_of(response: httpx2.Response) -> Any:
    """The body as JSON; None when it is not JSON."""
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _may_call_but_not_list(error: openai.APIStatusError) -> bool:
    """Whether only the right to list models is missing: restricted keys may still make calls."""
    return error.status_code in {401, 403} and "model.read" in refusal_text(error)


def _says_model_is_missing(error: openai.APIStatusError) -> bool:
    text = refusal_text(error).lower()
    return "model_not_found" in text or ("model" in text and "not" in text)
