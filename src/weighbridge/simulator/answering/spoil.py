"""Damages good answers on purpose: the faults that come with status 200.

Used by `completions.py` between the analyst and the wire. Pure.
"""

from __future__ import annotations

from typing import Any, Final

from weighbridge.simulator.answering.analyst import CODE_FIELDS
from weighbridge.simulator.config import Fault

IMPLAUSIBLE_FACTOR: Final = 1000

Answer = dict[str, Any]


def product_rows(answer: Any) -> list[Answer]:
    """The list in an answer that has one object per product; the very list, so that it may be
    changed.
    """
    if isinstance(answer, dict):
        for value in answer.values():
            if (
                isinstance(value, list)
                and value
                and isinstance(value[0], dict)
                and _code_field(value[0])
            ):
                return value
    return []


def spoil_rows(rows: list[Answer], fault: Fault | None, place: float) -> int | None:
    """Damage one product's row in place. Returns its position, or None when nothing was damaged."""
    if not rows:
        return None
    position = int(place * len(rows))
    row = rows[position]
    match fault:
        case Fault.MISSING:
            del rows[position]
        case Fault.FOREIGN:
            row[_code_field(row) or CODE_FIELDS[0]] = f"NOT-ASKED-{int(place * 1e6)}"
        case Fault.DOUBLED:
            rows.append(dict(row))
        case Fault.IMPLAUSIBLE:
            if not _inflate(row):
                return None
        case _:
            return None
    return position


def poison_row(row: Answer) -> None:
    """Leave of a product's row only its code: strict mode forbids that, and so must whoever reads
    it.
    """
    field = _code_field(row)
    for name in list(row):
        if name != field:
            del row[name]


def cut_text(text: str, place: float) -> str:
    """The text ended somewhere in its middle half."""
    return text[: int(len(text) * (0.25 + place / 2))]


def garble(text: str, place: float) -> str:
    """Text that is no longer JSON: cut, with a remark of the kind that models add."""
    return cut_text(text, place) + "\n… and so on for the others."


def _code_field(row: Answer) -> str | None:
    return next((field for field in CODE_FIELDS if field in row), None)


def _inflate(node: Any) -> bool:
    """Multiply every number by 1,000. Says whether there was one."""
    entries = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    changed = False
    for key, value in list(entries):
        if isinstance(value, int | float) and not isinstance(value, bool):
            node[key] = value * IMPLAUSIBLE_FACTOR
            changed = True
        elif _inflate(value):
            changed = True
    return changed
