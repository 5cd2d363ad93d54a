"""Replaces the model's bills of materials by own ones: by corrections of the whole bill, which also
apply to products that are not processed yet.

The model is still asked, and its bill is kept beside the own one: the two can be compared, and
taking the own bill back needs no new call.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses
from weighbridge.domain.corrections import Change
from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import Conflict, InputError
from weighbridge.plain_text import counted
from weighbridge.service.access.audit import record_action
from weighbridge.service.desk.correcting import (
    CorrectedFigure,
    Correcting,
    Recomputation,
    Request,
    causes_of,
    portions_of,
    refuse_unknown,
)
from weighbridge.store import corrections, products, queue_state
from weighbridge.store.corrections import NewCorrection
from weighbridge.store.database import plan_every_statement
from weighbridge.weighing.on_every_core import weighing_beside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.corrections import Correction
    from weighbridge.service.desk.bill_files import OwnBills, OwnLine
    from weighbridge.steps import Steps
    from weighbridge.store.database import Connection, Database

OWN_BILLS: Final = "gave own bills of materials"
_LINES: Final = "lines"
_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class BillsGiven:
    """What was done with the own bills of a file."""

    figures: tuple[CorrectedFigure, ...]
    """Figures of products that are processed already, recomputed with the bill."""
    waiting: tuple[str, ...]
    """Codes of products not processed yet; their bill is used once they are."""
    unchanged: tuple[str, ...]
    """Codes of products that had the same own bill already."""
    notes: tuple[str, ...] = ()
    """Sentences on which names in the file were taken for which keys of materials and processes."""


async def give_bills(
    database: Database,
    factors: FactorTable,
    steps: Steps,
    given: OwnBills,
    request: Request,
) -> BillsGiven:
    """Replace the model's bills, and own ones given before, by these; all or none.

    Raises:
        NotFound: there is no such product.
        Conflict: somebody else has corrected the bill, and `request.replace` is not set.
        InputError: names the products whose bill cannot be used, and why.
    """
    work = Correcting(factors, steps)
    bills = given.bills
    waiting: list[str] = []
    unchanged: list[str] = []
    async with weighing_beside(work, len(bills)) as weighing, database.transaction() as connection:
        await plan_every_statement(connection)
        recomputation = Recomputation(connection, weighing)
        for portion in portions_of(list(bills)):
            rows = await corrections.lock_completed(connection, portion)
            refuse_unknown(rows, portion, given.places)
            active = await corrections.active(connection, [row["id"] for row in rows])
            changed = [
                row
                for row in rows
                if _changes_of(bills[row["code"]]) != _bill_changes(active.get(row["id"], ()))
            ]
            unchanged += [row["code"] for row in rows if row not in changed]
            new = await _replace_bills(connection, work, changed, active, given, request)
            made = causes_of([each for each in new if not _is_fact(each.change)])
            answered = [row for row in changed if _is_answered(row) and row["id"] in made]
            await recomputation.add(answered, made)
            unanswered = [row["id"] for row in changed if not _is_answered(row)]
            await products.begin_anew(connection, unanswered)
            waiting += [row["code"] for row in changed if not _is_answered(row)]
        figures = await recomputation.end()
        await queue_state.announce(connection)
    if figures or waiting:
        detail = {
            "products": len(figures) + len(waiting),
            "codes": [*(one.code for one in figures), *waiting][:_NAMED],
            "reason": request.reason,
        }
        await record_action(database, request.by, OWN_BILLS, None, detail)
    return BillsGiven(tuple(figures), tuple(waiting), tuple(unchanged), given.notes)


async def _replace_bills(
    connection: Connection,
    work: Correcting,
    rows: Sequence[Record],
    active: Mapping[int, Sequence[Correction]],
    given: OwnBills,
    request: Request,
) -> list[NewCorrection]:
    """Withdraw earlier corrections of these bills, and store the new ones; returns the new ones.

    Raises Conflict naming every bill that somebody else has corrected, and where the file has it.
    """
    problems: list[str] = []
    old: list[int] = []
    kept: dict[int, list[Correction]] = {}
    for row in rows:
        of_bill = [each for each in active.get(row["id"], ()) if _is_of_bill(each.change)]
        others = [each for each in of_bill if each.made_by != request.by]
        if others and not request.replace:
            problems.append(
                f"{_placed(given, row['code'], others[-1].change)}: {others[-1].made_by} has corrected this already: "
                f"{others[-1].says}. Repeat with --replace (in the API: replace=true) to replace that bill."
            )
        old += [each.id for each in of_bill]
        kept[row["id"]] = [each for each in active.get(row["id"], ()) if each not in of_bill]
    if problems:
        raise Conflict(capped(problems))
    if old:
        await corrections.withdraw(connection, old, request.by)
    new = await asyncio.to_thread(_new_corrections, work, rows, kept, given, request)
    if new:
        await corrections.insert(connection, new)
    return new


def _new_corrections(
    work: Correcting,
    rows: Sequence[Record],
    kept: Mapping[int, Sequence[Correction]],
    given: OwnBills,
    request: Request,
) -> list[NewCorrection]:
    """The corrections that put these bills in place.

    Bills of products without answers are not checked here; they apply once there are answers.

    Raises:
        InputError: names the products whose bill cannot be used, up to `_NAMED` of them.
    """
    found: list[NewCorrection] = []
    problems = []
    for row in rows:
        lines = given.bills[row["code"]]
        changes = _changes_of(lines)
        if not _is_answered(row):
            found += [
                _unchecked_correction(row["id"], change, lines, request) for change in changes
            ]
            continue
        sure = tuple(change for change in changes if not _is_fact(change))
        whole = Request(sure, request.by, request.reason, replace=True)
        try:
            answered = work.read(row)
            found += work.change(answered, kept[row["id"]], whole, keep_same=True)
        except InputError as error:
            problems += [_behind_cell(given, row["code"], one) for one in str(error).splitlines()]
        facts = (change for change in changes if _is_fact(change))
        found += [_unchecked_correction(row["id"], change, lines, request) for change in facts]
    if problems:
        raise InputError(capped(problems))
    return found


def _placed(given: OwnBills, code: str, change: Change) -> str:
    """The code behind the cell of the file that is about the same as this change."""
    is_of_line = change.step == ManufacturingProcesses.step and len(change.path) > 1
    return given.placed(code, int(change.path[1]) if is_of_line else None)


def _behind_cell(given: OwnBills, code: str, problem: str) -> str:
    """The problem behind the cell that it is about, which its target tells."""
    target = re.match(
        rf"{re.escape(code)}: {ManufacturingProcesses.step}\.{_LINES}\.(\d+)", problem
    )
    number = int(target[1]) if target else None
    return f"{given.placed(code, number)}{problem.removeprefix(code)}"


def capped(problems: Sequence[str]) -> str:
    """The first problems, a line each, and how many more there are."""
    more = len(problems) - _NAMED
    rest = [f"and {counted(more, 'more problem')}"] if more > 0 else []
    return "\n".join([*problems[:_NAMED], *rest])


def _changes_of(lines: Sequence[OwnLine]) -> tuple[Change, ...]:
    """The changes that make these lines the bill: of all lines, then of their processes, then of
    what is known of the processes, as far as the file has them.
    """
    bill = Change(BillOfMaterials.step, (_LINES,), [line.as_value() for line in lines])
    worked = (
        Change(ManufacturingProcesses.step, (_LINES, str(number)), list(line.processes))
        for number, line in enumerate(lines, start=1)
        if line.processes is not None
    )
    known = (
        Change(ManufacturingProcesses.step, (_LINES, str(number), name), value)
        for number, line in enumerate(lines, start=1)
        for name, value in line.facts.items()
    )
    return (bill, *worked, *known)


def _is_fact(change: Change) -> bool:
    """Whether a change is of what is known of a line's processes, such as their country.

    The file may leave the processes themselves to the model, so such a change may not apply.
    """
    return change.step == ManufacturingProcesses.step and len(change.path) > 2


def _bill_changes(active: Sequence[Correction]) -> tuple[Change, ...]:
    """The changes of the bill among a product's corrections."""
    return tuple(each.change for each in active if _is_of_bill(each.change))


def _is_of_bill(change: Change) -> bool:
    """Whether a change is of the lines of a bill or of their processes."""
    steps = (BillOfMaterials.step, ManufacturingProcesses.step)
    return change.step in steps and change.path[:1] == (_LINES,)


def _unchecked_correction(
    product_id: int, change: Change, lines: Sequence[OwnLine], request: Request
) -> NewCorrection:
    """A correction that is stored without being checked, because there is no answer yet.

    It applies once there is one.
    """
    anchor = lines[int(change.path[1]) - 1].material if len(change.path) > 1 else None
    return NewCorrection(product_id, change, anchor, None, change.value, request.by, request.reason)


def _is_answered(row: Record) -> bool:
    """Whether a product is completed, so that its answers are stored."""
    return row["status"] == ProcessingStatus.COMPLETED and row["detail"] is not None
