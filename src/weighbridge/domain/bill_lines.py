"""Finds the line of a bill that a correction names by its number from 1, also when the model has
been asked for the bill again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.errors import ImplausibleAnswer
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from weighbridge.domain.answers import BillOfMaterials, BomLine
    from weighbridge.domain.corrections import Path

LINES: Final = "lines"
"""First part of the path to a line of a bill."""
_BETWEEN: Final = "\n"
"""What separates the material from the part in the anchor of a line (see `line_anchor`)."""


def line_number(path: Path, bill: BillOfMaterials) -> int | None:
    """The number of the line that a path leads to; None if it leads to no single line.

    Raises ImplausibleAnswer when the bill has no such line.
    """
    if len(path) < 2 or path[0] != LINES:
        return None
    numbers = {str(number): number for number in range(1, len(bill.lines) + 1)}
    if path[1] not in numbers:
        raise ImplausibleAnswer(
            f"there is no line {path[1]}; the bill of materials has {counted(len(bill.lines), 'line')}."
        )
    return numbers[path[1]]


def line_anchor(path: Path, bill: BillOfMaterials) -> str | None:
    """What the line is known by that a path leads to; None if it leads to no single line.

    That is its material, and its part behind a line end where other lines have the material too.

    Raises ImplausibleAnswer when the bill has no such line.
    """
    number = line_number(path, bill)
    if number is None:
        return None
    line = bill.lines[number - 1]
    alike = [other for other in bill.lines if other.material == line.material]
    same_part = [other for other in alike if _part(other) == _part(line)]
    is_known_by_part = len(alike) > len(same_part) == 1 and _part(line)
    return f"{line.material}{_BETWEEN}{line.component}" if is_known_by_part else line.material


def relocated(path: Path, anchor: str | None, bill: BillOfMaterials) -> Path:
    """The path with the number of the line that `anchor` is of (see `line_anchor`).

    `bill` is as the model gave it, or a person as a whole: corrections of single lines do not
    change the order of its lines. Of lines that the anchor does not tell apart, the one at the
    number of the path is preferred.

    Raises ImplausibleAnswer when no line, or more than one, can be meant.
    """
    if anchor is None:
        return path
    material, _, part = anchor.partition(_BETWEEN)
    found = [n for n, line in enumerate(bill.lines, start=1) if line.material == material]
    if part and len(found) > 1:
        found = [n for n in found if _part(bill.lines[n - 1]) == part.casefold()]
    if int(path[1]) in found:
        return path
    if len(found) != 1:
        of_part = f" ({part})" if part else ""
        raise ImplausibleAnswer(
            f"line {path[1]} was {material}{of_part}; the bill of materials now has "
            f"{len(found) or 'no'} such lines."
        )
    return (path[0], str(found[0]), *path[2:])


def _part(line: BomLine) -> str:
    """What the line is in the product, in small letters; "" if nobody says."""
    return line.component.casefold()
