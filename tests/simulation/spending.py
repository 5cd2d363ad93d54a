"""One run under a cap on money, drawn by its seed: four programs on one database, a provider that
drops, refuses, garbles and delays, a death now and then, and the provider's own bill beside it.

Used by tests/integration/test_budgets.py and by `python -m benchmarks.budgets`.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.support.application import PATIENCE_S, RunningProgram, program
from weighbridge.clock import ScaledClock
from weighbridge.domain.calls import Usage
from weighbridge.planning.cost import call_cost_usd
from weighbridge.service.budgets import capped, read_budgets, set_budgets
from weighbridge.simulator.config import Fault, FaultPlan, SimulatorConfig

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

PROGRAMS: Final = 4
MODEL: Final = "gpt-6-luna"
_SPEED: Final = 20.0
_CHEAPEST_USD: Final = 0.001
_DEAREST_USD: Final = 0.03
_MOST_DEATHS: Final = 3
_KINDS: Final = ("day", "month", "both", "catalogue")
_FAULTS: Final = (
    Fault.DROP,
    Fault.TIMEOUT,
    Fault.ERROR500,
    Fault.RATE,
    Fault.MALFORMED,
    Fault.MISSING,
    Fault.TRUNCATE,
    Fault.REFUSE,
    Fault.SLOW,
)


@dataclass(frozen=True, slots=True)
class Draw:
    """What the seed says."""

    seed: int
    cap_usd: float
    kind: str
    products: int
    in_batches: int
    together: bool
    deaths: int
    is_raised: bool
    config: SimulatorConfig

    @classmethod
    def of(cls, seed: int) -> Draw:
        """By the same seed the same."""
        dice = random.Random(seed)
        faults = {fault: dice.uniform(0, 0.06) for fault in dice.sample(_FAULTS, 5)}
        products = dice.randint(60, 300)
        return cls(
            seed,
            cap_usd=dice.uniform(_CHEAPEST_USD, _DEAREST_USD),
            kind=dice.choice(_KINDS),
            products=products,
            in_batches=dice.choice([0, 0, products // 3, products]),
            together=dice.random() < 0.5,
            deaths=dice.randint(0, _MOST_DEATHS),
            is_raised=dice.random() < 0.3,
            config=SimulatorConfig(
                latency_s=dice.uniform(0.2, 4.0),
                hang_s=30.0,
                batch_delay_s=dice.uniform(1, 20),
                faults=FaultPlan(faults),
                seed=seed,
            ),
        )

    @property
    def caps(self) -> dict[str, float]:
        """Those of day and month."""
        if self.kind == "both":
            return {"day": self.cap_usd, "month": 2 * self.cap_usd}
        return {} if self.kind == "catalogue" else {self.kind: self.cap_usd}


class Spent(NamedTuple):
    """How a run ended. `broken` says what should not be."""

    draw: Draw
    bill_usd: float
    cap_usd: float
    committed_usd: float
    ended: str
    broken: tuple[str, ...]


def bill_usd(running: RunningProgram) -> float:
    """By the provider's books: half the price for what travelled in batches."""
    books, price = running.simulator.books, running.engine.provider.price
    names = ("prompt_tokens", "output_tokens", "cached_tokens", "cache_write_tokens")
    everything = Usage(*(getattr(books, name) for name in names))
    in_batches = Usage(*(getattr(books, f"batch_{name}") for name in names))
    return call_cost_usd(everything, price) - call_cost_usd(in_batches, price) / 2


