"""What every part of a worker needs: made once per process, in `wiring`, and passed to all of them.

It decides nothing. What only some parts need (the recorder, the factors) is passed to those
directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from uuid import UUID

    from weighbridge.clock import Clock
    from weighbridge.engine.database.retrying import DatabaseRetry
    from weighbridge.engine.jobs.provider_memory import ProviderMemory
    from weighbridge.engine.quota.brake import Brake
    from weighbridge.engine.quota.governor import Governor
    from weighbridge.fetching.source import PicturesByAddress
    from weighbridge.providers.base import Provider
    from weighbridge.steps import Questions
    from weighbridge.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineContext:
    """`manager_id` is the identity under which this process holds its jobs."""

    manager_id: UUID
    database: Database
    database_retry: DatabaseRetry
    provider: Provider
    questions: Questions
    governor: Governor
    brake: Brake
    memory: ProviderMemory
    clock: Clock
    random_source: random.Random
    pictures: PicturesByAddress | None = None  # None: addresses go to the provider as they are
    reuses_answers: bool = False  # the same text, answered earlier, is not asked again
    picture_required: bool = False  # a product fails whose picture cannot be had
