"""Keeps keys and prompts out of every text that leaves `providers/`: messages, logs, tracebacks.

Servers repeat what they were sent: OpenAI a part of the key, others the whole prompt in their
validation errors. So a provider's own words are quoted only after a `Masker` has cleaned them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import openai
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_QUOTE: Final = 240
"""The most characters shown of a provider's message; the helpful part stands at its beginning."""

_SHORTEST_SECRET: Final = 6
"""The fewest characters of a key that is masked: shorter ones are placeholders such as "none" or
"x", which occur in ordinary words.
"""

_ECHO: Final = 20
"""A message that shares this many characters in a row with the request is taken to repeat it."""

_LOOKS_SECRET: Final = re.compile(
    r"(?<![^\s'\"])[^\s'\"*]*(?:\*{1,2}[^\s'\"*]+)*\*{3,}[^\s'\"]*"  # a key that the server masked in part
    r"|\b(?:sk|sess|rk|pk)-[\w.*-]{3,}"  # OpenAI's keys and those modelled on them
    r"|\bBearer\s+[^\s'\"]+"
    r"|(?<=://)[^\s/@]+@"  # user:password@ in an address
    r"|(?<=[\w/])\?[\w%.-]+=[^\s'\"]*"  # the query of an address, which may be a signature
    r"|(?<=data:)\w+/[^\s'\"]*",  # a picture
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Masker:
    """What must not be repeated: the key, and the texts of the request at hand."""

    key: str
    texts: Sequence[str] = ()

    @override
    def __repr__(self) -> str:
        """Without the key and the texts, for tracebacks that show variables."""
        return "<Masker>"

    def quote(self, words: object) -> str:
        """The provider's own words as one short, masked line; empty when they repeat the request,
        or are no text.
        """
        if not isinstance(words, str):
            return ""
        line = " ".join(words.split())
        if len(line) > LONGEST_QUOTE:
            line = f"{line[: LONGEST_QUOTE - 1]}…"
        return "" if self._repeats_request(line) else self.mask(line)

    def mask(self, text: str) -> str:
        """The same text with everything that is a key, or looks like one, replaced by an
        ellipsis.
        """
        if len(self.key) >= _SHORTEST_SECRET:
            text = text.replace(self.key, "…")
        return _LOOKS_SECRET.sub("…", text)

    def scrub(self, error: BaseException) -> None:
        """Mask the texts of an exception and of everything that led to it, in place.

        These exceptions stay visible as the cause of our own error. `body`, where the SDK keeps the
        whole answer, is dropped.
        """
        seen: set[int] = set()
        link: BaseException | None = error
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            link.args = tuple(self.quote(a) if isinstance(a, str) else a for a in link.args)
            for name in ("message", "strerror"):
                if isinstance(getattr(link, name, None), str):
                    setattr(link, name, self.quote(getattr(link, name)))
            if isinstance(link, openai.APIError):
                link.body = None
            link = link.__cause__ or link.__context__

    def _repeats_request(self, line: str) -> bool:
        """Whether `_ECHO` characters in a row of the line are also in the request's texts."""
        # Every shared run of _ECHO characters holds one of these pieces: a storm of refusals must
        # not cost a full comparison each.
        pieces = _windows(line, _ECHO // 2, step=_ECHO // 2)
        texts = [text for text in self.texts if any(piece in text for piece in pieces)]
        return any(run in text for text in texts for run in _windows(line, _ECHO, step=1))


def _windows(line: str, length: int, step: int) -> list[str]:
    """The pieces of this length that begin at every `step`-th character."""
    return [line[at : at + length] for at in range(0, len(line) - length + 1, step)]
