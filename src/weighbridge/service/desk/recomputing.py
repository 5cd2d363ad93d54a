"""Computes footprints again from the stored answers, with the present method, factors and
corrections. No call is made.

Products are taken in order of id, in portions with a transaction each: a recomputation that is
interrupted has done its portions whole or not at all, and doing it again finishes the rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from weighbridge.domain.history import Cause, CauseKind
from weighbridge.errors import InputError, NotFound
from weighbridge.plain_text import listed
from weighbridge.service.access.audit import record_action
from weighbridge.service.desk.stored_products import StoredWeigher
from weighbridge.store import corrections, footprints, queue_state, selections
from weighbridge.store.footprints import FootprintRows
from weighbridge.weighing.on_every_core import weighing_beside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.corrections import Correction
    from weighbridge.steps import Steps
    from weighbridge.store.database import Database
    from weighbridge.store.footprints import StoredFootprint
    from weighbridge.store.products import Row
    from weighbridge.weighing.on_every_core import Weighing

RECOMPUTED: Final = "recomputed footprints"
CORRECTION: Final = "a correction"
CALCULATION: Final = "the calculation"
LARGEST: Final = 20
_PORTION: Final = 200
_LEAST_CHANGE: Final = 1e-9
"""A change of a product's figure by no more than this share counts as rounding."""


@dataclass(frozen=True, slots=True)
class RecomputedProduct:
    """The figure of one product before and after; None after if there is none, because of a
    `problem`.

    `causes` say what has changed since the figure before was computed.
    """

    code: str
    before_kg_co2e: float
    after_kg_co2e: float | None
    causes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def change(self) -> float:
        """The relative change of the figure, 0.25 for a quarter more; 0 without a figure after."""
        if self.after_kg_co2e is None:
            return 0.0
        return (self.after_kg_co2e - self.before_kg_co2e) / (abs(self.before_kg_co2e) or 1.0)

    @property
    def has_moved(self) -> bool:
        """Whether the figure has changed by more than rounding."""
        return abs(self.change) > _LEAST_CHANGE


@dataclass(slots=True)
class RecomputeSummary:
    """The result of a recomputation. `largest` are the products whose figures changed most.

    `causes` counts the changed products by cause; `changes` are their relative changes.
    """

    products: int = 0
    moved: int = 0
    without_figure: int = 0
    before_kg_co2e: float = 0.0
    after_kg_co2e: float = 0.0
    causes: Counter[str] = field(default_factory=Counter)
    largest: list[RecomputedProduct] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)

    def add(self, done: Sequence[RecomputedProduct]) -> None:
        """Add the products of a portion."""
        self.products += len(done)
        for one in done:
            if one.after_kg_co2e is None:
                self.without_figure += 1
                self.problems = [*self.problems, one.problem][:LARGEST]
                continue
            self.before_kg_co2e += one.before_kg_co2e
            self.after_kg_co2e += one.after_kg_co2e
            if one.has_moved:
                self.moved += 1
                self.causes.update(one.causes)
                self.changes.append(one.change)
        moved = [*self.largest, *(one for one in done if one.has_moved)]
        self.largest = sorted(moved, key=lambda one: -abs(one.change))[:LARGEST]

    @property
    def median_change(self) -> float:
        """The median of the relative changes, whether up or down, of figures that changed."""
        return median(map(abs, self.changes)) if self.changes else 0.0

    def as_document(self) -> dict[str, Any]:
        """The result as JSON for the API and `--json`."""
        return {
            "products": self.products,
            "moved": self.moved,
            "medianChange": self.median_change,
            "beforeKgCo2e": self.before_kg_co2e,
            "afterKgCo2e": self.after_kg_co2e,
            "causes": dict(self.causes),
            "largest": [
                {
                    "code": one.code,
                    "beforeKgCo2e": one.before_kg_co2e,
                    "afterKgCo2e": one.after_kg_co2e,
                    "change": one.change,
                    "causes": list(one.causes),
                }
                for one in self.largest
            ],
            "withoutFigure": self.without_figure,
            "problems": self.problems,
        }


async def completed_ids(database: Database, codes: Sequence[str] | None = None) -> list[int]:
    """The ids of the products to recompute: all completed ones, or those with these codes.

    Raises:
        NotFound: names codes of which there is no completed product.
    """
    async with database.pool.acquire() as connection:
        found = await corrections.weighed(connection, codes)
    if missing := [code for code in codes or () if code not in found]:
        raise NotFound(
            f"Not found, or not completed: {listed(missing, LARGEST)}. Check these codes, or process "
            "the products first."
        )
    return list(found.values())


