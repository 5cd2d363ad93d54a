"""What the results say together: the totals of `totals.py`, and besides them how footprints are
distributed, how much there is to a kilogram, and what to find out next.

What needs every contribution (proxies, inferred masses, routes that disagree) is taken from the
products that add most to the total, and says how much of it these are.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.domain.quantities import Origin
from weighbridge.domain.results import RouteName
from weighbridge.domain.totals import TotalBy
from weighbridge.service.views.totals import totals_within
from weighbridge.store import footprints, totals
from weighbridge.store.totals import CategoryTraits, Within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.clock import Clock
    from weighbridge.domain.results import Contribution, Footprint
    from weighbridge.domain.totals import CatalogueTotals
    from weighbridge.service.opening import Database

HEAVIEST: Final = 1_000
SHOWN: Final = 12
TAKEN_APART: Final = 100_000
"""Totals by material take every footprint apart; a page does not, where there are more."""
FRESH_FOR_S: Final = 10.0
PATIENCE_S: Final = 0.5
"""Longest time that opening the page may take."""
COST_FACTOR: Final = 20.0
"""A look that took t seconds is kept for 20 t."""
DISAGREE: Final = 2.0
"""Factor between two routes from which they count as disagreeing."""


@dataclass(frozen=True, slots=True)
class Share:
    """Part of a total."""

    name: str
    emissions_kg_co2e: float
    products: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A product whose two routes are far apart."""

    code: str
    name: str
    times: float
    emissions_kg_co2e: float


@dataclass(frozen=True, slots=True)
class Advice:
    """Something worth finding out, and how much it bears on."""

    what: str
    why: str
    emissions_kg_co2e: float
    products: int


@dataclass(frozen=True, slots=True)
class Insights:
    """One look. Emissions are those of the totals: each footprint times its quantity.

    `totals` has no groups by material where there are more than `TAKEN_APART` products.
    """

    totals: CatalogueTotals
    traits: Mapping[str, CategoryTraits]
    distribution: dict[int, int]
    disagreements: list[Disagreement]
    advice: list[Advice]
    looked_into: int
    looked_into_share: float

    @property
    def mass_kg(self) -> float:
        """Of all pieces."""
        return sum(one.mass_kg for one in self.traits.values())


@dataclass(frozen=True, slots=True)
class _Looked:
    """A heavy product, and its footprint."""

    code: str
    name: str
    pieces: float
    footprint: Footprint

    @property
    def total_kg_co2e(self) -> float:
        """What it adds to the total."""
        return self.footprint.emissions_kg_co2e * self.pieces


class InsightsReader:
    """One per server; a look serves everybody for a while."""

    def __init__(
        self, database: Database, factors: Callable[[], FactorTable], clock: Clock
    ) -> None:
        self._database = database
        self._factors = factors
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: Insights | None = None
        self._known_until_s = 0.0
        self._looking: asyncio.Task[Insights] | None = None

    async def look(self) -> Insights:
        """The present insights; some seconds old at most, more when there are very many
        products.
        """
        async with self._lock:
            began_s = self._clock.monotonic_s()
            if self._known is None or began_s >= self._known_until_s:
                self._known = await self._read()
                ended_s = self._clock.monotonic_s()
                self._known_until_s = ended_s + max(FRESH_FOR_S, (ended_s - began_s) * COST_FACTOR)
            return self._known

    async def look_soon(self) -> Insights | None:
        """The last look, at once; None while the first one over very many products is still being
        worked out.
        """
        if self._known is not None and self._clock.monotonic_s() < self._known_until_s:
            return self._known
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self.look(), name="insights")
        await asyncio.wait({self._looking}, timeout=PATIENCE_S)
        if self._looking.done():
            return self._looking.result()
        return self._known

    async def _read(self) -> Insights:
        """Look at the whole catalogue at one moment, and take the heaviest products apart."""
        async with (
            self._database.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            counted = await totals.counts(connection, Within())
            is_small = counted["completed"] <= TAKEN_APART
            by = [one for one in TotalBy if is_small or one is not TotalBy.MATERIAL]
            added = await totals_within(connection, self._factors(), Within(), by, SHOWN)
            traits = await totals.category_traits(connection)
            distribution = await totals.distribution(connection)
            rows = await totals.heaviest(connection, HEAVIEST)
            stored = [row["detail"] for row in rows]
            details = await footprints.read_details(connection, stored, {})
        looked = [
            _Looked(row["code"], row["name"], row["pieces"], detail.footprint)
            for row, detail in zip(rows, details, strict=True)
        ]
        return await asyncio.to_thread(_put_together, added, traits, distribution, looked)


def _put_together(
    added: CatalogueTotals,
    traits: Mapping[str, CategoryTraits],
    distribution: dict[int, int],
    looked: Sequence[_Looked],
) -> Insights:
    covered = sum(one.total_kg_co2e for one in looked)
    return Insights(
        totals=added,
        traits=traits,
        distribution=distribution,
        disagreements=_disagreements(looked),
        advice=_advice(looked),
        looked_into=len(looked),
        looked_into_share=min(1.0, covered / added.total_kg_co2e) if added.total_kg_co2e else 0.0,
    )


def _proxies(looked: Iterable[_Looked]) -> list[Share]:
    """Contributions that rest on proxies, added up by the factor, the heaviest first."""
    sums: dict[str, float] = defaultdict(float)
    products: dict[str, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    for one in looked:
        for part in one.footprint.contributions:
            if _is_proxy(part):
                sums[part.factor_key] += part.emissions_kg_co2e * one.pieces
                products[part.factor_key].add(one.code)
                names.setdefault(part.factor_key, _without_component(part.label))
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return [Share(names[key], value, len(products[key])) for key, value in ranked]


def _without_component(label: str) -> str:
    """`Oak wood (seat)` → `Oak wood`: the last bracket says what it is in one product."""
    head, bracket, _ = label.rpartition(" (")
    return head if bracket and label.endswith(")") else label


def _disagreements(looked: Iterable[_Looked]) -> list[Disagreement]:
    found = [
        Disagreement(one.code, one.name, times, one.total_kg_co2e)
        for one in looked
        if (times := one.footprint.disagreement) is not None and times >= DISAGREE
    ]
    return sorted(found, key=lambda one: -one.times)[:SHOWN]


def _advice(looked: Sequence[_Looked]) -> list[Advice]:
    """What would help most, those with the most kg CO2e first."""
    found = []
    inferred = [one for one in looked if one.footprint.mass.origin is Origin.INFERRED]
    if inferred:
        found.append(
            Advice(
                "Weigh the products whose mass the model inferred",
                "The mass multiplies everything else; weighing one unit narrows the range at once.",
                sum(one.total_kg_co2e for one in inferred),
                len(inferred),
            )
        )
    found += [
        Advice(
            f"Find a factor for {share.name}",
            "The factor in use is a proxy: it was published for a similar material or process.",
            share.emissions_kg_co2e,
            share.products,
        )
        for share in _proxies(looked)[:5]
    ]
    apart = [one for one in looked if (one.footprint.disagreement or 0) >= DISAGREE]
    if apart:
        found.append(
            Advice(
                "Look at products whose two routes disagree",
                "Either something is missing from the bill of materials, or the product is unusual for its kind.",
                sum(one.total_kg_co2e for one in apart),
                len(apart),
            )
        )
    return sorted(found, key=lambda one: -one.emissions_kg_co2e)


def _is_proxy(part: Contribution) -> bool:
    return part.is_proxy and part.route is RouteName.BILL