async def spend(url: str, folder: Path, seed: int) -> Spent:
    """Run it until the money or the work is used up."""
    draw = Draw.of(seed)
    clock = ScaledClock(_SPEED)
    began_at = clock.now()
    file = folder / f"catalogue-{seed}.csv"
    file.write_text(f"code,name,description\n{seed}\n")
    async with AsyncExitStack() as stack:
        shared: dict[str, Any] = {"clock": clock, "model": MODEL, "ask_together": draw.together}

        async def another(simulator: Any = None) -> RunningProgram:
            return await stack.enter_async_context(
                program(url, folder, draw.config, simulator=simulator, **shared)
            )

        first = await another()
        programs = [first, *[await another(first.simulator) for _ in range(PROGRAMS - 1)]]
        await set_budgets(first.app.database, draw.caps)
        if draw.kind == "catalogue":
            await stack.enter_async_context(capped(first.app.database, file, draw.cap_usd))
        await first.add_many(draw.products)
        await first.fetch("UPDATE products SET lane = 'batch' WHERE id <= $1", draw.in_batches)
        await first.start()
        for one in programs[1:]:
            await one.work()
        watch = _Watch(first, draw, began_at)
        ended = await _live(watch, programs, another)
        for one in programs:
            await one.stop()
        watch.look()
        found = await read_budgets(first.app.database, clock)
        committed_usd = max(budget.committed_usd for budget in found)
        if bill_usd(first) > committed_usd + 1e-9 and clock.now().date() == began_at.date():
            watch.broken.append("the bill is above what is committed")
        return Spent(
            draw, bill_usd(first), watch.allowed_usd, committed_usd, ended, tuple(watch.broken)
        )


class _Watch:
    """Compares bill and cap all the time."""

    def __init__(self, first: RunningProgram, draw: Draw, began_at: datetime) -> None:
        self._first = first
        self._draw = draw
        self._began_at = began_at
        self._factor = 1.0
        self.broken: list[str] = []

    @property
    def allowed_usd(self) -> float:
        """The cap; once more for each further day of the scaled clock that a day's cap has seen."""
        days = (self._first.app.clock.now().date() - self._began_at.date()).days
        spans = days + 1 if self._draw.kind == "day" else 1 + (days > 0)
        spans = 1 if self._draw.kind == "catalogue" else spans
        return self._draw.cap_usd * self._factor * spans

    async def raise_caps(self) -> None:
        """Half as much again for day and month."""
        self._factor = 1.5
        caps = {period: cap * self._factor for period, cap in self._draw.caps.items()}
        await set_budgets(self._first.app.database, caps)

    def look(self) -> None:
        """Once more."""
        billed = bill_usd(self._first)
        if billed > self.allowed_usd + 1e-9 and not self.broken:
            self.broken.append(f"billed ${billed:.6f} of ${self.allowed_usd:.6f}")


async def _live(watch: _Watch, programs: list[RunningProgram], another: Any) -> str:
    """Until the queue is broke or done; returns which."""
    first, draw = programs[0], watch._draw
    dice = random.Random(-draw.seed)
    deaths = sorted(dice.randint(1, 60) for _ in range(draw.deaths))
    is_raised = not draw.is_raised or draw.kind == "catalogue"
    async with asyncio.timeout(5 * PATIENCE_S):
        while True:
            watch.look()
            if deaths and first.simulator.books.completed >= deaths[0]:
                deaths.pop(0)
                dead = programs.pop(dice.randint(1, len(programs) - 1))
                await dead.die()
                programs.append(await another(first.simulator))
                await programs[-1].take_for_dead(dead)
                await programs[-1].work()
            ended = await _ended(programs)
            if ended == "broke" and not is_raised:
                is_raised = True
                await watch.raise_caps()
                await first.until_true("SELECT paused_reason IS NULL FROM queue_state")
            elif ended:
                return ended
            await asyncio.sleep(0.02)


async def _ended(programs: list[RunningProgram]) -> str:
    first = programs[0]
    if any(one.engine.supervisor.over_budget for one in programs):
        return "broke"
    if await first.value("SELECT paused_reason LIKE '%budget%' FROM queue_state"):
        return "broke"
    done = "SELECT bool_and(status IN ('completed', 'failed')) FROM products"
    return "done" if await first.value(done) else ""
