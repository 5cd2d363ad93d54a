"""Checks every two seconds if there is something to notify of, puts notices into the outbox, and
delivers those that are due.

Every process does so. The last state that the operator was told of is one row in the database. It
is locked while it is compared with the present state, so that only one process notifies of a
change, also after restarts. A process that claims a notice has it alone for a minute. If it dies
after the delivery and before recording it, the notice is sent once more, with the same id.
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
"""Longest time that an ending process spends on deliveries; the next process makes the others."""
KEPT: Final = timedelta(days=90)
"""Time after which delivered notices are deleted."""


class Notifier:
    """Notifies the operator; one per process. Without carriers it does nothing.

    `over_budget` returns why no money is left for the next call, or None. `scope` is the import
    that this process works on; None: all products.
    """

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
        """Put notices of changes into the outbox until cancelled."""
        while self._carriers:
            await self.note()
            await self._clock.sleep(LOOK_EVERY_S)

    async def keep_delivering(self) -> None:
        """Deliver notices until cancelled. This is a loop of its own, so that slow receivers do not
        delay `keep_noting`.
        """
        while self._carriers:
            await self._deliver_due()
            await self._clock.sleep(LOOK_EVERY_S)

    async def note(self) -> None:
        """Put notices of what has changed since the last check into the outbox."""
        if self._carriers:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):  # `DatabaseRetry` logs it
                async with self._database.transaction() as connection:
                    await self._note(connection)

    async def finish(self) -> None:
        """At the end of the process: note the last changes and deliver what is due, for at most
        `LAST_S`.
        """
        await self.note()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self._deliver_due()

    async def _deliver_due(self) -> None:
        """Deliver all notices that are due, one after the other."""
        if self._carriers:
            async with self._one_at_a_time:
                with contextlib.suppress(*DATABASE_ERRORS):
                    while await self._deliver_one():
                        pass

    async def _note(self, connection: Connection) -> None:
        """Compare the present state with the one last notified of, and store a notice of each
        change.
        """
        look = await notices.look(connection, self._scope, self._over_budget())
        told = await notices.lock_told(connection, look)
        # Once more, under the lock: another process may have notified of the same change.
        look = await notices.look(connection, self._scope, self._over_budget())
        happened, after = compare(told, look)
        await notices.put_told(connection, after)
        if self._scope is not None and NoticeKind.FINISHED in happened:
            if self._has_finished:
                happened.remove(NoticeKind.FINISHED)  # work since then was that of others
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
        """Deliver one notice that is due; returns whether there was one."""
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
                await notices.mark_delivered(connection, notice, self._clock.now())
                await notices.trim(connection, KEPT)
            telemetry.info(
                "notice_delivered",
                f"📣 Told {notice.channel.value}: {notice.kind.value}",
                channel=notice.channel.value,
                kind=notice.kind.value,
            )
        return True

    async def _not_delivered(self, notice: Notice, error: NotDelivered) -> None:
        """Store when the next try is due, or that there will be none."""
        wait = None if error.for_good else next_try(notice.attempts)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await notices.mark_failed(
                connection, notice, str(error), now, now + wait if wait is not None else None
            )
        failure = (
            f"Notice {notice.kind.value} was not delivered to the {notice.channel.value}: {error}"
        )
        if wait is None:
            telemetry.error(
                "notice_given_up",
                f"❌ {failure}. Gave up after {counted(notice.attempts, 'try', 'tries')}",
            )
        else:
            telemetry.warning(
                "notice_failed", f"⚠️ {failure}; next try in {wait.total_seconds():,.0f} s"
            )
