"""How values from a user's file are quoted in messages: short, on one line, harmless to print or
store.

Used by every check in `ingest/`, so that a reason never carries control characters or a whole
description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_CHARACTERS: Final = 60
"""How many characters of a cell a message shows."""
SHOWN_COLUMNS: Final = 20
"""How many names of columns a message lists."""
SHOWN_CODE_CHARACTERS: Final = 200
"""How many characters of a product code or a name of a column are shown."""


def quote(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """The text in double quotes, cut after `limit` characters, unprintable characters escaped."""
    return f'"{safe(text, limit)}"'


def safe(text: str, limit: int = SHOWN_CODE_CHARACTERS) -> str:
    """The text cut after `limit` characters, with unprintable characters escaped; not in quotes."""
    shortened = text if len(text) <= limit else text[: limit - 1] + "…"
    # Backslashes stay single: people look for what they typed. `isprintable` is false for controls,
    # line separators, surrogates and formatting characters that would turn the message around.
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shortened)


def quote_all(texts: Iterable[str]) -> str:
    """The names, each in double quotes, joined by commas; of a long list the rest is only
    counted.
    """
    names = [text for text in texts if text.strip()]
    shown = ", ".join(quote(name, 40) for name in names[:SHOWN_COLUMNS])
    left = len(names) - SHOWN_COLUMNS
    return f"{shown} and {left:,} more" if left > 0 else shown or "no named column"


def readable_code(text: str | None) -> str | None:
    """A product code as a rejected row shows it: shortened; None if it is empty or not
    printable.
    """
    code = (text or "").strip()
    return code[:SHOWN_CODE_CHARACTERS] if code and code.isprintable() else None
