"""The seam between us and whoever answers: one question goes out, one reply or one error comes
back.

The engine knows only this interface; `wiring` picks the implementation. Whatever goes wrong behind
it arrives as a `ProviderError`, so that the retry table in `limits/` can decide without knowing
HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from weighbridge.domain.calls import CallReply, CallRequest, Price, Remaining
from weighbridge.errors import ProviderError, RateLimited

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE_SAVING: Final = "cache_saving_usd"
"""In what was learned: what the prompt cache has saved so far, less what writing it has cost."""


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


def remaining_of(error: ProviderError) -> Remaining | None:
    """What the rate-limit headers of a refused call said, or None when the error carries none."""
    if isinstance(error, RateLimited) and isinstance(error.remaining, Remaining):
        return error.remaining
    return None
