"""What carries a notice out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from weighbridge.domain.notices import Channel, Notice


class NotDelivered(Exception):
    """It did not arrive; the message says why, without addresses and secrets."""

    def __init__(self, message: str, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good
        """Whether the receiver wants no more notices."""


class Carrier(Protocol):
    """One way out. It takes less than `TIMEOUT_S`, whatever the other side does."""

    @property
    def channel(self) -> Channel:
        """Which notices are its own."""
        ...

    async def deliver(self, notice: Notice) -> None:
        """Try once.

        Raises:
            NotDelivered: as its name says.
        """
        ...
