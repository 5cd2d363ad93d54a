"""Makes corrections of the model's answers, takes them back, and computes the footprints again
without a call.

If one product of a selection cannot be changed, none is. The products are locked meanwhile, so that
nobody overwrites a correction unseen: the later of two people is told of the earlier one's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weighbridge.domain.corrections import NOT_APPLIED
from weighbridge.domain.history import Cause, CauseKind
from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import Conflict, InputError, NotFound
from weighbridge.plain_text import counted, listed
from weighbridge.service.access.audit import record_action
from weighbridge.service.desk.stored_products import StoredWeigher
from weighbridge.service.desk.unmoved import contradicted_masses, no_longer_applied, remarks
from weighbridge.store import corrections, footprints, products, queue_state, selections
from weighbridge.store.corrections import NewCorrection, RecordedCorrection
from weighbridge.store.database import plan_every_statement
from weighbridge.store.footprints import FootprintRows
from weighbridge.tasks import retrieve_error
from weighbridge.weighing.correcting import corrected, make_change, not_counted
from weighbridge.weighing.on_every_core import weighing_beside
from weighbridge.weighing.understanding import in_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence
    from datetime import datetime

    from asyncpg import Record

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.corrections import Change, Correction
    from weighbridge.service.desk.stored_products import AnsweredProduct
    from weighbridge.steps import Steps
    from weighbridge.store.database import Connection, Database
    from weighbridge.store.footprints import StoredFootprint
    from weighbridge.store.products import Row
    from weighbridge.weighing.on_every_core import Weighing

__all__ = [
    "CorrectedFigure",
    "RecordedCorrection",
    "Request",
    "correct",
    "correct_each",
    "corrections_of",
    "take_back",
]

CORRECTED_ANSWERS: Final = "corrected answers"
TAKEN_BACK: Final = "took corrections back"
_PORTION: Final = 500
_REPORTED: Final = 20
_NO_CELLS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Request:
    """The changes that somebody (`by`) wants made, and why.

    `replace` True: also where somebody else has made a correction. `cells` are the cells of a file
    in which the changes stand, for messages.
    """

    changes: tuple[Change, ...]
    by: str
    reason: str
    replace: bool = False
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorrectedFigure:
    """The figure of one product before and after a correction.

    `variants` are products that use the model's answers about this one; the correction does not
    apply to them. `notes` say which part of the correction does not count, why the figure did not
    change, and which names were taken for which keys.
    """

    code: str
    before_kg_co2e: float
    after_kg_co2e: float
    variants: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Weighed(NamedTuple):
    """New figures of a portion of products, and the rows to store for them.

    Plain data, because another process may have computed them.
    """

    ids: list[int]
    figures: list[CorrectedFigure]
    rows: FootprintRows
    new: Sequence[NewCorrection] = ()


class Correcting(StoredWeigher):
    """Turns requests into corrections of stored answers, and computes footprints with them."""

    def change(
        self,
        answered: AnsweredProduct,
        active: Sequence[Correction],
        request: Request,
        *,
        keep_same: bool = False,
    ) -> list[NewCorrection]:
        """The corrections that the request makes of a product; `active` are those it has already.

        Values that would not change make none, unless `keep_same` (for own bills). Raises
        InputError or Conflict if the product cannot be corrected so.
        """
        product, given = answered.stored.product, answered.given
        made: list[NewCorrection] = []
        so_far = list(active)
        placed = corrected(product, given, active, self.steps).placed
        problems: list[str] = []
        for change in request.changes:
            self._refuse_to_pass_over(answered.code, change, placed, request)
            try:
                done = make_change(
                    product,
                    given,
                    so_far,
                    change,
                    self.steps,
                    self.factors,
                    as_given=keep_same,
                )
            except InputError as error:
                problems.append(str(error))
                continue
            if keep_same or done.before != done.after:
                new = NewCorrection(
                    answered.id,
                    done.change,
                    done.anchor,
                    done.before,
                    done.after,
                    request.by,
                    request.reason,
                )
                _add(new, made)
                so_far = [*active, *(each.provisional for each in made)]
        if not problems:
            wanted = (product, given, so_far, request.changes)
            problems = not_counted(*wanted, self.steps, self.factors)
        if problems:
            raise InputError("\n".join(problems))
        return made

    def correct_each(
        self,
        rows: Sequence[Row],
        active: Mapping[int, Sequence[Correction]],
        requests: Mapping[str, Request],
        at: datetime,
    ) -> Weighed:
        """The requests made into corrections, and the new figures of those products whose answers
        they change. `at` is the transaction's time.

        Raises:
            InputError, Conflict: a change cannot be made.
        """
        answered, new = self._all_corrections(rows, active, requests)
        holding = {one.id: list(active.get(one.id, ())) for one in answered}
        for each in new:
            holding[each.product_id].append(replace(each.provisional, made_at=at))
        causes = causes_of(new)
        changed = [one for one in answered if one.id in causes]
        return self._weigh_each(changed, holding, causes)._replace(new=new)

    def _all_corrections(
        self,
        rows: Sequence[Row],
        active: Mapping[int, Sequence[Correction]],
        requests: Mapping[str, Request],
    ) -> tuple[list[AnsweredProduct], list[NewCorrection]]:
        """(the products with their answers, the corrections that the requests make of them).

        Raises InputError, which names what is wrong with which product.
        """
        answered: list[AnsweredProduct] = []
        found: list[NewCorrection] = []
        problems: list[str] = []
        for row in rows:
            try:
                answered.append(self.read(row))
                found += self.change(answered[-1], active.get(row["id"], ()), requests[row["code"]])
            except InputError as error:
                problems.append(str(error))
        if problems:
            more = len(problems) - _REPORTED
            rest = [f"and {counted(more, 'more product')}"] if more > 0 else []
            raise InputError("\n".join([*problems[:_REPORTED], *rest]))
        return answered, found

    def weigh_each(
        self,
        rows: Sequence[Row],
        active: Mapping[int, Sequence[Correction]],
        causes: Mapping[int, Cause],
    ) -> Weighed:
        """Compute the figures of these products with their corrections, `active`.

        Raises:
            InputError: a corrected value is left out of one of them.
        """
        return self._weigh_each([self.read(row) for row in rows], active, causes)

    def _weigh_each(
        self,
        answered: Sequence[AnsweredProduct],
        active: Mapping[int, Sequence[Correction]],
        causes: Mapping[int, Cause],
    ) -> Weighed:
        """As `weigh_each`, for products whose answers are read already."""
        made: list[StoredFootprint] = []
        figures: list[CorrectedFigure] = []
        for each in answered:
            cause = causes[each.id]
            weighed = self.weigh(each, active.get(each.id, ()))
            remark = self.remark(each, weighed)
            made_by = replace(self.with_what_else_moved(each, cause), remark=remark)
            new = weighed.made_by(made_by)
            old, footprint = each.detail["footprint"], new.detail.footprint
            before, after = old["emissions_kg_co2e"], footprint.emissions_kg_co2e
            notes = no_longer_applied(old["notes"], footprint.notes)
            if cause.kind is CauseKind.CORRECTED:
                _refuse_left_out(each.code, new, cause.targets)
                moved = before != after
                notes += remarks(cause.targets, moved, old["notes"], footprint, self.factors)
                notes += contradicted_masses(cause.targets, active.get(each.id, ()), footprint)
            if remark:
                notes = (remark, *notes)
            made.append(new)
            figures.append(CorrectedFigure(each.code, before, after, notes=notes))
        return Weighed([each.id for each in answered], figures, FootprintRows.of(made))

    def _refuse_to_pass_over(
        self, code: str, change: Change, active: Sequence[Correction], request: Request
    ) -> None:
        """Raises Conflict if somebody else made the last correction of the same value.

        Not if `request.replace` is set.
        """
        earlier = [
            each
            for each in active
            if each.change.is_within(change) or change.is_within(each.change)
        ]
        if earlier and earlier[-1].made_by != request.by and not request.replace:
            raise Conflict(
                f"{code}: {change.target}: {earlier[-1].made_by} has corrected this already: "
                f"{earlier[-1].says}. To replace that correction, repeat with --replace "
                '(in the API: "replace": true).'
            )


async def correct(
    database: Database,
    factors: FactorTable,
    steps: Steps,
    codes: Sequence[str],
    request: Request,
) -> list[CorrectedFigure]:
    """Make the same changes to all these products; returns the figures of those that changed.

    Raises:
        NotFound: there is no such product.
        Conflict: a product has no answers at present, or somebody else has corrected the same.
        InputError: a change cannot be made; the message names product and value. Nothing was
        changed.
    """
    return await correct_each(database, factors, steps, dict.fromkeys(codes, request))


async def correct_each(
    database: Database,
    factors: FactorTable,
    steps: Steps,
    requests: Mapping[str, Request],
) -> list[CorrectedFigure]:
    """Like `correct`, with different changes for each product: all are made, or none."""
    work = Correcting(factors, steps)
    requests, taken = _understood(requests, steps)
    async with (
        weighing_beside(work, len(requests)) as weighing,
        database.transaction() as connection,
    ):
        await plan_every_statement(connection)
        recomputation = Recomputation(connection, weighing)
        for portion in portions_of(list(requests)):
            rows = await corrections.lock_completed(connection, portion)
            refuse_unanswered(rows, portion, cells_of(requests, portion))
            active = await corrections.active(connection, [row["id"] for row in rows])
            await recomputation.correct(rows, active, requests)
        figures = await recomputation.end()
        await queue_state.announce(connection)
    if figures:
        await _record_in_audit(database, figures, requests)
    return [with_notes(figure, taken.get(figure.code, ())) for figure in figures]


def _add(new: NewCorrection, made: list[NewCorrection]) -> None:
    """Add a correction to those that a request makes. One of the same value as the last of its step
    takes that one's place: several facts of a process are one correction of the process.
    """
    at = next((n for n in reversed(range(len(made))) if _is_same_step(made[n], new)), None)
    if at is None or made[at].change.path != new.change.path:
        made.append(new)
        return
    first = made.pop(at)
    if first.before != new.after:
        made.insert(at, replace(new, before=first.before))


def _is_same_step(one: NewCorrection, other: NewCorrection) -> bool:
    return one.change.step == other.change.step


def with_notes(figure: CorrectedFigure, notes: Sequence[str]) -> CorrectedFigure:
    """The figure with these notes before its own."""
    return replace(figure, notes=(*notes, *figure.notes)) if notes else figure


def _understood(
    requests: Mapping[str, Request], steps: Steps
) -> tuple[dict[str, Request], dict[str, tuple[str, ...]]]:
    """(the requests with names replaced by keys, notes on these names), both by product code.

    Many products share a request; each request is looked at once.
    """
    seen: dict[int, tuple[Request, tuple[str, ...]]] = {}
    for request in requests.values():
        if id(request) not in seen:
            changes, said = in_keys(request.changes, steps)
            seen[id(request)] = replace(request, changes=changes), said
    made = {code: seen[id(request)][0] for code, request in requests.items()}
    said_of = {code: said for code, request in requests.items() if (said := seen[id(request)][1])}
    return made, said_of


async def take_back(
    database: Database,
    factors: FactorTable,
    steps: Steps,
    code: str,
    by: str,
    number: int | None = None,
) -> list[CorrectedFigure]:
    """Take back one correction of a product, or all of them, and recompute the figure.

    Raises:
        NotFound: there is no such product, or no such correction that holds.
        Conflict: the product has no answers at present.
    """
    work = Correcting(factors, steps)
    async with weighing_beside(work, 1) as weighing, database.transaction() as connection:
        rows = await corrections.lock_completed(connection, [code])
        refuse_unanswered(rows, [code])
        active = (await corrections.active(connection, [rows[0]["id"]])).get(rows[0]["id"], [])
        ids = [each.id for each in active if number in (None, each.id)]
        if not ids:
            what = "no correction that holds" if number is None else f"no correction {number}"
            raise NotFound(f"Product {code} has {what}.")
        await corrections.withdraw(connection, ids, by)
        targets = tuple(each.change.target for each in active if each.id in ids)
        cause = Cause(CauseKind.TAKEN_BACK, by, targets=targets)
        recomputation = Recomputation(connection, weighing)
        await recomputation.add(rows, {rows[0]["id"]: cause})
        figures = await recomputation.end()
        await queue_state.announce(connection)
    await record_action(database, by, TAKEN_BACK, code, {"corrections": ids})
    return figures


async def corrections_of(database: Database, code: str) -> list[RecordedCorrection]:
    """Every correction of a product, newest first, including those taken back.

    Raises:
        NotFound: there is no such product.
    """
    async with database.pool.acquire() as connection:
        row = await products.find(connection, code)
        if row is None:
            raise NotFound(f"There is no product {code}.")
        return await corrections.recorded(connection, row["id"])


def portions_of(codes: Sequence[str]) -> Iterator[list[str]]:
    """The codes, each once, in lists of at most `_PORTION`."""
    waiting = iter(dict.fromkeys(codes))
    while portion := list(islice(waiting, _PORTION)):
        yield portion


def cells_of(requests: Mapping[str, Request], codes: Sequence[str]) -> dict[str, str]:
    """The cells of a file that name each of these products, where the requests came from one."""
    return {code: ", ".join(cells) for code in codes if (cells := requests[code].cells)}


def refuse_unanswered(
    rows: Sequence[Record], codes: Sequence[str], cells: Mapping[str, str] = _NO_CELLS
) -> None:
    """Raise NotFound for codes without a product, and Conflict for products without answers.

    `cells` are the cells of a file that name the codes, for the message.
    """
    refuse_unknown(rows, codes, cells)
    without = [
        _with_cell(row["code"], cells)
        for row in rows
        if row["status"] != ProcessingStatus.COMPLETED or row["detail"] is None
    ]
    if without:
        raise Conflict(
            f"Not processed yet, so there are no stored answers: {listed(without, _REPORTED)}. "
            "Process them first; nothing was changed."
        )


def _with_cell(code: str, cells: Mapping[str, str]) -> str:
    """The code, with the cells of a file that name it, if any."""
    return f"{code} ({cells[code]})" if code in cells else code


def refuse_unknown(
    rows: Sequence[Record], codes: Sequence[str], cells: Mapping[str, str] = _NO_CELLS
) -> None:
    """Raise NotFound for codes without a product; `cells` as in `refuse_unanswered`."""
    known = {row["code"] for row in rows}
    if missing := [_with_cell(code, cells) for code in codes if code not in known]:
        are = "is no product" if len(missing) == 1 else "are no products"
        raise NotFound(f"There {are} {listed(missing, _REPORTED)}.")


def causes_of(new: Sequence[NewCorrection]) -> dict[int, Cause]:
    """For each corrected product, by id, the cause that its history gives for the new figure."""
    made: dict[int, Cause] = {}
    for each in new:
        so_far = made.get(each.product_id)
        targets = dict.fromkeys((*(so_far.targets if so_far else ()), each.change.target))
        made[each.product_id] = Cause(
            CauseKind.CORRECTED, each.made_by, each.reason, tuple(targets)
        )
    return made


class Recomputation:
    """Computes and stores new figures of locked products, portion by portion.

    Some portions are computed while PostgreSQL writes those before.
    """

    def __init__(self, connection: Connection, weighing: Weighing[Correcting]) -> None:
        self._connection = connection
        self._weighing = weighing
        self._waiting: deque[_Portion] = deque()
        self._figures: list[CorrectedFigure] = []

    async def correct(
        self,
        rows: Sequence[Record],
        active: Mapping[int, Sequence[Correction]],
        requests: Mapping[str, Request],
    ) -> None:
        """Correct these products and compute their figures.

        Raises InputError or Conflict for a product of this portion or of one before.
        """
        wanted = {row["code"]: requests[row["code"]] for row in rows}
        plain = [dict(row) for row in rows]
        at = await self._connection.fetchval("SELECT now()")
        run = self._weighing.run(Correcting.correct_each, plain, active, wanted, at)
        await self._begin(rows, run)

    async def add(self, rows: Sequence[Record], made: Mapping[int, Cause]) -> None:
        """Compute the figures of these products; `made` has the cause of each by product id.

        Raises InputError if a corrected value is left out of a figure, perhaps one of a portion
        before.
        """
        if rows:
            active = await corrections.active(self._connection, [row["id"] for row in rows])
            causes = {row["id"]: made[row["id"]] for row in rows}
            plain = [dict(row) for row in rows]
            run = self._weighing.run(Correcting.weigh_each, plain, active, causes)
            await self._begin(rows, run)

    async def _begin(self, rows: Sequence[Record], run: Coroutine[Any, Any, Weighed]) -> None:
        """Start computing a portion; if enough are under way, store the earliest."""
        weighing = asyncio.ensure_future(run)
        weighing.add_done_callback(retrieve_error)
        ids = [row["id"] for row in rows]
        variants = await corrections.sharing_answers(self._connection, ids)
        self._waiting.append(_Portion(variants, weighing))
        if len(self._waiting) > self._weighing.at_once:
            await self._write(self._waiting.popleft())

    async def end(self) -> list[CorrectedFigure]:
        """Store the figures that are not stored yet; returns all figures before and after."""
        while self._waiting:
            await self._write(self._waiting.popleft())
        return self._figures

    async def _write(self, portion: _Portion) -> None:
        """Store the portion's figures, and remove the marks of its products as checked."""
        weighed = await portion.weighing
        if not weighed.ids:
            return
        if weighed.new:
            await corrections.insert(self._connection, weighed.new)
        await footprints.upsert_rows(self._connection, weighed.rows)
        await selections.uncheck(self._connection, weighed.ids)
        for each, figure in zip(weighed.ids, weighed.figures, strict=True):
            variants = portion.variants.get(each)
            self._figures.append(replace(figure, variants=tuple(variants)) if variants else figure)


class _Portion(NamedTuple):
    """A portion whose figures are being computed, and the variants of its products by id."""

    variants: Mapping[int, Sequence[str]]
    weighing: asyncio.Future[Weighed]


def _refuse_left_out(code: str, new: StoredFootprint, targets: Collection[str]) -> None:
    """Raises InputError if the new figure leaves out one of these corrected values.

    Two changes that are possible one by one can exclude each other.
    """
    for note in new.detail.footprint.notes:
        for target in targets:
            if note.startswith(f"{NOT_APPLIED}{target} "):
                raise InputError(f"{code}: {target}: {note}")


async def _record_in_audit(
    database: Database, figures: Sequence[CorrectedFigure], requests: Mapping[str, Request]
) -> None:
    """Write one entry of the audit log for all products; its subject is the only one, if just
    one.
    """
    only = figures[0].code if len(figures) == 1 else None
    first = requests[figures[0].code]
    detail = {
        "changes": {change.target: change.value for change in first.changes},
        "reason": first.reason,
        "products": len(figures),
        "codes": [figure.code for figure in figures[:_REPORTED]],
    }
    await record_action(database, first.by, CORRECTED_ANSWERS, only, detail)
