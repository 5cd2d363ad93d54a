"""The batches at the provider's Batch API, which costs half, with their state in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.domain.batches import BatchStatus
from weighbridge.store import batches
from weighbridge.store.batches import BatchState, ListedBatch

if TYPE_CHECKING:
    from weighbridge.store.database import Database

_BEFORE: Final = {
    BatchState.PREPARED: "being prepared",
    BatchState.UPLOADED: "uploaded",
    BatchState.CREATING: "being submitted",
    BatchState.DISCARDED: "not taken",
}
_AT_PROVIDER: Final[dict[str | None, str]] = {
    BatchStatus.VALIDATING: "being checked",
    BatchStatus.IN_PROGRESS: "in progress",
    BatchStatus.FINALIZING: "nearly done",
    BatchStatus.CANCELLING: "being cancelled",
}
_TROUBLE: Final[dict[str | None, str]] = {
    BatchStatus.EXPIRED: "expired",
    BatchStatus.CANCELLED: "cancelled",
    BatchStatus.FAILED: "refused",
}


@dataclass(frozen=True, slots=True)
class FollowedBatch:
    """A batch with its state in words. `share` is the share of requests answered, from 0 to 1."""

    batch: ListedBatch
    words: str
    share: float

    @property
    def is_open(self) -> bool:
        """Whether the batch is not finished: answers may still come."""
        return self.batch.state not in {BatchState.COLLECTED, BatchState.DISCARDED}

    @property
    def is_troubled(self) -> bool:
        """Whether the batch ended before all its requests were answered."""
        return self.batch.state is BatchState.DISCARDED or self.batch.status in _TROUBLE

    @property
    def answered(self) -> int:
        """How many requests the provider has answered, with success or an error."""
        return self.batch.completed + self.batch.failed


async def followed_batches(
    database: Database, *, before_id: int | None, limit: int
) -> list[FollowedBatch]:
    """Up to `limit` batches, newest first: the newest ones, or those before the one with this
    id.
    """
    async with database.pool.acquire() as connection:
        found = await batches.newest(connection, before_id, limit)
    return [_followed(batch) for batch in found]


def _followed(batch: ListedBatch) -> FollowedBatch:
    answered = batch.completed + batch.failed
    share = min(1.0, answered / batch.requests) if batch.requests else 0.0
    return FollowedBatch(batch, _words(batch), share)


def _words(batch: ListedBatch) -> str:
    """The state of a batch in words."""
    if said := _BEFORE.get(batch.state):
        return said
    if trouble := _TROUBLE.get(batch.status):
        return trouble
    if batch.state is BatchState.COLLECTED:
        return "collected"
    return _AT_PROVIDER.get(batch.status, "answered, to be collected")
