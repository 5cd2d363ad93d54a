"""The whole program in bad weather: real PostgreSQL, real SDK, the simulator on a scaled clock,
everything by seed.

Two workers share the work. One lives through it all; whoever is killed is the other one, and
another takes its place. Afterwards the books of the provider and the rows of the database must
agree on what happened.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from tests.simulation.watching import NOTE_TAKEOVERS, Admissions, HeldBack, standstill
from tests.simulation.weather import GUSTS, IN_COMMIT, UNUSABLE, Event, Moment, Weather
from tests.support.application import PATIENCE_S, RunningProgram, program, until
from tests.support.crash import plant_bomb, planted_bomb, restart_postgres
from weighbridge.clock import ScaledClock
from weighbridge.domain.products import ProcessingStatus
from weighbridge.service.queue import start_queue, stop_queue
from weighbridge.simulator.app import create_app
from weighbridge.simulator.config import FaultPlan, SimulatorConfig
from weighbridge.simulator.quota import MINUTE_S
from weighbridge.steps import STEPS
from weighbridge.store.jobs import jobs_table

if TYPE_CHECKING:
    from tests.support.database import PostgresForTests

SPEED: Final = 60.0
"""A provider's minute passes in a second."""
HEARTBEAT_TIMEOUT: Final = timedelta(seconds=1.6)
LONGEST_S: Final = PATIENCE_S
"""Of this machine: what takes longer stands still."""
HELD_BACK_S: Final = 0.05
"""So long may this machine keep a process from running between two steps of a call; on this clock
that is 3 s. Two calls may then reach the provider so much closer together than they left;
`limits/window.py` allows for 0.2 s. If it was longer (that is measured), so much longer is allowed
for."""
REPEAT: Final = "python -m benchmarks.simulate storms --runs 1 --first-seed {seed}"


@dataclass(frozen=True)
class Report:
    """What a storm did. `excused`: products in groups that were taken over, with one call in flight
    each at most.

    `held_back_s`: how long this machine kept the process from running, at the longest; real
    seconds.
    """

    seed: int
    completed: int
    failed: int
    poisoned: int
    paid_twice: int
    excused: int
    taken_from_the_living: int
    calls: int
    most_requests: int
    most_tokens: int
    held_back_s: float
    events: tuple[Event, ...]
    faults: dict[str, int] = field(default_factory=dict)


async def storm(server: PostgresForTests, url: str, seed: int) -> Report:
    """One run. An AssertionError says what is broken and how to repeat it."""
    try:
        async with asyncio.timeout(2 * LONGEST_S):
            return await Storm(server, url, Weather.drawn(seed)).run()
    except (AssertionError, TimeoutError) as error:
        repeat = REPEAT.format(seed=seed)
        raise AssertionError(
            f"storm {seed}: {str(error) or 'no end'}. To repeat: {repeat}"
        ) from error


