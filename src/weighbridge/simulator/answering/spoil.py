"""Damages good answers on purpose: the faults of an answer with status 200.

Used by `completions.py` after the analyst has written the answer. Pure.
"""

from __future__ import annotations

from typing import Any, Final

from weighbridge.simulator.answering.analyst import CODE_FIELDS
from weighbridge.simulator.config import Fault

IMPLAUSIBLE_FACTOR: Final = 1000
"""The fault "implausible" multiplies every number by this."""

Answer = dict[str, Any]


def product_rows(answer: Any) -> list[Answer]:
    """The list in an answer that has one object per product, not copied, so that it can be changed
    in place; empty if there is none.
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
    """Damage one row in place, as the fault says. Returns its position; None if nothing changed.

    `place` (0 to 1) chooses the row.
    """
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
            if not _multiply_numbers(row):
                return None
        case _:
            return None
    return position


def poison_row(row: Answer) -> None:
    """Remove everything but the code from a product's row, which breaks the strict schema."""
    field = _code_field(row)
    for name in list(row):
        if name != field:
            del row[name]


def cut_text(text: str, place: float) -> str:
    """The text cut off in its middle half; `place` (0 to 1) says where."""
    return text[: int(len(text) * (0.25 + place / 2))]


def garble(text: str, place: float) -> str:
    """The text cut off and followed by a remark as models add it, so that it is no longer JSON."""
    return cut_text(text, place) + "\n… and so on for the others."


def _code_field(row: Answer) -> str | None:
    return next((field for field in CODE_FIELDS if field in row), None)


def _multiply_numbers(node: Any) -> bool:
    """Multiply every number by `IMPLAUSIBLE_FACTOR`, in place. Returns whether there was one."""
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
        elif _multiply_numbers(value):
            changed = True
    return changed
