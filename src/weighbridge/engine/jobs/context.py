"""The objects that every part of a worker needs, made once per process in `wiring`.

What only some parts need (the recorder, the factors) is passed to those directly.
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
    """The objects that every part of a worker needs.

    `manager_id` is the id under which this process holds its jobs.
    """

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
    pictures: PicturesByAddress | None = None  # None: the provider gets the pictures' addresses
    reuses_answers: bool = False  # answers given earlier about the same text are used
    picture_required: bool = False  # a product whose picture cannot be fetched fails
