"""Finds the answer in what a model wrote: without its reasoning, Markdown fences and other text.

With strict structured outputs the text is the answer, and comes back as it is. Other servers send
`<think>` drafts, Markdown, HTML escapes, JSON in a string, or two documents. The rule: text before
the end of the reasoning is ignored, and of several complete documents the last one is taken. A
document that was cut off is left for the steps, which keep the entries that are whole. Nothing is
completed by guessing.
"""

from __future__ import annotations

import json
import re
from html import unescape
from itertools import accumulate
from typing import Any, Final, NamedTuple

from json_repair import repair_json

from weighbridge.lenient_json import loads

_REASONING_ENDS: Final = re.compile(
    r"</(?:\w+:)?(?:think|thinking|thought|reason|reasoning|scratchpad|analysis)>|\[/THINK\]|◁/think▷"
    r"|<\|channel\|>\s*final[^<>]*(?:<\|constrain\|>[^<>]*)?<\|message\|>"
    r"|<\|end_of_thought\|>",
    re.IGNORECASE,
)
_REASONING_BEGINS: Final = re.compile(
    r"\s*(?:<(?:\w+:)?(?:think|thinking|thought|reason|reasoning|scratchpad|analysis)>|\[THINK\]|◁think▷|<\|channel\|>analysis)",
    re.IGNORECASE,
)
_DECODER: Final = json.JSONDecoder()
_OPENING: Final = re.compile(r"[{\[]")
_BRACKET: Final = re.compile(r"[{}\[\]]")
_BEGUN: Final = re.compile(r'\{\s*"')
_AFTER_THE_END: Final = " \t\r\n.`"
_DEEPEST_REPAIRED: Final = 50
"""How many levels of brackets in brackets a text may have, at most, to be repaired; answers have
five.
"""
_LONGEST_REPAIRED: Final = 100_000
"""How many characters a text may have, at most, to be repaired. Answers have some ten thousand;
repairing much more would hold up all other calls for seconds.
"""
_MOST_TRIES: Final = 2_000
"""How many opening brackets of a text are tried, at most, as the beginning of a JSON document; a
model's text has dozens.
"""


class NoJson(ValueError):
    """The text holds no whole JSON document; it may hold the beginning of one."""


def after_reasoning(text: str) -> str:
    """The text after the model's reasoning; all of it if there is none.

    Empty when the reasoning has no end: then there is no answer yet.
    """
    ends = [found.end() for found in _REASONING_ENDS.finditer(text)]
    if ends:
        return text[ends[-1] :]
    return "" if _REASONING_BEGINS.match(text) else text


class Found(NamedTuple):
    """A JSON document; `is_all`: the text holds nothing else."""

    document: Any
    is_all: bool = False


def find_document(text: str, *, is_cut: bool) -> Found:
    """The JSON document that the text ends with.

    `is_cut`: the model reached its length limit, so that nothing may be repaired.

    Raises:
        NoJson: no document is whole; the text may hold the beginning of one.
    """
    try:
        return Found(loads(text), is_all=True)
    except (ValueError, RecursionError):
        pass
    last = _last_document(text)
    if last is not None:
        return Found(last)
    if "&quot;" in text or "&#34;" in text:
        return Found(find_document(unescape(text), is_cut=is_cut).document)
    is_closed = text.rstrip(_AFTER_THE_END)[-1:] in ("}", "]")
    is_usual = len(text) <= _LONGEST_REPAIRED and 0 < _depth(text) <= _DEEPEST_REPAIRED
    if not is_cut and is_closed and is_usual:
        repaired = repair_json(text, return_objects=True, skip_json_loads=True)
        if isinstance(repaired, dict | list) and repaired:
            return Found(repaired)
    raise NoJson


def _depth(text: str) -> int:
    """An upper bound for the brackets that are open at once; those inside strings count too."""
    opened = [0, *accumulate(1 if found[0] in "{[" else -1 for found in _BRACKET.finditer(text))]
    return max(opened) - min(opened)


def _last_document(text: str) -> Any | None:
    """The last complete object or list of objects; None if there is none, or if another one begins
    after it.
    """
    found: Any | None = None
    position = 0
    for _ in range(_MOST_TRIES):
        opening = _OPENING.search(text, position)
        if opening is None:
            return found
        try:
            document, position = _DECODER.raw_decode(text, opening.start())
        except RecursionError:
            return found
        except json.JSONDecodeError as error:
            if _BEGUN.match(text, opening.start()) and _is_cut_off(error, text):
                return None  # it was cut off: what stood before it was a draft
            position = opening.end()
        else:
            if isinstance(document, dict) or any(isinstance(e, dict) for e in document):
                found = document
    return found


def _is_cut_off(error: json.JSONDecodeError, text: str) -> bool:
    """Whether the document only lacks its end."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip())
