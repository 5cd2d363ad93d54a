"""The seam between us and whoever answers: one question goes out, one reply or one error comes
back.

The engine knows only this interface; `wiring` picks the implementation. Whatever goes wrong behind
it arrives as a `ProviderError`, so that the retry table in `limits/` can decide without knowing
HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from weighbridge.domain.calls import CallReply, CallRequest, Price, Remaining
from weighbridge.errors import EmptyReply, ProviderError, RateLimited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.batches import RemoteBatch, ResultFile, ResultLine

CACHE_SAVING: Final = "cache_saving_usd"
"""Key in `learned` for the USD that the prompt cache has saved, minus what writing to it has cost.
"""


class BatchService(Protocol):
    """A provider's Batch API. Its methods raise `ProviderError` and nothing else."""

    enqueued_tokens: int | None
    """Prompt tokens that may wait in batches at once; None while the provider has not said."""

    def line(self, key: str, request: CallRequest) -> bytes:
        """One line of an input file: the request, labelled with our key for it."""
        ...

    async def check(self) -> None:
        """Pass if the server has a Batch API; raises NoBatchApi if it has none."""
        ...

    async def upload(self, name: str, content: bytes) -> str:
        """Upload an input file; returns the id that the provider gave it."""
        ...

    async def create(self, file_id: str, key: str) -> RemoteBatch:
        """Submit the file as a batch that carries this key. From here on it costs money."""
        ...

    async def find(self, file_id: str, key: str) -> RemoteBatch | None:
        """The batch that was made of this file or carries this key, if the provider has one."""
        ...

    async def look(self, batch_id: str) -> RemoteBatch | None:
        """The batch as it stands now; None when the provider does not know it."""
        ...

    async def results(self, file_id: str) -> ResultFile:
        """The results in an output or error file of a batch."""
        ...

    async def reply(self, line: ResultLine, request: CallRequest) -> CallReply:
        """The reply in a line of results. Raises the `ProviderError` that a call would have
        raised.
        """
        ...


class Provider(Protocol):
    """Somebody who answers a `CallRequest`. Its methods raise `ProviderError` and nothing else.

    A provider that derives from this class needs to define only the methods without a body. The
    defaults stand for a provider without tiers, without memory, with nothing to check or close.
    """

    @property
    def name(self) -> str:
        """Who answers: "openai", or the host of another server. Stored with every answer."""
        ...

    @property
    def model(self) -> str:
        """The model that is asked, as the user named it."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether the answers are made up. They are labelled so wherever they appear."""
        ...

    @property
    def price(self) -> Price:
        """What a million tokens cost; `known` is False when nobody publishes it."""
        ...

    @property
    def tier(self) -> str | None:
        """The service tier that is asked for; None: the standard one."""
        return None

    @property
    def context_tokens(self) -> int | None:
        """Tokens that prompt and answer together may take; None while that is unknown."""
        return None

    @property
    def calls_at_once(self) -> int | None:
        """How many calls the server works on at a time; None while that is unknown."""
        return None

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine, where it is slow but used by nobody else."""
        return False

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the operator about the model, such as the day of its shutdown."""
        return ()

    def learned(self) -> Mapping[str, Any]:
        """What the server's answers have shown about it, as plain JSON values to be stored for the
        next process.
        """
        return {}

    def recall(self, learned: Mapping[str, Any]) -> None:
        """Take up what an earlier process learned of the same server and model."""
        return

    async def call(self, request: CallRequest) -> CallReply:
        """Ask once.

        No retries happen in here: each costs quota, and the governor must know of it.
        """
        ...

    @property
    def batches(self) -> BatchService | None:
        """The Batch API; None where this provider cannot have one."""
        return None

    @property
    def keeps_replies(self) -> bool:
        """Whether `find` may return earlier replies; False once the server has shown that it does
        not store or list them.
        """
        return False

    @property
    def longest_call_s(self) -> float:
        """Seconds after which the provider gives up a call."""
        ...

    async def find(self, request: CallRequest) -> CallReply | None:
        """The reply to an earlier call with the key of this request; None when the provider shows
        none (yet).
        """
        return None

    async def check(self) -> None:
        """Make sure that key, address and model are right, before any money is spent."""
        return

    async def is_alive(self) -> bool:
        """Whether the server answers at all; costs nothing."""
        return True

    async def aclose(self) -> None:
        """Close all connections. The provider cannot be used afterwards."""
        return


def why_no_batches(provider: Provider) -> str:
    """The message for a user who chose the batch lane with a provider that has no Batch API."""
    return (
        f"{provider.name} has no Batch API. Import the products again with --lane online, or use "
        "run --lane online."
    )


def reply_of(error: ProviderError) -> CallReply | None:
    """The billed reply behind an `EmptyReply`, be that the error itself or its cause; None when
    nothing was billed.
    """
    empty = error if isinstance(error, EmptyReply) else error.__cause__
    if isinstance(empty, EmptyReply) and isinstance(empty.reply, CallReply):
        return empty.reply
    return None


def remaining_of(error: ProviderError) -> Remaining | None:
    """What the rate-limit headers of a refused call said, or None when the error carries none."""
    if isinstance(error, RateLimited) and isinstance(error.remaining, Remaining):
        return error.remaining
    return None
