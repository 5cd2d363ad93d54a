"""Finds the line of a bill that a correction names by its number from 1, also when the model has
been asked for the bill again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.errors import ImplausibleAnswer
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from weighbridge.domain.answers import BillOfMaterials
    from weighbridge.domain.corrections import Path

LINES: Final = "lines"
"""First part of the path to a line."""


def line_number(path: Path, bill: BillOfMaterials) -> int | None:
    """The number of the line that a path leads to; None if it leads to no single line.

    Raises ImplausibleAnswer when the bill has no such line.
    """
    if len(path) < 2 or path[0] != LINES:
        return None
    numbers = {str(number): number for number in range(1, len(bill.lines) + 1)}
    if path[1] not in numbers:
        raise ImplausibleAnswer(
            f"there is no line {path[1]}; the bill has {counted(len(bill.lines), 'line')}."
        )
    return numbers[path[1]]


def line_anchor(path: Path, bill: BillOfMaterials) -> str | None:
    """The material of the line that a path leads to; None if it leads to no single line.

    Raises ImplausibleAnswer when the bill has no such line.
    """
    number = line_number(path, bill)
    return None if number is None else bill.lines[number - 1].material


def relocated(path: Path, anchor: str | None, bill: BillOfMaterials) -> Path:
    """The path with the number of the line that has the material `anchor`.

    `bill` is as the model gave it, or a person as a whole: corrections of single lines do not
    change the order of its lines. The line at the number of the path is preferred.

    Raises ImplausibleAnswer when no line, or more than one, can be meant.
    """
    if anchor is None:
        return path
    place = int(path[1]) - 1
    if place < len(bill.lines) and bill.lines[place].material == anchor:
        return path
    found = [n for n, line in enumerate(bill.lines, start=1) if line.material == anchor]
    if len(found) != 1:
        raise ImplausibleAnswer(
            f"line {path[1]} was {anchor}; the bill no longer has a single line of this material."
        )
    return (path[0], str(found[0]), *path[2:])
