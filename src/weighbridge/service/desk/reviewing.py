"""Writes answers to a review workbook, and turns what an analyst changes in it into corrections."""

from __future__ import annotations

import asyncio
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    ManufacturingProcesses,
    Subject,
)
from weighbridge.domain.corrections import Change
from weighbridge.domain.products import Product
from weighbridge.errors import Conflict, InputError, NotFound
from weighbridge.export.cells import significant
from weighbridge.ingest.isolation.alone import read_alone
from weighbridge.plain_text import counted
from weighbridge.service.desk.correcting import (
    CorrectedFigure,
    Correcting,
    Request,
    cells_of,
    correct_each,
    portions_of,
    refuse_unanswered,
)
from weighbridge.service.desk.editing import read_mass
from weighbridge.service.desk.process_cells import FACT_COLUMNS, SEPARATOR, fact_value, written
from weighbridge.service.desk.review_workbook import Edit, read_edits, write_review
from weighbridge.steps.manufacturing import worked_lines
from weighbridge.store import corrections
from weighbridge.store.footprints import stream_results
from weighbridge.store.listing import Filter
from weighbridge.store.selections import codes_of
from weighbridge.weighing.understanding import in_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from asyncpg import Record

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.corrections import Correction
    from weighbridge.steps import Steps
    from weighbridge.store.database import Database

__all__ = ["Filter", "Reviewed", "import_review", "write_for_review"]

_DIGITS: Final = 12
"""How many significant digits of a number are written: more than anybody gives, and fewer than show
the rounding errors of sums.
"""
MOST_NAMED: Final = 100


class Reviewed(NamedTuple):
    """The new figures, and what was changed in the workbook in vain."""

    figures: list[CorrectedFigure]
    left_out: list[str]


_TARGETS = {
    "subcategory": "classification",
    "mass_kg": "bill_of_materials",
    "material": "bill_of_materials",
    "component": "bill_of_materials",
    "processes": "manufacturing",
    **dict.fromkeys(FACT_COLUMNS, "manufacturing"),
}


async def write_for_review(database: Database, steps: Steps, path: Path, wanted: Filter) -> int:
    """Write a workbook with the answers, as corrected, about the completed products that the filter
    finds; returns how many.
    """
    products: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    async with database.pool.acquire() as connection:
        codes = None if wanted.is_everything else await codes_of(connection, wanted)
        async for rows in stream_results(connection, None, codes):
            for row in rows:
                if row["detail"] is not None:
                    _append_rows(row, steps, products, lines)
    write_review(path, products, lines, _lists(steps))
    return len(products)


def _lists(steps: Steps) -> dict[str, Mapping[str, str]]:
    """The closed lists of the editable columns, key to name."""
    choices = {step.name: step.choices for step in steps}
    worked = choices[ManufacturingProcesses.step]
    return {
        "subcategory": choices[Classification.step](("subcategory",)),
        "material": choices[BillOfMaterials.step](("lines",)),
        "process": worked(("lines", "1")),
        "country": worked(("lines", "1", "country")),
    }


def _append_rows(
    row: Mapping[str, Any],
    steps: Steps,
    products: list[tuple[Any, ...]],
    lines: list[tuple[Any, ...]],
) -> None:
    """Append a product's row and those of its lines; nothing if an answer is missing."""
    detail = row["detail"]
    answers = {step: steps.decode(step, stored) for step, stored in detail.answers.items()}
    subject = Subject(Product(row["code"], row["name"], row["description"]), answers)
    kind, bill = subject.answer(Classification), subject.answer(BillOfMaterials)
    made = subject.answer(ManufacturingProcesses)
    if kind is None or bill is None or made is None:
        return
    figure = float(f"{detail.footprint.emissions_kg_co2e:.3g}")
    notes = "; ".join(detail.footprint.notes)[:1_000]
    mass_kg = significant(bill.mass_kg, _DIGITS)
    products.append((row["code"], row["name"], kind.subcategory, mass_kg, figure, notes))
    for number, line in enumerate(bill.lines, start=1):
        done = [use for use in made.uses if number in worked_lines(use, bill)]
        lines.append(
            (
                row["code"],
                number,
                line.material,
                significant(line.mass_kg, _DIGITS),
                line.component or "",
                f"{SEPARATOR} ".join(use.process for use in done),
                *(written([getattr(use.known, name) for use in done]) for name in FACT_COLUMNS),
            )
        )


