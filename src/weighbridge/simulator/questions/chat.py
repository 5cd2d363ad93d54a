"""Reads and checks a chat completion request as OpenAI would, before the limits are checked.

Runs after the check of the key. Returns a `ChatRequest` or raises `ApiFault`, which carries the
error body in OpenAI's form. Texts and schemas that repeat are counted and compiled once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from weighbridge.simulator.answering.analyst import Analyst, EndlessSchema
from weighbridge.simulator.questions.faults import ApiFault
from weighbridge.simulator.questions.images import ImageUnusable, image_tokens
from weighbridge.simulator.questions.options import caches_implicitly, check_options, is_marked
from weighbridge.simulator.questions.schema_rules import strict_schema_fault
from weighbridge.simulator.tokens import count_tokens, repeated_text

if TYPE_CHECKING:
    from weighbridge.simulator.config import SimulatorConfig
    from weighbridge.simulator.models import ModelLimits

_SCHEMAS_KEPT: Final = 256
_OPENING: Final = b'{"response_format":'
_OPENINGS_KEPT: Final = 16
_DECODER: Final = json.JSONDecoder()
_MESSAGE_TOKENS: Final = 4  # role and separators
_REPLY_TOKENS: Final = 3  # what primes the answer
_DEFAULT_ALLOWANCE_TOKENS: Final = 4096  # charged when a request names no maximum
_SCHEMA_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ROLES: Final = ("system", "developer", "user", "assistant")
_ARGUMENT_NAMES: Final = (
    "model messages response_format max_tokens max_completion_tokens temperature top_p n seed "
    "stop user store metadata service_tier reasoning_effort verbosity prompt_cache_key "
    "prompt_cache_options prompt_cache_retention safety_identifier presence_penalty "
    "frequency_penalty logprobs top_logprobs logit_bias parallel_tool_calls stream stream_options "
    "modalities"
)
_ARGUMENTS: Final = frozenset(_ARGUMENT_NAMES.split())


@dataclass(frozen=True, slots=True)
class AcceptedSchema:
    """A response schema that was accepted: its tokens, and the analyst that writes answers to it.

    `key` is the schema as JSON.
    """

    key: bytes
    digest: bytes
    tokens: int
    analyst: Analyst


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that the API accepts."""

    model: str
    schema_name: str
    schema: AcceptedSchema | None
    text: str  # of the last message
    prompt_tokens: int
    beginning: tuple[Any, ...]  # all before the last message, as a key for the prompt cache
    beginning_tokens: int
    max_output_tokens: int
    charged_tokens: int
    digest: bytes  # of the whole request; the same on every machine
    effort: str = "none"
    tier: str = "default"
    bills_cache_writes: bool = False
    cached_prefixes: tuple[
        tuple[Any, int], ...
    ] = ()  # what breakpoints mark: key, and tokens up to there
    metadata: dict[str, str] | None = None  # of a call that asks to be stored


class SchemaShelf:
    """Compiled schemas by their JSON, so that each is checked once.

    A schema is most of a body, so where a body begins with a known one, only the rest is parsed.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, AcceptedSchema | str] = OrderedDict()
        self._openings: dict[bytes, Any] = {}
        self._parsed_before: dict[int, AcceptedSchema | str] = {}

    def parse(self, body: bytes) -> Any:
        """The body as JSON, like `from_json` gives it. Raises ValueError."""
        for opening, response_format in self._openings.items():
            if body.startswith(opening):
                request = from_json(b'{"' + body[len(opening) :])
                request.setdefault("response_format", response_format)
                return request
        request = from_json(body)
        self._remember_opening(body)
        return request

    def get(self, node: Any) -> AcceptedSchema | str:
        """The compiled schema, or as a text why it is refused."""
        return self._parsed_before.get(id(node)) or self._by_content(node)

    def _remember_opening(self, body: bytes) -> None:
        """Keep the part of a body that holds `response_format`, if it comes first."""
        opening = _opening_of(body)
        if opening is None:
            return
        response_format = from_json(opening[len(_OPENING) : -len(b',"')])
        wrapper = response_format.get("json_schema") if isinstance(response_format, dict) else None
        node = wrapper.get("schema") if isinstance(wrapper, dict) else None
        if not isinstance(node, dict):
            return
        if len(self._openings) == _OPENINGS_KEPT:
            self._openings.clear()
            self._parsed_before.clear()
        self._openings[opening] = response_format  # keeps `node` alive, and so its id its own
        self._parsed_before[id(node)] = self._by_content(node)

    def _by_content(self, node: Any) -> AcceptedSchema | str:
        """As `get`, by the schema's JSON; compiles it if it is new."""
        key = to_json(node)
        known = self._known.get(key)
        if known is None:
            known = strict_schema_fault(node) or _compiled(key, node)
            self._known[key] = known
            if len(self._known) > _SCHEMAS_KEPT:
                self._known.popitem(last=False)
        return known


