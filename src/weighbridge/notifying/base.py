"""The interface of everything that delivers notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from weighbridge.domain.notices import Channel, Notice


class NotDelivered(Exception):
    """A notice did not arrive; the message says why, without addresses and secrets."""

    def __init__(self, message: str, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good
        """Whether the receiver wants no more notices."""


class Carrier(Protocol):
    """Delivers the notices of one channel. A delivery ends within a time limit, whatever the
    receiver does.
    """

    @property
    def channel(self) -> Channel:
        """The channel whose notices it delivers."""
        ...

    async def deliver(self, notice: Notice) -> None:
        """Try once to deliver the notice.

        Raises:
            NotDelivered: it did not arrive.
        """
        ...
