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
"""Key in `learned`: what the prompt cache has saved, minus what writing to it has cost."""


class BatchService(Protocol):
    """A provider's Batch API. Its methods raise `ProviderError` and nothing else."""

    enqueued_tokens: int | None
    """Prompt tokens that may wait in batches at once; None while the provider has not said."""

    def line(self, key: str, request: CallRequest) -> bytes:
        """One line of a file: the question, under a key of ours."""
        ...

    async def check(self) -> None:
        """Raises NoBatchApi where there is none."""
        ...

    async def upload(self, name: str, content: bytes) -> str:
        """Hand over a file of lines; returns the provider's name for it."""
        ...

    async def create(self, file_id: str, key: str) -> RemoteBatch:
        """Submit the file as a batch that carries this key. From here on it costs money."""
        ...

    async def find(self, file_id: str, key: str) -> RemoteBatch | None:
        """The batch that was made of this file or carries this key, if the provider has one."""
        ...

    async def look(self, batch_id: str) -> RemoteBatch | None:
        """How it stands; None when the provider does not know it."""
        ...

    async def results(self, file_id: str) -> ResultFile:
        """What can be read of one of its files."""
        ...

    async def reply(self, line: ResultLine, request: CallRequest) -> CallReply:
        """The reply in an answered line; what a call would have raised is raised here."""
        ...


class Provider(Protocol):
    """Somebody who answers a `CallRequest`. Its methods raise `ProviderError` and nothing else.

    What has a body here need not be said by a provider that derives from this class: it has no
    tiers, no memory, nothing to check and nothing to close.
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
        """How much prompt and answer together may take; None while nobody has said."""
        return None

    @property
    def calls_at_once(self) -> int | None:
        """How many calls the server works on at a time; None while it has not said."""
        return None

    @property
    def is_local(self) -> bool:
        """Whether it is a server on this machine: one that is slow, and not shared."""
        return False

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know of the model, such as the day of its shutdown."""
        return ()

    def learned(self) -> Mapping[str, Any]:
        """What the server's answers have taught about it, as JSON can hold it: for the next
        process.
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
        """False once the server has shown that replies cannot be stored there, or not be found
        again.
        """
        return False

    @property
    def longest_call_s(self) -> float:
        """After how long a call is given up here."""
        ...

    async def find(self, request: CallRequest) -> CallReply | None:
        """The reply to an earlier call with the key of this request; None when the provider shows
        none (yet).
        """
        return None

    async def check(self) -> None:
        """Make sure that key, address and model are right, before anything is spent."""
        return

    async def is_alive(self) -> bool:
        """Whether the server answers at all; costs nothing."""
        return True

    async def aclose(self) -> None:
        """Close all connections. The provider cannot be used afterwards."""
        return


def why_no_batches(provider: Provider) -> str:
    """What to tell somebody who wants them of a provider that has none."""
    return (
        f"{provider.name} has no Batch API. Import the products again with --lane online, or use "
        "run --lane online."
    )


def reply_of(error: ProviderError) -> CallReply | None:
    """What was billed with an empty completion, or None when nothing was; also where the error was
    raised from the empty completion.
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