def _opening_of(body: bytes) -> bytes | None:
    """The beginning of a body up to its second name, if the first one is `response_format`; else
    None.
    """
    if not body.startswith(_OPENING):
        return None
    text = body.decode()
    try:
        _, end = _DECODER.raw_decode(text, len(_OPENING))
    except ValueError:  # blanks, which no program sends that sends the same thing often
        return None
    return text[: end + 2].encode() if text.startswith(',"', end) else None


def read_chat_request(body: bytes, config: SimulatorConfig, shelf: SchemaShelf) -> ChatRequest:
    """The request in a body, parsed and checked. Raises ApiFault with status 400 or 404."""
    try:
        request = shelf.parse(body)
    except ValueError:
        raise ApiFault(400, "We could not parse the JSON body of your request.") from None
    return check_chat_request(request, config, shelf)


def check_chat_request(request: Any, config: SimulatorConfig, shelf: SchemaShelf) -> ChatRequest:
    """As `read_chat_request`, for a parsed body such as that of a line of a batch file."""
    if not isinstance(request, dict):
        raise ApiFault(400, "The body of your request must be a JSON object.")
    if unknown := sorted(request.keys() - _ARGUMENTS):
        raise ApiFault(
            400, f"Unrecognized request argument supplied: {unknown[0]}", param=unknown[0]
        )
    model, limits = _model(request.get("model"), config)
    effort, tier = check_options(request, model, limits)
    if request.get("stream") or request.get("n", 1) != 1:
        raise ApiFault(
            400, "The simulator answers once and whole: 'stream' and 'n' are not supported."
        )
    messages = _messages(request)
    schema_name, schema = _schema(request.get("response_format"), messages, shelf)
    *earlier, last = messages
    tokens = schema.tokens if schema else 0
    beginning: list[Any] = [model, schema.key if schema else b""]
    hasher = hashlib.blake2b(digest_size=16)
    marks: list[tuple[Any, int]] = []
    for number, message in enumerate(earlier):
        text, extra = _message(message, number, model, config)
        count, digest = repeated_text(text)
        tokens += count + extra + _MESSAGE_TOKENS
        beginning.append(text)
        hasher.update(digest)
        if is_marked(message):
            marks.append((tuple(beginning), tokens))
    if schema:
        hasher.update(schema.digest)
    text, extra = _message(last, len(earlier), model, config)
    prompt_tokens = tokens + count_tokens(text) + extra + _MESSAGE_TOKENS + _REPLY_TOKENS
    hasher.update(f"{model}\0{schema_name}\0{extra}\0{text}".encode("utf-8", "replace"))
    max_output, charged_output = _allowance(request, limits)
    _check_context(prompt_tokens, charged_output, limits)
    if limits.bills_cache_writes and caches_implicitly(request):
        marks.append(((*beginning, text), prompt_tokens))
    return ChatRequest(
        model=model,
        schema_name=schema_name,
        schema=schema,
        text=text,
        prompt_tokens=prompt_tokens,
        beginning=tuple(beginning),
        beginning_tokens=tokens,
        max_output_tokens=max_output,
        charged_tokens=prompt_tokens + charged_output,
        digest=hasher.digest(),
        effort=effort,
        tier=tier,
        bills_cache_writes=limits.bills_cache_writes,
        cached_prefixes=tuple(marks),
        metadata=_metadata(request),
    )


def _messages(request: Mapping[str, Any]) -> list[Any]:
    """The messages of a request, at least one. Raises ApiFault without any."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiFault(
            400, "Invalid 'messages': expected a non-empty array of messages.", param="messages"
        )
    return messages


def _check_context(prompt_tokens: int, charged_output: int, limits: ModelLimits) -> None:
    """Raises ApiFault if prompt and allowed output exceed the model's context."""
    if prompt_tokens + charged_output > limits.context_tokens:
        raise ApiFault(
            400,
            f"This model's maximum context length is {limits.context_tokens} tokens. However, "
            f"your messages resulted in {prompt_tokens} tokens and {charged_output} are asked for "
            "the completion. Please reduce the length.",
            code="context_length_exceeded",
            param="messages",
        )


def _metadata(request: Mapping[str, Any]) -> dict[str, str] | None:
    """The metadata to store a call with; None when it does not ask to be stored."""
    metadata = request.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ApiFault(400, "Invalid type for 'metadata'.", param="metadata")
    if request.get("store") is True:
        return metadata
    if metadata:
        raise ApiFault(
            400,
            "The 'metadata' parameter is only allowed when 'store' is enabled.",
            param="metadata",
        )
    return None


