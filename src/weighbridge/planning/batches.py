"""Which requests go into the next batch file, and what a refusal says of the limit. Pure.

A file may hold 50,000 requests and 200 MB, and the prompt tokens of all batches that wait at the
provider are limited by model and account:
https://developers.openai.com/api/docs/guides/batch · …/docs/guides/rate-limits
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from weighbridge.domain.batches import RemoteBatch

MOST_REQUESTS: Final = 50_000
MOST_BYTES: Final = 64 * 2**20
"""A third of what providers accept: each request repeats the whole prompt, held in memory."""
TOKEN_LIMIT_EXCEEDED: Final = "token_limit_exceeded"  # noqa: S105 - an error code
BELOW_REFUSED: Final = 0.9
LEAST_PART: Final = 10
"""Share of a stated limit below which the batch size is never lowered."""
_LIMIT: Final = re.compile(r"Limit:\s*([\d,]+)\s*enqueued tokens", re.IGNORECASE)


class BatchLimits(NamedTuple):
    """What the user has set: prompt tokens that may wait at once (None: as the provider says), and
    how many batches may come back without a reply about a product before it is asked at once.
    """

    enqueued_tokens: int | None = None
    tries: int = 2


class FileRoom(NamedTuple):
    """What one more batch may take."""

    requests: int
    size_bytes: int
    tokens: float
    usd: float


class RequestLoad(NamedTuple):
    """What one request takes of it."""

    size_bytes: int
    tokens: int
    usd: float


@dataclass(slots=True)
class Packing:
    """A file that is being filled."""

    room: FileRoom
    requests: int = 0
    size_bytes: int = 0
    tokens: int = 0
    usd: float = 0.0

    def take(self, load: RequestLoad) -> bool:
        """Add a request; False, and nothing is changed, where there is no room for it."""
        size_bytes = self.size_bytes + load.size_bytes + 1  # and the end of the line
        tokens, usd = self.tokens + load.tokens, self.usd + load.usd
        is_full = self.requests >= self.room.requests or size_bytes > self.room.size_bytes
        if is_full or tokens > self.room.tokens or usd > self.room.usd:
            return False
        self.requests, self.size_bytes = self.requests + 1, size_bytes
        self.tokens, self.usd = tokens, usd
        return True


def exceeds_tokens(batch: RemoteBatch) -> bool:
    """Whether the provider refused it because too many tokens wait already."""
    return any(code == TOKEN_LIMIT_EXCEEDED for code, _ in batch.problems)


def learned_limit(batch: RemoteBatch, enqueued: int) -> int:
    """How many tokens to let wait after this refusal, which came at `enqueued` of ours.

    The provider may count more than we do, and others may share the account: so it is less than was
    refused, whatever limit the refusal states.
    """
    less = int(enqueued * BELOW_REFUSED)
    stated = next(
        (
            int(found[1].replace(",", ""))
            for _, message in batch.problems
            if (found := _LIMIT.search(message))
        ),
        None,
    )
    if stated is None:
        return max(1, less)
    return max(1, min(stated, max(less, stated // LEAST_PART)))


def why_refused(batch: RemoteBatch) -> str:
    """The provider's own words about a file that it did not take."""
    said = "; ".join(message or code for code, message in batch.problems)
    return said or "no explanation was given"
