"""A word of a closed list, found by what a person calls it, or the words that it may be meant for.

Pure. Only for what people write: a model chooses from the list itself.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHOWN: Final = 3
_LIKELY: Final = 0.6
_SLIP: Final = 0.8
"""How alike two words are that differ by a slip of the pen."""
_SAME: Final = {
    "virgin": "primary",
    "new": "primary",
    "secondary": "recycled",
    "aluminum": "aluminium",
    "alu": "aluminium",
}


def find_key(text: str, names: Mapping[str, str]) -> str | None:
    """The key that a text means without doubt: the key itself, its name, or exactly its words in
    another order ("recycled aluminium" for aluminium_recycled).
    """
    if text in names:
        return text
    wanted = text.strip().casefold()
    by_name = [key for key, name in names.items() if wanted in (key.casefold(), name.casefold())]
    words = _words(text)
    same_words = [key for key in names if _words(key) == words] if words else []
    for found in (by_name, same_words):
        if len(found) == 1:
            return found[0]
    return None


def near_matches(text: str, names: Mapping[str, str]) -> list[str]:
    """The keys that a text may be meant for, the likeliest first."""
    wanted, words = text.strip().casefold(), _words(text)
    scored = []
    for key, name in names.items():
        of_key, of_name = _words(key), _words(name)
        shared = max(_overlap(words, of_key), _overlap(words, of_name))
        spelled = max(_likeness(wanted, key.casefold()), _likeness(wanted, name.casefold()))
        scored.append((max(shared, spelled), key))
    likely = sorted((score, key) for score, key in scored if score >= _LIKELY)
    return [key for _, key in sorted(likely, key=lambda one: (-one[0], one[1]))[:SHOWN]]


def did_you_mean(texts: Iterable[str], names: Mapping[str, str]) -> str:
    """A sentence with the likeliest words for those that are not in the list; "" without any."""
    found: dict[str, None] = {}
    for text in texts:
        if text not in names:
            found |= dict.fromkeys(near_matches(text, names))
    return f" Did you mean {' or '.join(list(found)[:SHOWN])}?" if found else ""


def _words(text: str) -> frozenset[str]:
    return frozenset(_SAME.get(word, word) for word in re.findall(r"[^\W_]+", text.casefold()))


def _overlap(wanted: frozenset[str], there: frozenset[str]) -> float:
    """What part of the words is there, and a little for having few others."""
    if not wanted or not there:
        return 0.0
    shared = sum(
        word in there or any(_likeness(word, other) >= _SLIP for other in there) for word in wanted
    )
    return 0.9 * shared / len(wanted) + 0.1 * min(shared / len(there), 1.0)


def _likeness(one: str, other: str) -> float:
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < _LIKELY:
        return 0.0
    return matcher.ratio()
