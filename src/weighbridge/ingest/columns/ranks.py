"""Every name that a header may be compared with, its field, and how good a name it is."""

from __future__ import annotations

from typing import Final

from weighbridge.ingest.columns.fields import NAMES, SHORT_DESCRIPTIONS, SYNONYMS, Field
from weighbridge.ingest.columns.headers import NUMBERS, loose_names


def _all_ranks() -> dict[str, tuple[Field, int]]:
    """(field, rank) of each key; lower is better.

    First come exact names, then names of short descriptions, then loose keys.
    """
    ranks = {key: (name, i) for name, keys in SYNONYMS.items() for i, key in enumerate(keys)}
    short = {key: (Field.DESCRIPTION, 500 + i) for i, key in enumerate(SHORT_DESCRIPTIONS)}
    loose = {
        key: (name, LOOSE_RANK + i)
        for name, names in reversed([*NAMES.items()])
        for i, one in reversed(list(enumerate(names)))
        for key in loose_names(name, one)
    }
    numbers = dict.fromkeys(NUMBERS, (Field.CODE, LOOSE_RANK))
    return numbers | loose | short | ranks


LOOSE_RANK: Final = 800
"""The best rank that a loose key of a header can have: behind every name that is written in the
table.
"""
RANKS: Final = _all_ranks()
