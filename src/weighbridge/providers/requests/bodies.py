"""The body of a question: a `CallRequest` in the parameters that the server takes
(`capabilities.py`). Pure.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from weighbridge.domain.calls import Identity
from weighbridge.providers.requests.capabilities import AnswerForm
from weighbridge.providers.stored_completions import KEY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.calls import CallRequest
    from weighbridge.providers.requests.capabilities import Capabilities


def request_body(request: CallRequest, model: str, capabilities: Capabilities) -> dict[str, object]:
    """The body of POST /chat/completions.

    The instructions come first and alone, so that the provider's prompt cache finds them again.
    Newer families cache exactly up to a marked block and bill what they write, so only the
    instructions are marked. `store` is sent only with a key: without it the provider keeps no chat
    completion. Temperature 0 makes a repeated question give the same answer as far as the model
    allows.
    """
    body: dict[str, object] = {
        "model": model,
        "messages": _messages(request, capabilities),
    }
    if capabilities.form is not AnswerForm.TEXT:
        body["response_format"] = _response_format(
            request.schema_name, request.schema, capabilities.form
        )
    body[capabilities.allowance_name] = request.max_output_tokens
    if capabilities.sends_temperature:
        body["temperature"] = 0
    if capabilities.effort is not None:
        body["reasoning_effort"] = capabilities.effort
    if capabilities.tier is not None:
        body["service_tier"] = capabilities.tier
    if capabilities.names_cache:
        body["prompt_cache_key"] = _cache_key(request.instructions, Identity(request.schema))
    if capabilities.marks_prefix:
        body["prompt_cache_options"] = {"mode": "explicit"}
    if request.key is not None and capabilities.stores:
        body["store"] = True
        body["metadata"] = {KEY_NAME: request.key}
    return body


def _messages(request: CallRequest, capabilities: Capabilities) -> list[dict[str, object]]:
    """One message, or two where the server has a system role; instructions always come first."""
    instructions = _instructions(request, capabilities)
    content = _content(request, capabilities)
    if capabilities.has_system_role:
        return [
            {"role": "system", "content": instructions},
            {"role": "user", "content": content},
        ]
    if isinstance(instructions, str) and isinstance(content, str):
        return [{"role": "user", "content": f"{instructions}\n\n{content}"}]
    return [{"role": "user", "content": [*_parts(instructions), *_parts(content)]}]


def _parts(content: object) -> list[object]:
    """The content as a list of parts; a text becomes one part."""
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _instructions(request: CallRequest, capabilities: Capabilities) -> object:
    """The instructions as a text, or as a list of one part that is marked for the prompt cache.

    With the schema at the end where the server takes no schema.
    """
    text = request.instructions
    if capabilities.form in {AnswerForm.OBJECT, AnswerForm.TEXT}:
        text += _schema_for_prompt(Identity(request.schema))
    if not capabilities.marks_prefix or not capabilities.writes_cache:
        return text
    return [{"type": "text", "text": text, "prompt_cache_breakpoint": {"mode": "explicit"}}]


def _content(request: CallRequest, capabilities: Capabilities) -> object:
    """The question as a text, or as a list of parts where pictures go with it."""
    if not request.image_urls:
        return request.content
    detail = {} if capabilities.image_detail is None else {"detail": capabilities.image_detail}
    return [
        {"type": "text", "text": request.content},
        *({"type": "image_url", "image_url": {"url": u, **detail}} for u in request.image_urls),
    ]


def encoded_body(request: CallRequest, model: str, capabilities: Capabilities) -> bytes:
    """`request_body` as JSON. The schema is encoded once and reused: it is most of the body.

    Encoding the whole body took 0.2 ms a call. Raises PydanticSerializationError for text with
    broken Unicode.
    """
    body = request_body(request, model, capabilities)
    if body.pop("response_format", None) is None:
        return to_json(body)
    schema = _encoded_format(request.schema_name, Identity(request.schema), capabilities.form)
    return b'{"response_format":' + schema + b"," + to_json(body)[1:]


@lru_cache(maxsize=16)
def _encoded_format(name: str, schema: Identity[Mapping[str, Any]], form: AnswerForm) -> bytes:
    return to_json(_response_format(name, schema.value, form))


@lru_cache(maxsize=16)
def _schema_for_prompt(schema: Identity[Mapping[str, Any]]) -> str:
    text = to_json(schema.value).decode()
    return f"\n\nAnswer with one JSON object that follows this JSON schema, and with nothing else:\n{text}"


@lru_cache(maxsize=16)
def _cache_key(instructions: str, schema: Identity[Mapping[str, Any]]) -> str:
    """The `prompt_cache_key`: the same for all requests with these instructions and this schema, so
    that the provider routes them to the machine that has their beginning in its cache.
    """
    digest = hashlib.sha256(instructions.encode("utf-8", "replace") + to_json(schema.value))
    return f"weighbridge-{digest.hexdigest()[:16]}"


def _response_format(name: str, schema: Mapping[str, Any], form: AnswerForm) -> dict[str, object]:
    """The `response_format` of a body, for every form but TEXT."""
    if form is AnswerForm.OBJECT:
        return {"type": "json_object"}
    described: dict[str, object] = {"name": name, "schema": schema}
    if form is AnswerForm.STRICT:
        described = {"name": name, "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": described}
