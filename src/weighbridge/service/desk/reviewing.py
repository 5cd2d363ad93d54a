"""Writes answers to a review workbook, and turns what an analyst changes in it into corrections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    ManufacturingProcesses,
    Subject,
)
from weighbridge.domain.corrections import Change
from weighbridge.domain.products import Product
from weighbridge.errors import Conflict, InputError
from weighbridge.ingest.isolation.alone import read_alone
from weighbridge.service.desk.correcting import CorrectedFigure, Request, correct_each
from weighbridge.service.desk.process_cells import FACT_COLUMNS, SEPARATOR, fact_value, written
from weighbridge.service.desk.review_workbook import Edit, read_edits, write_review
from weighbridge.steps.manufacturing import worked_lines
from weighbridge.store.footprints import stream_results
from weighbridge.store.listing import Filter
from weighbridge.store.selections import codes_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.steps import Steps
    from weighbridge.store.database import Database

__all__ = ["Filter", "import_review", "write_for_review"]

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
    write_review(path, products, lines)
    return len(products)


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
    mass_kg = float(f"{bill.mass_kg:.12g}")
    products.append((row["code"], row["name"], kind.subcategory, mass_kg, figure, notes))
    for number, line in enumerate(bill.lines, start=1):
        done = [use for use in made.uses if number in worked_lines(use, bill)]
        lines.append(
            (
                row["code"],
                number,
                line.material,
                line.mass_kg,
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
) -> list[CorrectedFigure]:
    """Make a correction of each cell that was changed in the workbook, all or none.

    Raises:
        InputError: names the cell and what is wrong with it.
        Conflict: somebody else has corrected the same, or a product has no answers now; names the
            cell.
        NotFound: a product was deleted since; names its cells.
    """
    edits = await asyncio.to_thread(read_alone, read_edits, path)
    changes: dict[str, list[Change]] = {}
    cell_of: dict[str, str] = {}
    cells: dict[str, list[str]] = {}
    for edit in sorted(edits, key=lambda one: bool(one.line)):  # the product before its lines
        change = _change(edit)
        changes.setdefault(edit.code, []).append(change)
        cell_of[f"{edit.code}: {change.target}: "] = edit.cell
        cells.setdefault(edit.code, []).append(edit.cell)
    requests = {
        code: Request(tuple(wanted), by, reason, replace, tuple(cells[code]))
        for code, wanted in changes.items()
    }
    try:
        return await correct_each(database, factors, steps, requests)
    except (InputError, Conflict) as error:
        raise type(error)(_by_cell(str(error), cell_of)) from error


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
        try:
            return Change(step, path, float(edit.value))
        except ValueError:
            raise InputError(
                f"{edit.cell}: {edit.value!r} is not a number; write it like 1.25."
            ) from None
    if not edit.value and edit.column != "component":
        raise InputError(f"{edit.cell}: a value is missing.")
    return Change(step, path, edit.value)


def _by_cell(message: str, cell_of: Mapping[str, str]) -> str:
    """The message with each problem under the cell that it is about, where that is known."""
    return "\n".join(_with_cell(line, cell_of) for line in message.splitlines())


def _with_cell(line: str, cell_of: Mapping[str, str]) -> str:
    for start, cell in cell_of.items():
        if line.startswith(start):
            return f"{cell}: {line.removeprefix(start)} ({start.partition(': ')[0]})"
    return line
