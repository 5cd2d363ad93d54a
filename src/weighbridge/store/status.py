"""The status of the queue in one statement: many clients ask often, and each statement is a round
trip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.store import batches, products, provider_facts, queue_state, quota

if TYPE_CHECKING:
    from weighbridge.domain.batches import BatchesInFlight
    from weighbridge.domain.products import ProcessingStatus
    from weighbridge.store.database import Connection
    from weighbridge.store.provider_facts import ProviderFacts
    from weighbridge.store.queue_state import QueueState


@dataclass(frozen=True, slots=True)
class Status:
    """One snapshot.

    `quota_state` is the limiter's state for the account used last; None before the first call.
    `provider` is the server that was used last.
    """

    queue: QueueState
    counts: dict[ProcessingStatus, int]
    now_s: float  # the database's clock, epoch seconds
    quota_state: bytes | None
    provider: ProviderFacts | None
    batches: BatchesInFlight


async def load(connection: Connection) -> Status:
    """The present status, counts over all products."""
    row = await connection.fetchrow(
        f"SELECT {queue_state.COLUMNS}, c.*, b.*, extract(epoch FROM clock_timestamp())::float8 AS now_s,"  # noqa: S608
        f" ({quota.USED_LAST}) AS quota_state, ({provider_facts.USED_LAST}) AS provider FROM "
        f"queue_state, ({products.COUNTS}) AS c, ({batches.IN_FLIGHT}) AS b"
    )
    assert row is not None  # noqa: S101 - seeded when the database was opened
    return Status(
        queue=queue_state.of_row(row),
        counts=products.counts_of_row(row),
        now_s=row["now_s"],
        quota_state=bytes(row["quota_state"]) if row["quota_state"] else None,
        provider=provider_facts.of_document(row["provider"]),
        batches=batches.in_flight_of_row(row),
    )
