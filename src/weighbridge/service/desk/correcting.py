"""Corrections of the model's answers: made, taken back, and the footprints computed anew, without a
call.

All or nothing: one product of a selection that cannot be changed leaves all as they were. The
products are locked while it happens, so two people cannot correct past each other: the later one is
told of the earlier correction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weighbridge.domain.history import Cause, CauseKind
from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import Conflict, InputError, NotFound
from weighbridge.plain_text import counted, listed
from weighbridge.service.access.audit import record_action
from weighbridge.service.desk.stored_products import StoredWeigher
from weighbridge.service.desk.unmoved import no_longer_applied, remarks
from weighbridge.store import corrections, footprints, products, queue_state, selections
from weighbridge.store.corrections import NewCorrection, RecordedCorrection
from weighbridge.store.footprints import FootprintRows
from weighbridge.weighing.correcting import NOT_APPLIED, corrected, make_change, not_counted
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
    """What somebody wants changed. `replace`: also what somebody else has corrected.

    `cells`: where a file says so, for messages.
    """

    changes: tuple[Change, ...]
    by: str
    reason: str
    replace: bool = False
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorrectedFigure:
    """The figure of one product before and after.

    `variants` have the answers of this product, and keep them as the model gave them: a correction
    is of the products that it names. `notes` say what of the correction does not count, why a
    figure did not move, and which names were taken for which keys.
    """

    code: str
    before_kg_co2e: float
    after_kg_co2e: float
    variants: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Weighed(NamedTuple):
    """A portion of products with new figures: plain data, which another process may have made."""

    ids: list[int]
    figures: list[CorrectedFigure]
    rows: FootprintRows
    new: Sequence[NewCorrection] = ()


class Correcting(StoredWeigher):
    """Locked products with their answers and corrections, and the way to new figures."""

    def change(
        self,
        answered: AnsweredProduct,
        active: Sequence[Correction],
        request: Request,
        *,
        keep_same: bool = False,
    ) -> list[NewCorrection]:
        """What the request changes about a product.

        With `keep_same`, also values that are so already, exactly as given (for own bills).
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
                made.append(
                    NewCorrection(
                        answered.id,
                        done.change,
                        done.anchor,
                        done.before,
                        done.after,
                        request.by,
                        request.reason,
                    )
                )
                so_far.append(made[-1].provisional)
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
        answered, new = self._changes(rows, active, requests)
        holding = {one.id: list(active.get(one.id, ())) for one in answered}
        for each in new:
            holding[each.product_id].append(replace(each.provisional, made_at=at))
        causes = causes_of(new)
        changed = [one for one in answered if one.id in causes]
        return self._weigh_each(changed, holding, causes)._replace(new=new)

    def _changes(
        self,
        rows: Sequence[Row],
        active: Mapping[int, Sequence[Correction]],
        requests: Mapping[str, Request],
    ) -> tuple[list[AnsweredProduct], list[NewCorrection]]:
        """The products and all their changes, or an InputError that says what is wrong with which
        products.
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
        """New figures of these products.

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
        made: list[StoredFootprint] = []
        figures: list[CorrectedFigure] = []
        for each in answered:
            cause = causes[each.id]
            weighed = self.weigh(each, active.get(each.id, ()))
            new = weighed.made_by(self.with_what_else_moved(each, cause))
            old, footprint = each.detail["footprint"], new.detail.footprint
            before, after = old["emissions_kg_co2e"], footprint.emissions_kg_co2e
            notes = no_longer_applied(old["notes"], footprint.notes)
            if cause.kind is CauseKind.CORRECTED:
                _refuse_left_out(each.code, new, cause.targets)
                moved = before != after
                notes += remarks(cause.targets, moved, old["notes"], footprint, self.factors)
            made.append(new)
            figures.append(CorrectedFigure(each.code, before, after, notes=notes))
        return Weighed([each.id for each in answered], figures, FootprintRows.of(made))

    def _refuse_to_pass_over(
        self, code: str, change: Change, active: Sequence[Correction], request: Request
    ) -> None:
        """Raises Conflict if somebody else corrected the same last, unless `request.replace`."""
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
    """Make these changes to all these products; returns those whose answers changed.

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
        recomputation = Recomputation(connection, weighing)
        for portion in portions_of(list(requests)):
            rows = await corrections.lock_completed(connection, portion)
            refuse_unanswered(rows, portion, cells_of(requests, portion))
            active = await corrections.active(connection, [row["id"] for row in rows])
            await recomputation.correct(rows, active, requests)
        figures = await recomputation.end()
        await queue_state.announce(connection)
    if figures:
        await _audit(database, figures, requests)
    return [with_notes(figure, taken.get(figure.code, ())) for figure in figures]


def with_notes(figure: CorrectedFigure, notes: Sequence[str]) -> CorrectedFigure:
    """The figure with these notes before its own."""
    return replace(figure, notes=(*notes, *figure.notes)) if notes else figure


def _understood(
    requests: Mapping[str, Request], steps: Steps
) -> tuple[dict[str, Request], dict[str, tuple[str, ...]]]:
    """The requests with keys in the place of names, and what to say of that, by code.

    Many products share a request: it is looked at once.
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
    waiting = iter(dict.fromkeys(codes))
    while portion := list(islice(waiting, _PORTION)):
        yield portion


