"""Reads what a server says about a failure, whatever the shape of its answer.

OpenAI puts an `error` object into the body. Others send a list with that object in it (Gemini), a
string (TGI, Ollama, LM Studio), `detail` (FastAPI), `message` beside a status (vLLM, Mistral,
Azure's gateway), `errors` (Cloudflare), `base_resp` (MiniMax), `error_msg` (Baidu), or a web page.
`evidence_of` finds codes and words in all of them. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any, Final

from weighbridge.lenient_json import loads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import openai

_WORDS: Final = (
    "message", "msg", "detail", "error_message", "error_msg", "errorMessage", "status_msg", "faultstring", "reason",
    "description", "error_description", "title", "Message", "raw", "text", "quotaId",
)  # fmt: skip
_CODES: Final = (
    "code", "type", "error_type", "error_code", "errorcode", "status", "status_code", "statusCode", "__type",
)  # fmt: skip
_INSIDE: Final = (
    "error", "errors", "detail", "details", "message", "metadata", "fault", "base_resp", "innererror", "raw", "response",
    "choices", "violations",
)  # fmt: skip
_DEEPEST: Final = 5
"""The deepest level of nested objects in which an error is looked for."""
STATUS_IF_UNSTATED: Final = 599
"""Status that is assumed for an answer of status 200 that holds an error without a status of its
own.
"""
_CODE: Final = re.compile(r"\w+_\w+")
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^<>]+>")
_LONGEST_PLAIN: Final = 2_000
"""The most bytes that are read of a web page or plain text, and the most characters that are kept
of a sentence in JSON.
"""
_DAYS: Final = re.compile(r"per.?day|\b[rt]pd\b|daily|perday", re.IGNORECASE)
_NOT_WORDS: Final = frozenset({"error", "null", "none", "failed"})


@dataclass(frozen=True)
class Evidence:
    """What an answer with an error says. `message` holds all of its sentences, joined by ": "."""

    status: int
    codes: tuple[str, ...]
    parameter: str
    message: str
    is_json: bool
    headers: Mapping[str, str]
    context_tokens: int | None = None  # of the model, where the server states it
    is_about_day: bool = False  # the limit that was reached is one of the day

    @property
    def searchable(self) -> str:
        """Parameter, codes and message in lower case, for looking up words."""
        return f"{self.parameter} {' '.join(self.codes)} {self.message}".lower()


def evidence_of(error: openai.APIStatusError) -> Evidence:
    """Read status, codes, words and headers, whatever the shape of the body."""
    content = error.response.content
    body = _parsed(content) if content else error.body
    return read_evidence(error.status_code, body, content, error.response.headers)


def read_evidence(
    status: int, body: Any, content: bytes, headers: Mapping[str, str] | None = None
) -> Evidence:
    """As `evidence_of`, from the parts of an answer; `body` is None where it is not JSON."""
    levels = list(_levels(body))
    words = list(dict.fromkeys(word for level in levels for word in _words(level)))
    is_json = isinstance(body, dict | list | str) or not content
    if not is_json or not words:
        words = [plain_words(content)]
    return Evidence(
        status=status,
        codes=tuple(dict.fromkeys(code for level in levels for code in _codes(level))),
        parameter=next((p for level in levels if (p := _parameter(level))), ""),
        message=": ".join(word for word in words if word),
        is_json=is_json,
        headers=headers or {},
        context_tokens=next((n for level in levels if (n := _context_tokens(level))), None),
        is_about_day=bool(_DAYS.search(content[:20_000].decode("utf-8", "replace"))),
    )


def stated_status(body: Any) -> int | None:
    """The HTTP error status that a body of status 200 states; None if it states none."""
    for level in _levels(body):
        for name in ("code", "status", "status_code", "statusCode"):
            value = level.get(name)
            number = int(value) if isinstance(value, str) and value.isdigit() else value
            if isinstance(number, int) and not isinstance(number, bool) and 400 <= number <= 599:
                return number
    return None


def plain_words(content: bytes) -> str:
    """What a web page or a plain text says: its title, or its first words."""
    text = content[:_LONGEST_PLAIN].decode("utf-8", "replace")
    title = _TITLE.search(text)
    shown = title[1] if title else _TAG.sub(" ", text)
    return " ".join(unescape(shown).split())


def _parsed(content: bytes) -> Any:
    """The content as JSON; None when it is not JSON."""
    try:
        return loads(content)
    except (ValueError, RecursionError):
        return None


def _levels(body: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Every object of a body that may describe the error, the outer ones first; a text counts as an
    object with that message.
    """
    if isinstance(body, str):
        if depth:
            inner = _parsed(body.encode("utf-8", "replace")) if body.lstrip()[:1] in "[{" else None
            if inner is not None:
                yield from _levels(inner, depth + 1)
            return
        yield {"message": body}
    elif isinstance(body, list):
        for element in body[:3]:
            if isinstance(element, str) and depth <= 1:
                yield {"message": element}
            else:
                yield from _levels(element, depth)
    elif isinstance(body, dict) and depth <= _DEEPEST:
        yield body
        for name in _INSIDE:
            if isinstance(body.get(name), dict | list | str):
                yield from _levels(body[name], depth + 1)


def _words(level: Mapping[str, Any]) -> Iterator[str]:
    """The sentences of one object that explain the failure, the likeliest first; no nested JSON."""
    for name in ("error", *_WORDS):
        value = level.get(name)
        if isinstance(value, str) and value.strip() and not _holds_json(value):
            words = " ".join(value.split())[:_LONGEST_PLAIN]
            if words.lower() not in _NOT_WORDS:
                yield words
    if isinstance(level.get("retryDelay"), str):  # Google
        yield f"Retry in {level['retryDelay'][:20]}"
    if isinstance(level.get("finish_reason"), str):
        yield f"finish_reason {level['finish_reason']}"


def _holds_json(text: str) -> bool:
    """Whether the text is a JSON object or list, which `_levels` reads by itself."""
    return text.lstrip()[:1] in "[{" and _parsed(text.encode("utf-8", "replace")) is not None


def _codes(level: Mapping[str, Any]) -> Iterator[str]:
    """The error codes and types that one object states."""
    for name in _CODES:
        value = level.get(name)
        if isinstance(value, str) and value and len(value) <= 80:
            yield value
    told = level.get("error")
    if isinstance(told, str) and (isinstance(level.get("message"), str) or _CODE.fullmatch(told)):
        yield told[:80]


def _parameter(level: Mapping[str, Any]) -> str:
    """The request parameter that one object blames, such as "temperature" or "body.model"; else
    empty.
    """
    if isinstance(level.get("param"), str):
        return str(level["param"])
    place = level.get("loc")
    return ".".join(map(str, place)) if isinstance(place, list) else ""


def _context_tokens(level: Mapping[str, Any]) -> int | None:
    value = level.get("n_ctx")  # llama.cpp
    return value if isinstance(value, int) and value > 0 else None
