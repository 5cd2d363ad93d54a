"""Reads the bytes of an answer as a chat completion, or as the error that hides in it.

Gateways put errors into answers of status 200: beside `choices: null`, inside a choice, as
`finish_reason: error`, as an empty completion, as an event of a stream. All of them are the
provider's faults, never a product's. Pure.
"""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from typing import TYPE_CHECKING, Any, Final

from weighbridge.lenient_json import loads
from weighbridge.providers.faults.evidence import plain_words, stated_status
from weighbridge.providers.replies.streams import is_stream, join_events
from weighbridge.providers.wire import LARGEST_REPLY, UnusableReply

if TYPE_CHECKING:
    from collections.abc import Mapping

_BROKEN_OFF: Final = re.compile(
    "error|abort|cancel|fail|timeout|insufficient_system_resource|malformed", re.IGNORECASE
)
"""Matches the words in a finish reason that mean a fault, as OpenRouter, vLLM, Zhipu, DeepSeek and
Gemini state it.
"""
_ENVELOPES: Final = ("data", "response", "result", "completion", "output")
_WORDS_OF_ERRORS: Final = (
    "error",
    "errors",
    "detail",
    "message",
    "msg",
    "error_msg",
    "base_resp",
    "fault",
)
_GZIP: Final = b"\x1f\x8b"
_SUCCESS: Final = frozenset({"0", "200", "ok", "success", "none", "null"})
_DECODER: Final = json.JSONDecoder()
_NOT_BLANK: Final = re.compile(r"\S")
_MOST_DOCUMENTS: Final = 8
"""The most JSON documents that are read from one body."""
SHOWN: Final = 160
"""The most characters shown of an answer that could not be understood."""


class HiddenError(Exception):
    """An answer of status 200 that is an error.

    `status` is the status that the error itself states, or None. `body` is the whole answer as one
    JSON document.
    """

    def __init__(self, status: int | None, body: Any) -> None:
        super().__init__("an error in an answer of status 200")
        self.status = status
        self.body = body


def read_completion(content: bytes) -> Mapping[str, Any]:
    """The chat completion in a body of status 200.

    Raises:
        HiddenError: the body is an error.
        UnusableReply: it is not JSON, or neither completion nor error.
    """
    completion = _without_envelope(_parsed(content))
    if not isinstance(completion, dict):
        raise UnusableReply("it is not a JSON object")
    completion = _with_choices_as_list(completion)
    choices = completion.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    told = completion.get("error") or (isinstance(choice, dict) and choice.get("error"))
    if told and not (isinstance(choice, dict) and _means_success(told)):
        raise HiddenError(stated_status(told if isinstance(told, dict) else completion), completion)
    if isinstance(choice, dict):
        if _BROKEN_OFF.search(str(choice.get("finish_reason"))):
            raise HiddenError(None, completion)
        return completion
    if any(completion.get(name) for name in _WORDS_OF_ERRORS):
        raise HiddenError(stated_status(completion), completion)
    if choices == [] and isinstance(completion.get("usage"), dict):
        return completion  # empty, and billed
    if "choices" in completion:
        raise UnusableReply(
            f"the list of choices in the reply is empty, and no error is named: {_excerpt(content)}"
        )
    raise UnusableReply(f"it holds no choices: {_excerpt(content)}")


def _with_choices_as_list(completion: dict[str, Any]) -> dict[str, Any]:
    """The completion with its choices in a list, also where they came by number: `{"0": {…}}`."""
    choices = completion.get("choices")
    if isinstance(choices, dict) and "0" in choices:
        return {**completion, "choices": list(choices.values())}
    return completion


def _means_success(told: object) -> bool:
    """Whether an `error` object says "no error", such as code 0: some gateways always send one."""
    if not isinstance(told, dict):
        return False
    return all(not value or str(value).lower() in _SUCCESS for value in told.values())


def _excerpt(content: bytes) -> str:
    """The beginning of an answer that is neither completion nor error, as text."""
    text = plain_words(content)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _parsed(content: bytes) -> Any:
    """The JSON of a body, of a stream's events, or inside other text.

    Raises:
        UnusableReply: there is none. The message says if it is a web page.
    """
    body = content.lstrip()
    if is_stream(body):
        return join_events(body)
    try:
        return loads(content)
    except (ValueError, RecursionError) as error:
        words = plain_words(content) if body.startswith(b"<") else ""
        if not words and (found := _hidden_document(content)) is not None:
            return found
        raise UnusableReply(f"a web page ({words})" if words else str(error)) from None


def _hidden_document(content: bytes) -> Any:
    """The JSON document of a body that is gzip or UTF-16 without a header that says so, or that
    goes on after the document's end; None where there is none, or several that differ.
    """
    if content.startswith(_GZIP):
        try:
            return loads(zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, LARGEST_REPLY))
        except (zlib.error, ValueError, RecursionError):
            return None
    encoding = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    text = content.decode(encoding, "replace")
    documents, position = list[Any](), 0
    with contextlib.suppress(ValueError, RecursionError):
        while (begin := _NOT_BLANK.search(text, position)) and len(documents) < _MOST_DOCUMENTS:
            document, position = _DECODER.raw_decode(text, begin.start())
            documents.append(document)
    completions = [each for each in documents if isinstance(each, dict) and "choices" in each]
    same = all(each == completions[0] for each in completions)
    return completions[0] if completions and same else None


def _without_envelope(body: Any) -> Any:
    """The completion inside what some gateways wrap around it: an object, or a list of one."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict) or "choices" in body:
        return body
    inside = [body[n] for n in _ENVELOPES if isinstance(body.get(n), dict) and "choices" in body[n]]
    return inside[0] if len(inside) == 1 else body
