"""From the text of a reply to one entry per product of the group, by product code.

Models leave products out, name them twice, invent some, change the order, and stop in the middle of
a word. Only the code decides which product an entry is about; its position never does. A reply that
was cut off still gives the products that were complete: they were paid for.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

from weighbridge.domain.answers import Answer, Subject
from weighbridge.domain.calls import CallReply, FinishReason
from weighbridge.errors import AnswerError, AnswerMalformed, AnswerTruncated, WrongProducts
from weighbridge.lenient_json import loads
from weighbridge.steps.base import Refusal

Entry = Mapping[str, Any]
"""What a reply says about one product."""

ReadEntry = Callable[[Subject, Entry], Answer]
"""A step's own rules: the answer for this product, or an AnswerError that says what is wrong."""

_PRODUCTS_LIST: Final = re.compile(r'"products"\s*:\s*\[')
_LONGEST_CODE: Final = 200
"""A longer text in the place of a code is not searched for a code."""
_BETWEEN_ELEMENTS: Final = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The entries that could be read.

    `complete` is False when the text was not one whole JSON object.
    """

    entries: tuple[Entry, ...]
    complete: bool


class SortedReply:
    """A reply sorted by product; the rules of each step then judge the entries in turn."""

    def __init__(self, reply: CallReply, group: Sequence[Subject]) -> None:
        self._reply = reply
        self._parsed = parse_reply(reply.text)
        codes = [subject.product.code for subject in group]
        self._found = match_entries(self._parsed.entries, codes)

    def judge(
        self, subjects: Sequence[Subject], read: ReadEntry
    ) -> tuple[dict[str, Answer], list[Refusal]]:
        """The answers by product code, and the refusals; `read` judges each product by itself."""
        answers: dict[str, Answer] = {}
        refusals: list[Refusal] = []
        for subject in subjects:
            code = subject.product.code
            try:
                entries = self._found.get(code)
                if entries is None:
                    raise _why_missing(self._reply, self._parsed)
                answers[code] = _read_once(subject, entries, read)
            except AnswerError as error:
                refusals.append(Refusal(code, error.about(code)))
        return answers, refusals


def parse_reply(text: str) -> ParsedReply:
    """The entries of `{"products": [...]}`, also of one that was cut off or wrapped in other
    words.
    """
    try:
        data = loads(text)
    except (ValueError, RecursionError):
        return ParsedReply(tuple(_complete_entries(text)), complete=False)
    products = data.get("products") if isinstance(data, dict) else None
    if not isinstance(products, list):
        return ParsedReply((), complete=False)
    return ParsedReply(tuple(entry for entry in products if isinstance(entry, dict)), complete=True)


def match_entries(entries: Iterable[Entry], codes: Sequence[str]) -> dict[str, list[Entry]]:
    """The entries for each code; entries for other products are dropped.

    A code counts as it is written, then without the blanks around it, then with HTML's escapes
    resolved (`&amp;`), then in whatever case and spacing, then with words around it ("SKU A-1"):
    each form only where it can mean a single product, and only for products not found by a stricter
    one. In an entry without a code it is looked for under other names.
    """
    found: dict[str, list[Entry]] = {}
    waiting = [named for entry in entries if (named := _with_code(entry, codes))]
    for form in (str, str.strip, _unescaped, loose_form):
        if not waiting:
            break
        meant = _unambiguous(codes, form)
        hits: dict[str, list[Entry]] = {}
        unmatched: list[Entry] = []
        for entry in waiting:
            code = meant.get(form(entry["code"]))
            if code is None or code in found:
                unmatched.append(entry)
            else:
                hits.setdefault(code, []).append(entry)
        found |= hits
        waiting = unmatched
    for entry in waiting:
        code = _only_code_in(entry["code"], codes)
        if code is not None and code not in found:
            found[code] = [entry]
    return found


def _with_code(entry: Entry, codes: Sequence[str]) -> Entry | None:
    """The entry, if it has a code, or one other part that is exactly the code of a product."""
    if isinstance(entry.get("code"), str):
        return entry
    if entry.get("code") is not None:
        return None
    meant = {part for part in entry.values() if isinstance(part, str) and part in codes}
    return {**entry, "code": meant.pop()} if len(meant) == 1 else None


def _only_code_in(text: str, codes: Sequence[str]) -> str | None:
    """The code that the text holds as a word of its own.

    None if it holds none or several, or has more than _LONGEST_CODE characters.
    """
    said = _same_dashes(unicodedata.normalize("NFKC", text).casefold())
    found = [
        code
        for code in codes
        if re.search(
            rf"(?<![\w./-]){re.escape(_same_dashes(code.casefold()))}(?![\w/-]|\.\w)", said
        )
    ]
    return found[0] if len(found) == 1 and len(text) <= _LONGEST_CODE else None


def _same_dashes(text: str) -> str:
    """The text with every kind of dash as a hyphen."""
    return "".join("-" if unicodedata.category(char) == "Pd" else char for char in text)


def loose_form(code: str) -> str:
    """The code without regard to escapes, case, spacing, invisible characters and ways to write the
    same character.
    """
    folded = _same_dashes(unicodedata.normalize("NFKC", _unescaped(code)).casefold())
    return "".join(char for char in folded if unicodedata.category(char)[0] not in "CZ")


def _unescaped(code: str) -> str:
    """The code without HTML's escapes: resolved twice, since some servers escape what was
    escaped.
    """
    return unescape(unescape(code)).strip()


def _unambiguous(codes: Sequence[str], form: Callable[[str], str]) -> dict[str, str]:
    """Form of a code → the code, for the forms that only one code of the group has."""
    counts = Counter(form(code) for code in set(codes))
    return {form(code): code for code in codes if counts[form(code)] == 1}


def _complete_entries(text: str) -> Iterable[Entry]:
    """The elements of the first list of products that are whole; the one that was cut off is not
    among them.
    """
    start = _PRODUCTS_LIST.search(text)
    if start is None:
        return
    decoder = json.JSONDecoder()
    position = start.end()
    while gap := _BETWEEN_ELEMENTS.match(text, position):
        try:
            element, position = decoder.raw_decode(text, gap.end())
        except (ValueError, RecursionError):
            return
        if isinstance(element, dict):
            yield element


def _read_once(subject: Subject, entries: Sequence[Entry], read: ReadEntry) -> Answer:
    """The answer in the entries for a product. Raises WrongProducts where several entries
    disagree.
    """
    first, *others = [read(subject, entry) for entry in entries]
    if any(other != first for other in others):
        raise WrongProducts(
            f"the model gave {len(entries)} different answers for this product in one reply."
        )
    return first


def _why_missing(reply: CallReply, parsed: ParsedReply) -> AnswerError:
    """The error that says why the reply has no entry for a product."""
    if reply.finish_reason is FinishReason.REFUSAL:
        return AnswerMalformed(
            "the model declined to answer. If it also declines about this product alone, look for "
            "words in the name, description or picture that a content filter may object to."
        )
    if reply.full_context_tokens:
        return AnswerTruncated(
            f"the server's context of {reply.full_context_tokens:,} tokens was full before this "
            "product was done. Start the server with a larger context, or shorten the description."
        )
    if reply.finish_reason is FinishReason.LENGTH:
        return AnswerTruncated("the reply reached its length limit before this product was done.")
    if not reply.text.strip():  # a reply without any text never comes this far
        return AnswerMalformed(
            "the reply is nothing but reasoning: no answer follows it. Set "
            "WEIGHBRIDGE_REASONING_EFFORT to none, or check the server's reasoning parser."
        )
    if not parsed.complete:
        return AnswerMalformed("the reply was not the JSON that was asked for.")
    return WrongProducts("the model left this product out of its reply.")
