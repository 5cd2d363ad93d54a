"""What every part of a worker works with: made once for each process, in `wiring`, and handed to all of them.

It holds and decides nothing. What only some parts need (the recorder, the factors) is handed to those beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from uuid import UUID

    from weighbridge.clock import Clock
    from weighbridge.engine.governor import Governor
    from weighbridge.engine.lengths import Lengths
    from weighbridge.engine.patience import Patience
    from weighbridge.providers.base import Provider
    from weighbridge.steps import Questions
    from weighbridge.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """`manager_id` is the identity under which this process holds its jobs."""

    manager_id: UUID
    database: Database
    patience: Patience
    provider: Provider
    questions: Questions
    governor: Governor
    lengths: Lengths
    clock: Clock
    random_source: random.Random
