"""Two trials of the whole program whose figures are promised: poisoned products, and a provider
that is away for hours.

Tests and `benchmarks/reliability.py` run the same code.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.simulation.watching import HeldBack
from tests.support.application import PATIENCE_S, program, until
from weighbridge.clock import ScaledClock

if TYPE_CHECKING:
    from pathlib import Path

GROUP: Final = 5
STEPS: Final = 3


@dataclass(frozen=True, slots=True)
class Poisoned:
    """`most_extra_calls`: of one step, for each poisoned group."""

    completed: int
    failed: int
    failed_with_a_reason: int
    poisoned_and_failed: int
    calls: int
    most_extra_calls: float


async def poison(url: str, folder: Path, groups: int, marker: str = "POISON") -> Poisoned:
    """The third product of each group of five spoils its row of every answer."""
    async with program(url, folder) as running:
        await running.add(
            *(
                {
                    "code": f"P-{n:03}",
                    "description": f"A steel bottle, edition {n} {marker if n % GROUP == 2 else ''}",
                }
                for n in range(groups * GROUP)
            )
        )
        await running.start()
        await running.until(completed=(GROUP - 1) * groups, failed=groups)
        failed = await running.fetch("SELECT * FROM products WHERE status = 'failed'")
        await running.stop()
        await running.assert_sound()
        books = running.simulator.books
        return Poisoned(
            completed=await running.value(
                "SELECT count(*) FROM products WHERE status = 'completed'"
            ),
            failed=len(failed),
            failed_with_a_reason=sum(
                "No usable answer in 4 attempts" in row["error"]
                and row["error_kind"] == "AnswerMalformed"
                and row["spent_usd"] > 0
                for row in failed
            ),
            poisoned_and_failed=sum(int(row["code"][2:]) % GROUP == 2 for row in failed),
            calls=books.completed,
            most_extra_calls=max(n / groups - 1 for n in books.calls_by_schema.values()),
        )


@dataclass(frozen=True, slots=True)
class Outage:
    """Times in seconds of the scaled clock."""

    completed: int
    failed: int
    probes: int
    resumed_after_s: float  # from the provider's return to the first call that it admitted
    finished_after_s: float
    held_back_s: float  # by this machine, at the longest; real seconds


async def outage(
    url: str, folder: Path, away_s: float, speed: float, products: int = 100
) -> Outage:
    """The provider is away from the start; how long after its return is it asked again, and all
    done?
    """
    clock = ScaledClock(speed)
    async with program(url, folder, clock=clock) as running:
        await running.add_many(products)
        simulator = running.simulator
        simulator.account.change({"outage_for_s": away_s})
        back_at_s = clock.monotonic_s() + away_s
        await running.start()
        held_back = HeldBack()
        watch = asyncio.create_task(held_back.watch())
        try:
            await until(
                lambda: simulator.books.admitted > 0,
                "the provider is asked",
                away_s / speed + PATIENCE_S,
            )
        finally:
            watch.cancel()
        probes = simulator.books.faults["outage"]
        await running.until(completed=products)
        finished_s = clock.monotonic_s()
        await running.stop()
        await running.assert_sound()
        failed = await running.value("SELECT count(*) FROM products WHERE status = 'failed'")
        resumed_s = simulator.books.first_admitted_at_s
        assert resumed_s is not None
        return Outage(
            completed=products,
            failed=failed,
            probes=probes,
            resumed_after_s=resumed_s - back_at_s,
            finished_after_s=finished_s - back_at_s,
            held_back_s=held_back.longest_s,
        )
