"""New seeds in every test run; SIMULATION_SEED=… repeats those of an earlier one."""

from __future__ import annotations

import os
import random
from typing import Final

VARIABLE: Final = "SIMULATION_SEED"


def choose_first_seed() -> int:
    """Draw it unless it is given, and hand it to the other processes of this run."""
    drawn = str(random.SystemRandom().randrange(10**9))
    return int(os.environ.setdefault(VARIABLE, drawn))  # noqa: TID251 - tests, not the program


def new_seed(number: int) -> int:
    """The `number`-th of this run."""
    return choose_first_seed() + number