async def import_review(
    database: Database,
    factors: FactorTable,
    steps: Steps,
    path: Path,
    by: str,
    reason: str,
    *,
    replace: bool = False,
) -> Reviewed:
    """Make corrections of what was changed in the workbook: of all of it, or of nothing.

    Raises:
        InputError: names every cell that cannot be used, and what is wrong with it.
        Conflict: somebody else has corrected the same, or a product has no answers now; names
            every such cell.
        NotFound: products were deleted since; names their cells.
    """
    read = await asyncio.to_thread(read_alone, read_edits, path)
    problems = list(read.problems)
    changes: dict[str, list[Change]] = {}
    cell_of: dict[str, str] = {}
    cells: dict[str, list[str]] = {}
    for edit in sorted(read.edits, key=lambda one: bool(one.line)):  # the product before its lines
        try:
            change = _change(edit)
        except InputError as error:
            problems.append(str(error))
            continue
        changes.setdefault(edit.code, []).append(change)
        cell_of[f"{edit.code}: {change.target}: "] = edit.cell
        cells.setdefault(edit.code, []).append(edit.cell)
    requests = {
        code: Request(tuple(wanted), by, reason, replace, tuple(cells[code]))
        for code, wanted in changes.items()
    }
    tools = (database, factors, steps)
    if problems:
        further = await _further_problems(*tools, requests, problems)
        raise InputError(_by_cell(further, cell_of))
    try:
        return Reviewed(await correct_each(*tools, requests), read.left_out)
    except (InputError, Conflict) as error:
        further = await _further_problems(*tools, requests, str(error).splitlines())
        raise type(error)(_by_cell(further, cell_of)) from error


async def _further_problems(
    database: Database,
    factors: FactorTable,
    steps: Steps,
    requests: Mapping[str, Request],
    found: Sequence[str],
) -> list[str]:
    """The problems `found` so far and those of all other changes, each once: whoever mends the file
    mends it once.
    """
    work = Correcting(factors, steps)
    problems = dict.fromkeys(found)
    async with database.pool.acquire() as connection:
        for codes in portions_of(list(requests)):
            rows = await corrections.weighable(connection, codes)
            try:
                refuse_unanswered(rows, codes, cells_of(requests, codes))
            except (Conflict, NotFound) as error:
                problems |= dict.fromkeys(str(error).splitlines())
            answered = [row for row in rows if row["detail"] is not None]
            active = await corrections.active(connection, [row["id"] for row in answered])
            for row in answered:
                wanted = requests[row["code"]]
                more = await asyncio.to_thread(_problems_of, work, row, active, wanted)
                problems |= dict.fromkeys(more)
    return list(problems)


def _problems_of(
    work: Correcting, row: Record, active: Mapping[int, Sequence[Correction]], wanted: Request
) -> list[str]:
    """What keeps one product's changes from being made: those that are in somebody's way first, and
    of the others all that cannot be.
    """
    changes, _ = in_keys(wanted.changes, work.steps)
    problems: list[str] = []
    while changes:
        try:
            work.change(
                work.read(row), active.get(row["id"], ()), replaced(wanted, changes=changes)
            )
        except Conflict as error:
            problems.append(str(error))
            starts = [f"{row['code']}: {change.target}: " for change in changes]
            blamed = [str(error).startswith(start) for start in starts]
            if not any(blamed):
                break
            changes = tuple(c for c, is_it in zip(changes, blamed, strict=True) if not is_it)
        except InputError as error:
            return [*problems, *str(error).splitlines()]
        else:
            break
    return problems


def _change(edit: Edit) -> Change:
    """The correction that an edited cell asks for.

    Raises:
        InputError: names the cell that has no value, or one that cannot be read.
    """
    step = _TARGETS[edit.column]
    if edit.column == "processes":
        words = [word.strip() for word in edit.value.split(";")]
        return Change(step, ("lines", edit.line), [word for word in words if word])
    path = ("lines", edit.line, edit.column) if edit.line else (edit.column,)
    if edit.column in FACT_COLUMNS:
        try:
            return Change(step, path, fact_value(edit.column, edit.value))
        except InputError as error:
            raise InputError(f"{edit.cell}: {error}") from error
    if edit.column == "mass_kg":
        mass_kg = read_mass(edit.value)
        if isinstance(mass_kg, str):
            raise InputError(f"{edit.cell}: {edit.value!r} is not a number; write it like 1.25.")
        return Change(step, path, mass_kg)
    if not edit.value and edit.column != "component":
        raise InputError(f"{edit.cell}: a value is missing.")
    return Change(step, path, edit.value)


def _by_cell(problems: Sequence[str], cell_of: Mapping[str, str]) -> str:
    """The problems under the cells that they come from."""
    named = [_with_cell(line, cell_of) for line in problems]
    more = len(named) - MOST_NAMED
    rest = [f"and {counted(more, 'more problem')}"] if more > 0 else []
    return "\n".join([*named[:MOST_NAMED], *rest])


def _with_cell(line: str, cell_of: Mapping[str, str]) -> str:
    for start, cell in cell_of.items():
        if line.startswith(start):
            return f"{cell}: {line.removeprefix(start)} ({start.partition(': ')[0]})"
    return line