def _compiled(key: bytes, node: Any) -> AcceptedSchema | str:
    """The schema with its analyst, or as a text why it cannot be read."""
    try:
        analyst = Analyst(node)
    except (KeyError, TypeError, ValueError, AttributeError, EndlessSchema) as error:
        return f"the schema could not be read ({error!r})"
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return AcceptedSchema(key, digest, count_tokens(key.decode()), analyst)


def model_unknown(model: Any) -> ApiFault:
    """The 404 for a model that the account does not have."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return ApiFault(404, message, code="model_not_found")


def _model(model: Any, config: SimulatorConfig) -> tuple[str, ModelLimits]:
    """(name, limits) of the requested model. Raises ApiFault for an unknown one."""
    if not isinstance(model, str) or not model:
        raise ApiFault(400, "you must provide a model parameter")
    limits = config.models.get(model)
    if limits is None:
        raise model_unknown(model)
    return model, limits


def _schema(
    response_format: Any, messages: list[Any], shelf: SchemaShelf
) -> tuple[str, AcceptedSchema | None]:
    """(name, schema) that the answer must follow: the strict one of the request, else one at the
    end of the instructions, else None.

    Raises:
        ApiFault: the format, its name or its schema is invalid.
    """
    if response_format is None:
        return "", _schema_in_prompt(messages, shelf)
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind in ("text", "json_object"):
        return kind, _schema_in_prompt(messages, shelf)
    wrapper = response_format.get("json_schema") if kind == "json_schema" else None
    if not isinstance(wrapper, dict):
        raise ApiFault(400, "Invalid value: 'response_format'.", param="response_format")
    name = wrapper.get("name")
    if not isinstance(name, str) or not _SCHEMA_NAME.fullmatch(name):
        raise ApiFault(
            400,
            "Invalid 'response_format.json_schema.name': a-z, A-Z, 0-9, underscores and dashes, 64 at most.",
            param="response_format.json_schema.name",
        )
    schema = shelf.get(wrapper.get("schema"))
    if isinstance(schema, str):
        raise ApiFault(
            400, f"Invalid schema for response_format '{name}': {schema}.", param="response_format"
        )
    return name, schema


def _schema_in_prompt(messages: list[Any], shelf: SchemaShelf) -> AcceptedSchema | None:
    """The schema in the last line of the instructions, which a model also follows; None without
    one.
    """
    first = messages[0].get("content") if isinstance(messages[0], dict) else None
    text = first if isinstance(first, str) else ""
    _, _, tail = text.rpartition("\n")
    if not tail.startswith('{"type":"object"'):
        return None
    try:
        schema = shelf.get(from_json(tail))
    except ValueError:
        return None
    return None if isinstance(schema, str) else replace(schema, tokens=0)


def _message(message: Any, number: int, model: str, config: SimulatorConfig) -> tuple[str, int]:
    """(text of a message, tokens of its images). Raises ApiFault for a malformed message."""
    place = f"messages[{number}]"
    if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
        raise ApiFault(400, f"Invalid value: '{place}.role'.", param=f"{place}.role")
    content = message.get("content")
    if isinstance(content, str):
        return content, 0
    if not isinstance(content, list) or not content:
        raise ApiFault(400, f"Invalid type for '{place}.content'.", param=f"{place}.content")
    texts, tokens = [], 0
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url":
            tokens += _image(part.get("image_url"), place, model, config)
        else:
            raise ApiFault(
                400, f"Invalid content part in '{place}.content'.", param=f"{place}.content"
            )
    return "\n".join(texts), tokens


def _image(image: Any, place: str, model: str, config: SimulatorConfig) -> int:
    """The tokens of an image at `place`. Raises ApiFault if it is not accepted or not usable."""
    param = f"{place}.content.image_url"
    if not config.accepts_images:
        raise ApiFault(400, "This model does not support image inputs.", param=param)
    url = image.get("url") if isinstance(image, dict) else None
    if not isinstance(url, str):
        raise ApiFault(400, f"Invalid type for '{param}.url'.", param=param)
    try:
        return image_tokens(url, model, str(image.get("detail", "auto")))
    except ImageUnusable as error:
        code = "invalid_image_url" if url.startswith("http") else "invalid_image_format"
        raise ApiFault(400, str(error), code=code, param=param) from error


def _allowance(request: Mapping[str, Any], limits: ModelLimits) -> tuple[int, int]:
    """(most output tokens allowed, output tokens charged at admission). Raises ApiFault."""
    asked = request.get("max_completion_tokens", request.get("max_tokens"))
    if asked is None:
        return limits.output_tokens, _DEFAULT_ALLOWANCE_TOKENS
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
        raise ApiFault(
            400,
            "Invalid 'max_completion_tokens': expected an integer of at least 1.",
            param="max_tokens",
        )
    if asked > limits.output_tokens:
        raise ApiFault(
            400,
            f"max_tokens is too large: {asked}. This model supports at most {limits.output_tokens} completion tokens.",
            param="max_tokens",
        )
    return asked, asked
