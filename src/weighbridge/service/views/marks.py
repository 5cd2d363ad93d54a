"""Whether there are figures that no language model was asked for now: every page says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.store import footprints

if TYPE_CHECKING:
    from weighbridge.clock import Clock
    from weighbridge.store.database import Database

FRESH_FOR_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Marks:
    """What the figures of this database are, apart from asked for."""

    simulated: bool
    recorded: bool


class MarksReader:
    """One per server, for any number of pages; a look is two seconds old at most."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: Marks | None = None
        self._known_until_s = 0.0

    async def __call__(self) -> Marks:
        """What there is."""
        now_s = self._clock.monotonic_s()
        if self._known is None or now_s >= self._known_until_s:
            async with self._database.pool.acquire() as connection:
                self._known = Marks(*await footprints.not_asked_for(connection))
            self._known_until_s = now_s + FRESH_FOR_S
        return self._known

    def forget(self) -> None:
        """Look anew the next time."""
        self._known = None