def cells_of(requests: Mapping[str, Request], codes: Sequence[str]) -> dict[str, str]:
    """The cells of a file that name each of these products."""
    return {code: ", ".join(cells) for code in codes if (cells := requests[code].cells)}


def refuse_unanswered(
    rows: Sequence[Record], codes: Sequence[str], cells: Mapping[str, str] = _NO_CELLS
) -> None:
    """Raise NotFound or Conflict for codes without a product, or without answers.

    `cells`: where a file names the codes.
    """
    refuse_unknown(rows, codes, cells)
    without = [
        _placed(row["code"], cells)
        for row in rows
        if row["status"] != ProcessingStatus.COMPLETED or row["detail"] is None
    ]
    if without:
        raise Conflict(
            f"Not processed yet, so there are no stored answers: {listed(without, _REPORTED)}. "
            "Process them first; nothing was changed."
        )


def _placed(code: str, cells: Mapping[str, str]) -> str:
    return f"{code} ({cells[code]})" if code in cells else code


def refuse_unknown(
    rows: Sequence[Record], codes: Sequence[str], cells: Mapping[str, str] = _NO_CELLS
) -> None:
    """Raise NotFound for codes without a product."""
    known = {row["code"] for row in rows}
    if missing := [_placed(code, cells) for code in codes if code not in known]:
        are = "is no product" if len(missing) == 1 else "are no products"
        raise NotFound(f"There {are} {listed(missing, _REPORTED)}.")


def causes_of(new: Sequence[NewCorrection]) -> dict[int, Cause]:
    made: dict[int, Cause] = {}
    for each in new:
        so_far = made.get(each.product_id)
        targets = dict.fromkeys((*(so_far.targets if so_far else ()), each.change.target))
        made[each.product_id] = Cause(
            CauseKind.CORRECTED, each.made_by, each.reason, tuple(targets)
        )
    return made


class Recomputation:
    """New figures of locked products, a portion at a time: some are weighed while PostgreSQL writes
    those before.
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
        """Correct and weigh these.

        Raises InputError and Conflict for a product of this portion or of one before.
        """
        wanted = {row["code"]: requests[row["code"]] for row in rows}
        plain = [dict(row) for row in rows]
        at = await self._connection.fetchval("SELECT now()")
        run = self._weighing.run(Correcting.correct_each, plain, active, wanted, at)
        await self._begin(rows, run)

    async def add(self, rows: Sequence[Record], made: Mapping[int, Cause]) -> None:
        """Weigh these. `made` has the cause of each product's new figure; a corrected value must
        show in that figure.

        Raises InputError for a product of this portion or of one before.
        """
        if rows:
            active = await corrections.active(self._connection, [row["id"] for row in rows])
            causes = {row["id"]: made[row["id"]] for row in rows}
            plain = [dict(row) for row in rows]
            run = self._weighing.run(Correcting.weigh_each, plain, active, causes)
            await self._begin(rows, run)

    async def _begin(self, rows: Sequence[Record], run: Coroutine[Any, Any, Weighed]) -> None:
        weighing = asyncio.ensure_future(run)
        weighing.add_done_callback(_look)
        ids = [row["id"] for row in rows]
        variants = await corrections.sharing_answers(self._connection, ids)
        self._waiting.append(_Portion(variants, weighing))
        if len(self._waiting) > self._weighing.at_once:
            await self._write(self._waiting.popleft())

    async def end(self) -> list[CorrectedFigure]:
        """Write what is not written yet; returns all figures."""
        while self._waiting:
            await self._write(self._waiting.popleft())
        return self._figures

    async def _write(self, portion: _Portion) -> None:
        """Store the portion's figures. What was checked before is unchecked."""
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
    variants: Mapping[int, Sequence[str]]
    weighing: asyncio.Future[Weighed]


def _look(weighing: asyncio.Future[Weighed]) -> None:
    """Where something else has failed, nobody asks for this portion's error any more."""
    if not weighing.cancelled():
        weighing.exception()


def _refuse_left_out(code: str, new: StoredFootprint, targets: Collection[str]) -> None:
    """Two changes that are sound one by one can exclude each other."""
    for note in new.detail.footprint.notes:
        for target in targets:
            if note.startswith(f"{NOT_APPLIED}{target} "):
                raise InputError(f"{code}: {target}: {note}")


async def _audit(
    database: Database, figures: Sequence[CorrectedFigure], requests: Mapping[str, Request]
) -> None:
    """One audit entry for all of them; it names the product only if there is just one."""
    only = figures[0].code if len(figures) == 1 else None
    first = requests[figures[0].code]
    detail = {
        "changes": {change.target: change.value for change in first.changes},
        "reason": first.reason,
        "products": len(figures),
        "codes": [figure.code for figure in figures[:_REPORTED]],
    }
    await record_action(database, first.by, CORRECTED_ANSWERS, only, detail)
