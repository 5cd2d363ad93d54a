"""Looks every two seconds for something to tell, puts it into the outbox and delivers what is due.

Every process does so. What has been told is one row, locked while it is compared with what is so:
whichever process looks first tells, over restarts too. Whoever claims a notice has it alone for a
minute. A process that dies between the arrival and its record leaves the notice to be sent once
more, with the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from weighbridge import telemetry
from weighbridge.domain.notices import Notice, NoticeKind, body_of, compare, next_try
from weighbridge.notifying.base import NotDelivered
from weighbridge.plain_text import counted
from weighbridge.store import notices, products
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from weighbridge.clock import Clock
    from weighbridge.notifying.base import Carrier
    from weighbridge.store.database import Connection, Database

LOOK_EVERY_S: Final = 2.0
LAST_S: Final = 5.0
"""Time that an ending process gives to open deliveries; the rest waits for the next process."""
KEPT: Final = timedelta(days=90)


class Notifier:
    """One per process; without carriers it does nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        carriers: Sequence[Carrier],
        over_budget: Callable[[], str | None],
        *,
        scope: UUID | None = None,
        simulated: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._carriers = {carrier.channel: carrier for carrier in carriers}
        self._over_budget = over_budget
        self._scope = scope
        self._simulated = simulated
        self._has_finished = False
        self._one_at_a_time = asyncio.Lock()

    async def keep_noting(self) -> None:
        """Look until cancelled."""
        while self._carriers:
            await self.note()
            await self._clock.sleep(LOOK_EVERY_S)

    async def keep_delivering(self) -> None:
        """Deliver until cancelled; beside the looks, which wait for no receiver."""
        while self._carriers:
            await self._deliver_due()
            await self._clock.sleep(LOOK_EVERY_S)

    async def note(self) -> None:
        """Look once, and put what has happened into the outbox."""
        if self._carriers:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):  # `DatabaseRetry` says it
                async with self._database.transaction() as connection:
                    await self._note(connection)

    async def finish(self) -> None:
        """Work has ended in this process: tell what is left to tell, within a few seconds."""
        await self.note()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self._deliver_due()

    async def _deliver_due(self) -> None:
        if self._carriers:
            async with self._one_at_a_time:
                with contextlib.suppress(*DATABASE_ERRORS):
                    while await self._deliver_one():
                        pass

    async def _note(self, connection: Connection) -> None:
        """Compare what is the case with what was told last, and store a notice of each change."""
        look = await notices.look(connection, self._scope, self._over_budget())
        told = await notices.lock_told(connection, look)
        # Once more, under the lock: another process may have told what this look found.
        look = await notices.look(connection, self._scope, self._over_budget())
        happened, after = compare(told, look)
        await notices.put_told(connection, after)
        if self._scope is not None and NoticeKind.FINISHED in happened:
            if self._has_finished:
                happened.remove(NoticeKind.FINISHED)  # what goes on is the work of others
            self._has_finished = True
        if not happened:
            return
        counts = await products.counts(connection, self._scope)
        now = self._clock.now()
        bodies = {
            kind: body_of(
                kind,
                now,
                counts,
                reason="" if kind is NoticeKind.FINISHED else look.reason,
                halt=look.halt,
                simulated=self._simulated,
            )
            for kind in happened
        }
        made = [
            Notice(str(uuid4()), channel, kind, body, now)
            for kind, body in bodies.items()
            for channel in self._carriers
        ]
        await notices.add(connection, made, now)

    async def _deliver_one(self) -> bool:
        """Returns whether one was due."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            notice = await notices.claim(
                connection, list(self._carriers), now, timedelta(seconds=notices.LEASE_S)
            )
        if notice is None:
            return False
        try:
            await self._carriers[notice.channel].deliver(notice)
        except NotDelivered as error:
            await self._not_delivered(notice, error)
        else:
            async with self._database.transaction() as connection:
                await notices.delivered(connection, notice, self._clock.now())
                await notices.trim(connection, KEPT)
            telemetry.info(
                "notice_delivered",
                f"📣 Told {notice.channel.value}: {notice.kind.value}",
                channel=notice.channel.value,
                kind=notice.kind.value,
            )
        return True

    async def _not_delivered(self, notice: Notice, error: NotDelivered) -> None:
        """Fix the next try, or give the notice up."""
        wait = None if error.for_good else next_try(notice.attempts)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await notices.failed(
                connection, notice, str(error), now, now + wait if wait is not None else None
            )
        what = f"{notice.kind.value} was not delivered to the {notice.channel.value}: {error}"
        if wait is None:
            telemetry.error(
                "notice_given_up",
                f"❌ Notice {what}. Gave up after {counted(notice.attempts, 'try', 'tries')}",
            )
        else:
            telemetry.warning(
                "notice_failed", f"⚠️ Notice {what}; next try in {wait.total_seconds():,.0f} s"
            )