class Storm:
    """One weather, the two programs in it, and the provider."""

    def __init__(self, server: PostgresForTests, url: str, weather: Weather) -> None:
        self._server = server
        self._url = url
        self._weather = weather
        self._clock = ScaledClock(SPEED)
        limits: dict[str, Any] = {
            "requests_per_minute": weather.requests_per_minute,
            "tokens_per_minute": weather.tokens_per_minute,
        }
        config = SimulatorConfig(
            **limits,
            burst_s=weather.burst_s,
            latency_s=weather.latency_s,
            faults=FaultPlan(weather.faults),
            seed=weather.seed,
        )
        self._simulator = create_app(config, self._clock)
        self._admissions = self._simulator.books.minute = Admissions()
        self._settings: dict[str, Any] = {
            "simulator": self._simulator,
            "clock": self._clock,
            "heartbeat_timeout": HEARTBEAT_TIMEOUT,
            "pacing": weather.pacing,
            "batch_size": weather.batch_size,
            "ask_together": weather.ask_together,
            **limits,
        }
        self._dead: list[object] = []
        self._held_back = HeldBack()

    async def run(self) -> Report:
        """Until every product has ended; then look at the books."""
        await self._prepare()
        watch = asyncio.create_task(self._held_back.watch())
        try:
            return await self._live_through()
        finally:
            watch.cancel()

    async def _live_through(self) -> Report:
        async with AsyncExitStack() as programs:
            survivor = await programs.enter_async_context(self._program())
            await self._add(survivor)
            await survivor.start()
            victim = await self._another(programs)
            for moment in self._weather.moments:
                await self._until_calls(survivor, moment.after_calls)
                victim = await self._strike(moment, survivor, victim, programs)
            try:
                await until(lambda: _all_done(survivor), "the end", LONGEST_S)
            except AssertionError as error:
                raise AssertionError(f"{error}: {await standstill(self._url)}") from None
            await survivor.until_true(f"SELECT count(*) = 0 FROM {jobs_table()}")  # noqa: S608
            await victim.stop()
            await survivor.stop()
            return await self._judge(survivor)

    def _program(self) -> Any:
        return program(self._url, self._server.folder, **self._settings)

    async def _another(self, programs: AsyncExitStack) -> RunningProgram:
        running: RunningProgram = await programs.enter_async_context(self._program())
        await running.work()
        return running

    async def _prepare(self) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            name = await connection.fetchval("SELECT current_database()")
            # A crash of the server must not forget what was committed: that is not what is tested.
            await connection.execute(
                f"ALTER ROLE CURRENT_USER IN DATABASE {name} SET synchronous_commit = on"
            )
            await connection.execute(NOTE_TAKEOVERS % jobs_table())
        finally:
            await connection.close()
        if IN_COMMIT & {moment.event for moment in self._weather.moments}:
            await plant_bomb(self._url)

    async def _add(self, running: RunningProgram) -> None:
        poison = " POISON"
        await running.add(
            *(
                {
                    "code": f"S-{n:03}",
                    "description": f"A bottle of steel no. {n}{poison if n < self._weather.poisoned else ''}",
                }
                for n in range(self._weather.products)
            )
        )

    # What happens -------------------------------------------------------------------------------

    async def _until_calls(self, running: RunningProgram, more: int) -> None:
        goal = self._simulator.books.received + more

        async def are_in() -> bool:
            return self._simulator.books.received >= goal or await _all_done(running)

        await until(are_in, f"{more} more calls", LONGEST_S)

    async def _strike(
        self,
        moment: Moment,
        survivor: RunningProgram,
        victim: RunningProgram,
        programs: AsyncExitStack,
    ) -> RunningProgram:
        """Let it happen; returns the worker that is there to be killed next."""
        match moment.event:
            case Event.OUTAGE:
                self._simulator.account.change({"outage_for_s": moment.duration_s})
            case Event.STOP:
                await stop_queue(survivor.app.database)
                await survivor.until_true(
                    "SELECT count(*) = 0 FROM products WHERE status = 'processing'"
                )
                await start_queue(survivor.app.database)
            case Event.DATABASE_RESTART | Event.DATABASE_CRASH:
                mode = "fast" if moment.event is Event.DATABASE_RESTART else "immediate"
                await asyncio.to_thread(restart_postgres, self._server.folder, mode=mode)
            case Event.COMMIT_BREAKS:
                await self._until_exploded(moment, survivor)
            case Event.KILL | Event.KILL_IN_COMMIT:
                if moment.event is Event.KILL_IN_COMMIT:
                    await self._until_exploded(moment, survivor)
                self._dead.append(victim.engine.supervisor.worker_id)
                await victim.die()
                return await self._another(programs)
            case _:
                await self._gust(moment)
        return victim

    async def _gust(self, moment: Moment) -> None:
        account = self._simulator.account
        account.config = replace(account.config, faults=FaultPlan(GUSTS[moment.event]))
        await self._clock.sleep(moment.duration_s)
        account.config = replace(account.config, faults=FaultPlan(self._weather.faults))

    async def _until_exploded(self, moment: Moment, survivor: RunningProgram) -> None:
        async with planted_bomb(self._url) as bomb:
            await bomb.arm(moment.at_commit)

            async def is_over() -> bool:
                return await bomb.has_exploded() or await _all_done(survivor)

            await until(is_over, "an explosion", LONGEST_S)
            await bomb.disarm()

    # What must have come of it ------------------------------------------------------------------

    async def _judge(self, survivor: RunningProgram) -> Report:
        weather, books = self._weather, self._simulator.books
        counts = await survivor.counts()
        taken = await survivor.fetch("SELECT from_id, products FROM takeovers")
        report = Report(
            seed=weather.seed,
            completed=counts[ProcessingStatus.COMPLETED],
            failed=counts[ProcessingStatus.FAILED],
            poisoned=weather.poisoned,
            paid_twice=books.products.answered_twice,
            excused=sum(row["products"] for row in taken),
            taken_from_the_living=sum(row["from_id"] not in self._dead for row in taken),
            calls=books.admitted,
            most_requests=books.minute.max_requests,
            most_tokens=books.minute.max_tokens,
            held_back_s=round(self._held_back.longest_s, 3),
            events=tuple(moment.event for moment in weather.moments),
            faults=dict(books.faults),
        )
        assert report.completed + report.failed == weather.products, f"lost: {report}"
        held_back_s = max(HELD_BACK_S, self._held_back.longest_s)
        # Held up for a whole minute of the scaled clock, nothing can be said of it; of a second
        # there always can.
        requests, tokens = self._admissions.most_in(max(MINUTE_S - held_back_s * SPEED, 1.0))
        assert requests <= weather.requests_per_minute, f"too many requests, {requests}: {report}"
        assert tokens <= weather.tokens_per_minute, f"too many tokens, {tokens}: {report}"
        await survivor.assert_sound(paid_twice=report.excused)
        await self._judge_completed(survivor)
        await self._judge_failed(survivor)
        return report

    async def _judge_completed(self, survivor: RunningProgram) -> None:
        """Every one has its three answers, and a footprint (that it adds up, the doctor has found
        out).
        """
        incomplete = await survivor.fetch(
            "SELECT p.code FROM products p WHERE p.status = 'completed' AND ("
            " (SELECT count(DISTINCT step) FROM answers a WHERE a.product_id = p.id) <> $1"
            " OR NOT EXISTS (SELECT FROM footprints f WHERE f.product_id = p.id))",
            len(STEPS),
        )
        assert not incomplete, f"completed without all steps: {incomplete}"

    async def _judge_failed(self, survivor: RunningProgram) -> None:
        """The poisoned ones, and others only after as many bad answers as it takes, in a row."""
        bad = Counter[str]()
        failed = await survivor.fetch(
            "SELECT code, description, error FROM products WHERE status = 'failed'"
        )
        for row in failed:
            if "POISON" in row["description"]:
                bad["poisoned"] += 1
                continue
            assert "No usable answer in 4 attempts" in row["error"], dict(row)
            bad["by chance"] += 1
        assert bad["poisoned"] == self._weather.poisoned, f"poisoned ones completed: {failed}"
        struck = sum(n for fault, n in self._simulator.books.faults.items() if fault in UNUSABLE)
        assert struck >= 4 * bad["by chance"], f"failed without a reason: {failed}"


async def _all_done(running: RunningProgram) -> bool:
    return running.between(await running.counts()) == 0
