"""Whether any figures come from the simulator or from recorded answers: every page then says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.store import footprints

if TYPE_CHECKING:
    from weighbridge.clock import Clock
    from weighbridge.store.database import Database

FRESH_FOR_S: Final = 2.0
"""How many seconds the marks are reused after they were read from the database."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Whether some figures of this database are simulated, and whether some are recorded."""

    simulated: bool
    recorded: bool


class MarksReader:
    """Reads the marks, and keeps them for FRESH_FOR_S. One per server, for any number of pages."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: Marks | None = None
        self._known_until_s = 0.0

    async def __call__(self) -> Marks:
        """The marks, at most FRESH_FOR_S old."""
        now_s = self._clock.monotonic_s()
        if self._known is None or now_s >= self._known_until_s:
            async with self._database.pool.acquire() as connection:
                self._known = Marks(*await footprints.not_asked_for(connection))
            self._known_until_s = now_s + FRESH_FOR_S
        return self._known

    def forget(self) -> None:
        """Forget the marks, so that the next call reads them."""
        self._known = None
