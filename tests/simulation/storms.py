"""The whole program in bad weather: real PostgreSQL, real SDK, the simulator on a scaled clock, everything by seed."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.support.application import RunningProgram, program, until
from weighbridge.clock import ScaledClock
from weighbridge.domain.products import ProcessingStatus
from weighbridge.service.queue import start_queue, stop_queue
from weighbridge.simulator.app import create_app
from weighbridge.simulator.config import Fault, FaultPlan, SimulatorConfig

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.simulator.app import Simulator

SPEED = 60.0
"""A provider's minute passes in a second."""
UNANSWERED = (Fault.RATE, Fault.ERROR500, Fault.DROP, Fault.HTML)
UNUSABLE = (
    Fault.TRUNCATE,
    Fault.MALFORMED,
    Fault.MISSING,
    Fault.FOREIGN,
    Fault.DOUBLED,
    Fault.IMPLAUSIBLE,
)


@dataclass(frozen=True)
class Report:
    """What a storm did. `excused` are answers that were on their way at a death."""

    completed: int
    failed: int
    poisoned: int
    paid_twice: int
    excused: int
    most_requests: int
    allowed_requests: int


async def storm(url: str, folder: Path, seed: int) -> Report:
    """One run: faults, an outage, a stop, a death, all at moments that the seed chooses."""
    dice = random.Random(seed)
    requests_per_minute = dice.choice((600, 3_000))
    rates = {fault: dice.choice((0.0, 0.04)) for fault in UNANSWERED}
    rates |= {fault: dice.choice((0.0, 0.015)) for fault in UNUSABLE}
    config = SimulatorConfig(
        requests_per_minute=requests_per_minute,
        tokens_per_minute=50_000_000,
        burst_s=dice.choice((10.0, 60.0)),
        latency_s=dice.uniform(0.5, 6.0),
        faults=FaultPlan(rates),
        seed=seed,
    )
    clock = ScaledClock(SPEED)
    simulator = create_app(config, clock)
    settings: dict[str, Any] = {
        "simulator": simulator,
        "clock": clock,
        "heartbeat_timeout": timedelta(seconds=0.8),
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": 50_000_000,
    }
    total = dice.randint(20, 60)
    poisoned = dice.choice((0, 0, 2))
    async with program(url, folder, **settings) as survivor:
        await _add(survivor, total, poisoned)
        await survivor.start()
        excused = 0
        async with program(url, folder, **settings) as victim:
            await victim.work()
            await _weather(survivor, simulator, dice)
            excused = _on_the_way(simulator)
            await victim.die()
        await until(lambda: _all_done(survivor), f"seed {seed}: the end", timeout_s=60.0)
        await survivor.until_true("SELECT count(*) = 0 FROM pgqueuer")
        await survivor.stop()
        await survivor.assert_sound(paid_twice=excused)
        counts = await survivor.counts()
        return Report(
            counts[ProcessingStatus.COMPLETED],
            counts[ProcessingStatus.FAILED],
            poisoned,
            simulator.books.products.answered_twice,
            excused,
            simulator.books.minute.max_requests,
            requests_per_minute,
        )


async def _add(running: RunningProgram, total: int, poisoned: int) -> None:
    await running.add(
        *(
            {
                "code": f"S-{n:03}",
                "description": f"A bottle of steel no. {n}{' POISON' if n < poisoned else ''}",
            }
            for n in range(total)
        )
    )


async def _weather(running: RunningProgram, simulator: Simulator, dice: random.Random) -> None:
    calls = simulator.books.received
    await until(lambda: simulator.books.received >= calls + 3, "some calls")
    match dice.choice(("calm", "outage", "stop")):
        case "outage":
            simulator.account.change({"outage_for_s": dice.uniform(5, 60)})
        case "stop":
            await stop_queue(running.app.database)
            await running.until_true(
                "SELECT count(*) = 0 FROM products WHERE status = 'processing'"
            )
            await start_queue(running.app.database)
        case _:
            await asyncio.sleep(0)


def _on_the_way(simulator: Simulator) -> int:
    """Products in calls that are being answered: five each at most."""
    return simulator.books.in_flight * 5 + 5


async def _all_done(running: RunningProgram) -> bool:
    return running.between(await running.counts()) == 0
