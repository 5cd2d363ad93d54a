"""What a storm over the whole program is made of, all of it drawn from one seed. `storms.py` lives
through it.

Whatever changes the drawing makes other storms of the seeds in `known_seeds.py`: draw new things
after the old ones.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Final

from weighbridge.simulator.config import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

UNANSWERED: Final = (Fault.RATE, Fault.ERROR500, Fault.DROP, Fault.HTML)
UNUSABLE: Final = (
    Fault.TRUNCATE,
    Fault.MALFORMED,
    Fault.MISSING,
    Fault.FOREIGN,
    Fault.DOUBLED,
    Fault.IMPLAUSIBLE,
    Fault.REFUSE,
    Fault.FILTER,
)


class Event(StrEnum):
    """What happens at one moment of a storm. The first few last for a while."""

    REFUSALS = auto()  # 429s although the quota has room
    ERRORS = auto()  # 500s and a gateway's HTML
    DROPS = auto()  # the connection breaks in the middle of the answer
    HANGS = auto()  # no answer until the client gives up; others come ten times as late
    TRUNCATIONS = auto()
    BAD_ANSWERS = auto()  # of every other kind
    OUTAGE = auto()
    STOP = auto()  # the queue is stopped, and started again when nothing is in processing
    DATABASE_RESTART = auto()
    DATABASE_CRASH = auto()
    COMMIT_BREAKS = auto()  # every connection is cut in the middle of some commit
    KILL = auto()  # one of the two workers dies; another takes its place
    KILL_IN_COMMIT = auto()


GUSTS: Final[Mapping[Event, Mapping[Fault, float]]] = {
    Event.REFUSALS: {Fault.RATE: 0.6},
    Event.ERRORS: {Fault.ERROR500: 0.4, Fault.HTML: 0.2},
    Event.DROPS: {Fault.DROP: 0.5},
    Event.HANGS: {Fault.TIMEOUT: 0.3, Fault.SLOW: 0.3},
    Event.TRUNCATIONS: {Fault.TRUNCATE: 0.3},
    Event.BAD_ANSWERS: dict.fromkeys(set(UNUSABLE) - {Fault.TRUNCATE}, 0.05),
}
"""The share of calls that each of these hits while it lasts."""
IN_COMMIT: Final = frozenset({Event.COMMIT_BREAKS, Event.KILL_IN_COMMIT})


@dataclass(frozen=True, slots=True)
class Moment:
    """`event` happens when so many more calls have come in; a gust or an outage lasts
    `duration_s`.
    """

    event: Event
    after_calls: int
    duration_s: float
    at_commit: int  # for what strikes in a commit: the so-manieth from then on


@dataclass(frozen=True, slots=True)
class Weather:
    """Everything about one storm."""

    seed: int
    products: int
    poisoned: int
    requests_per_minute: int
    tokens_per_minute: int
    burst_s: float
    latency_s: float
    pacing: str
    batch_size: int
    faults: Mapping[Fault, float]  # all the while
    moments: tuple[Moment, ...]
    ask_together: bool

    @staticmethod
    def drawn(seed: int) -> Weather:
        """A weather for every seed."""
        dice = random.Random(seed)
        products = dice.randint(20, 120)
        faults = {fault: dice.choice((0.0, 0.04)) for fault in UNANSWERED}
        faults |= {Fault.TIMEOUT: dice.choice((0.0, 0.0, 0.02))}
        faults |= {fault: dice.choice((0.0, 0.015)) for fault in UNUSABLE}
        moments = [
            Moment(
                dice.choice(list(Event)),
                dice.randint(1, products // 5),
                dice.uniform(5, 60),
                dice.randint(1, 12),
            )
            for _ in range(dice.randint(1, 4))
        ]
        weather = Weather(
            seed=seed,
            products=products,
            poisoned=dice.choice((0, 0, 2)),
            # Most of these are used up within the storm.
            requests_per_minute=dice.choice((30, 60, 600)),
            tokens_per_minute=dice.choice((60_000, 200_000, 50_000_000)),
            burst_s=dice.choice((10.0, 60.0)),
            latency_s=dice.uniform(0.5, 6.0),
            pacing=dice.choice(("continuous", "batch")),
            batch_size=dice.choice((15, 500)),
            faults=faults,
            moments=tuple(moments),
            ask_together=False,
        )
        return replace(weather, ask_together=dice.random() < 0.25)
