"""The contract with a provider's Batch API: what is submitted, how it stands, what comes back."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class BatchStatus(StrEnum):
    """As the provider names it: https://developers.openai.com/api/docs/guides/batch"""

    VALIDATING = "validating"
    FAILED = "failed"  # the file was refused; nothing was asked
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"  # what was not answered within a day is left out
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


ENDED = frozenset(
    {BatchStatus.COMPLETED, BatchStatus.EXPIRED, BatchStatus.CANCELLED, BatchStatus.FAILED}
)
"""States after which no more answers come; what was answered until then is in the output file."""


class RemoteBatch(NamedTuple):
    """A batch as the provider shows it.

    `total`, `completed` and `failed` count its requests. `problems` are the (code, message) pairs
    that say why a file was refused.
    """

    id: str
    status: BatchStatus
    total: int = 0
    completed: int = 0
    failed: int = 0
    result_files: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


class ResultLine(NamedTuple):
    """The result of one request: its reply, an error, or neither where it was never answered."""

    key: str
    status: int | None = None
    body: bytes = b""
    request_id: str | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the request was sent on to the model: there is a reply or an error."""
        return self.status is not None

    @property
    def is_reply(self) -> bool:
        """Whether the model wrote something, which is billed."""
        return self.status is not None and 200 <= self.status < 300


class ResultFile(NamedTuple):
    """What can be read of an output or error file.

    `unreadable` counts the lines that are no results. `is_missing`: the provider no longer has the
    file.
    """

    lines: tuple[ResultLine, ...] = ()
    unreadable: int = 0
    is_missing: bool = False


class BatchesInFlight(NamedTuple):
    """The batches that the provider has not finished, counted together with their requests."""

    batches: int
    requests: int
    answered: int
    oldest_at: datetime | None  # when the oldest of them was submitted

    @property
    def share(self) -> float:
        """The share of the requests that is answered, from 0 to 1."""
        return self.answered / self.requests if self.requests else 0.0


NO_BATCHES = BatchesInFlight(0, 0, 0, None)