async def recompute(
    database: Database,
    factors: FactorTable,
    steps: Steps,
    ids: Sequence[int],
    *,
    dry_run: bool = False,
    by: str = "",
) -> AsyncIterator[list[RecomputedProduct]]:
    """Recompute the products with these ids, and yield the results portion by portion.

    With `dry_run` nothing is stored. `by` is who asked for it, for the products' history.
    """
    cause = Cause(CauseKind.RECOMPUTED, by)
    running: deque[asyncio.Task[list[RecomputedProduct]]] = deque()
    async with weighing_beside(StoredWeigher(factors, steps), len(ids)) as weighing:
        try:
            for at in range(0, len(ids), _PORTION):
                portion = ids[at : at + _PORTION]
                doing = _recompute_portion(database, weighing, portion, cause, dry_run=dry_run)
                running.append(asyncio.create_task(doing))
                if len(running) > weighing.at_once:
                    yield await running.popleft()
            while running:
                yield await running.popleft()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def _recompute_portion(
    database: Database,
    weighing: Weighing[StoredWeigher],
    ids: Sequence[int],
    cause: Cause,
    *,
    dry_run: bool,
) -> list[RecomputedProduct]:
    """Recompute a portion in one transaction; returns each product before and after."""
    async with database.transaction() as connection:
        rows = [dict(row) for row in await corrections.lock_weighed(connection, ids)]
        active = await corrections.active(connection, ids)
        weighed = await weighing.run(_weigh, rows, active, cause)
        if not dry_run:
            await footprints.upsert_rows(connection, weighed.rows)
            await selections.uncheck(connection, weighed.moved)
            await queue_state.announce(connection)
    return weighed.done


async def record_recomputation(database: Database, by: str, summary: RecomputeSummary) -> None:
    """Write the entry of the audit log on a recomputation."""
    detail = {
        "products": summary.products,
        "moved": summary.moved,
        "causes": dict(summary.causes),
        "kgCo2e": [summary.before_kg_co2e, summary.after_kg_co2e],
    }
    await record_action(database, by, RECOMPUTED, None, detail)


class _Weighed(NamedTuple):
    """The recomputed products of a portion, the rows to store, and the ids of those that changed.

    Plain data, because another process may have computed them.
    """

    done: list[RecomputedProduct]
    rows: FootprintRows
    moved: list[int]


def _weigh(
    work: StoredWeigher,
    rows: Sequence[Row],
    active: Mapping[int, Sequence[Correction]],
    cause: Cause,
) -> _Weighed:
    """Compute the figures of these products again; only those that changed are to be stored."""
    found: list[RecomputedProduct] = []
    changed: list[StoredFootprint] = []
    moved: list[int] = []
    for row in rows:
        try:
            answered = work.read(row)
            new = work.weigh(answered, active.get(row["id"], ()))
        except InputError as error:
            before = orjson.loads(row["detail"])["footprint"]["emissions_kg_co2e"]
            found.append(RecomputedProduct(row["code"], before, None, problem=str(error)))
            continue
        before = answered.detail["footprint"]["emissions_kg_co2e"]
        after = new.detail.footprint.emissions_kg_co2e
        done = RecomputedProduct(row["code"], before, after, _causes(answered.detail, new))
        if done.has_moved and not done.causes:
            done = replace(done, causes=(CALCULATION,))
        if done.has_moved:
            moved.append(answered.id)
        if done.causes:
            changed.append(new.made_by(replace(cause, remark=work.remark(answered, new))))
        found.append(done)
    return _Weighed(found, FootprintRows.of(changed), moved)


def _causes(stored: Mapping[str, Any], new: StoredFootprint) -> tuple[str, ...]:
    """What has changed since the stored figure was computed: method, factors or answers."""
    before, now = stored["provenance"], new.detail.provenance
    causes = []
    if before["method"] != now.method:
        causes.append(f"method {before['method']} → {now.method}")
    if before["factors"] != now.factors:
        causes.append(f"factors {before['factors']} → {now.factors}")
    if stored["answers"] != new.detail.answers:
        causes.append(CORRECTION)
    return tuple(causes)
