"""Lists the notices that were sent to the operator, and sends one as a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from weighbridge.domain.notices import Channel, Notice, NoticeKind, body_of
from weighbridge.notifying.base import NotDelivered
from weighbridge.store import notices, products

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.clock import Clock
    from weighbridge.notifying.base import Carrier
    from weighbridge.store.database import Database

NEWEST = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """One notice to the operator, and whether it was delivered."""

    channel: Channel
    kind: NoticeKind
    happened_at: datetime
    attempts: int
    next_at: datetime
    delivered_at: datetime | None
    given_up_at: datetime | None
    last_error: str | None

    @property
    def state(self) -> str:
        """Whether it is delivered, given up or still waiting, in a word or two."""
        if self.delivered_at:
            return "delivered"
        return "given up" if self.given_up_at else "waiting"


async def newest_notices(database: Database) -> list[Sent]:
    """The last NEWEST notices, newest first."""
    async with database.transaction() as connection:
        rows = await notices.newest(connection, NEWEST)
    return [Sent(Channel(row["channel"]), NoticeKind(row["kind"]), *tuple(row)[2:]) for row in rows]


async def send_test(
    database: Database, carriers: Sequence[Carrier], clock: Clock
) -> dict[Channel, str | None]:
    """Send a test notice through every carrier, once.

    Returns, by channel, why it was not delivered; None if it was.
    """
    async with database.transaction() as connection:
        counts = await products.counts(connection)
    now = clock.now()
    body = body_of(NoticeKind.TEST, now, counts)
    outcome: dict[Channel, str | None] = {}
    for carrier in carriers:
        notice = Notice(str(uuid4()), carrier.channel, NoticeKind.TEST, body, now)
        try:
            await carrier.deliver(notice)
        except NotDelivered as error:
            outcome[carrier.channel] = str(error)
        else:
            outcome[carrier.channel] = None
    return outcome
