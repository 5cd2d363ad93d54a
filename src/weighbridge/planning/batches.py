"""Decides which requests go into the next batch file, and learns the limit from refusals. Pure.

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
"""The largest batch file. Providers accept three times as much, but each request repeats the whole
prompt, and the file is held in memory.
"""
TOKEN_LIMIT_EXCEEDED: Final = "token_limit_exceeded"  # noqa: S105 - an error code
BELOW_REFUSED: Final = 0.9
"""Factor by which the number of tokens that may wait in batches is lowered after a refusal."""
LEAST_PART: Final = 10
"""The number of tokens that may wait in batches is never lowered below the limit that the provider
states, divided by this.
"""
_LIMIT: Final = re.compile(r"Limit:\s*([\d,]+)\s*enqueued tokens", re.IGNORECASE)


class BatchLimits(NamedTuple):
    """The user's settings: how many prompt tokens may wait at the provider (None: as many as it
    accepts), and after how many batches without a reply a product is asked with an ordinary call.
    """

    enqueued_tokens: int | None = None
    tries: int = 2


class FileRoom(NamedTuple):
    """The most that the next batch file may hold."""

    requests: int
    size_bytes: int
    tokens: float
    usd: float


class RequestLoad(NamedTuple):
    """How much of a batch file one request takes."""

    size_bytes: int
    tokens: int
    usd: float


@dataclass(slots=True)
class Packing:
    """A batch file that is being filled, with what it holds so far."""

    room: FileRoom
    requests: int = 0
    size_bytes: int = 0
    tokens: int = 0
    usd: float = 0.0

    def take(self, load: RequestLoad) -> bool:
        """Add a request if there is room for it; False, with nothing changed, if there is not."""
        size_bytes = self.size_bytes + load.size_bytes + 1  # and the end of the line
        tokens, usd = self.tokens + load.tokens, self.usd + load.usd
        is_full = self.requests >= self.room.requests or size_bytes > self.room.size_bytes
        if is_full or tokens > self.room.tokens or usd > self.room.usd:
            return False
        self.requests, self.size_bytes = self.requests + 1, size_bytes
        self.tokens, self.usd = tokens, usd
        return True


def exceeds_tokens(batch: RemoteBatch) -> bool:
    """Whether the provider refused the batch because too many tokens are waiting already."""
    return any(code == TOKEN_LIMIT_EXCEEDED for code, _ in batch.problems)


def learned_limit(batch: RemoteBatch, enqueued_tokens: int) -> int:
    """How many tokens may wait from now on, after this batch was refused while `enqueued_tokens` of
    ours were waiting.

    The result is less than was refused, whatever limit the refusal states: the provider may count
    more than we do, and others may share the account.
    """
    less = int(enqueued_tokens * BELOW_REFUSED)
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
    """The provider's own words about a batch file that it refused."""
    said = "; ".join(message or code for code, message in batch.problems)
    return said or "no explanation was given"
