"""Operations on the queue: status, start, stop, retry of failed products, configuration."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from weighbridge.domain.batches import NO_BATCHES, BatchesInFlight
from weighbridge.domain.calls import Cost
from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import InputError
from weighbridge.limits.limiter import Limiter, Limits
from weighbridge.store import holds, products, queue_state, statistics, status, stopping
from weighbridge.store.overrides import Overrides

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from weighbridge.clock import Clock
    from weighbridge.store.database import Database
    from weighbridge.store.provider_facts import ProviderFacts
    from weighbridge.store.queue_state import QueueState


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The queue as it is at one moment.

    `used` is what calls of the last minute took of the `limits`.
    """

    state: QueueState
    counts: dict[ProcessingStatus, int]
    used: Cost
    limits: Limits
    as_of: datetime
    provider: ProviderFacts | None = None
    batches: BatchesInFlight = NO_BATCHES

    @property
    def total_products(self) -> int:
        """The number of products."""
        return sum(self.counts.values())

    @property
    def notices(self) -> tuple[str, ...]:
        """Messages for the operator about the provider and its model."""
        return self.provider.notices if self.provider else ()


@dataclass(frozen=True, slots=True)
class IntegerRange:
    """The range of a numeric setting."""

    low: int
    high: int | None

    @override
    def __str__(self) -> str:
        return f"a whole number from {self.low:,}" + (f" to {self.high:,}" if self.high else " up")


CONFIG_RANGES: Final[dict[str, IntegerRange]] = {
    "batchSize": IntegerRange(1, 1000),
    "batchDelayMs": IntegerRange(30_000, 86_400_000),
    "maxConcurrentRequests": IntegerRange(1, 20),
    "requestsPerMinute": IntegerRange(1, 10_000_000),
    "tokensPerMinute": IntegerRange(1, 100_000_000_000),
}
PACINGS: Final = ("batch", "continuous")
SWITCHES: Final = ("askTogether",)
_COLUMN_OF: Final = {
    "batchSize": "batch_size",
    "batchDelayMs": "batch_delay_ms",
    "maxConcurrentRequests": "max_concurrent_requests",
    "pacing": "pacing",
    "askTogether": "ask_together",
    "requestsPerMinute": "requests_per_minute",
    "tokensPerMinute": "tokens_per_minute",
}


_ALLOWED: Final = (
    "Settings are "
    + "".join(f"{name} ({allowed}), " for name, allowed in CONFIG_RANGES.items())
    + f"pacing ({' or '.join(PACINGS)}), {', '.join(SWITCHES)} (true or false)."
)
_SHOWN_CHARACTERS: Final = 60


def _as_shown(value: object) -> str:
    """A value for a message: as JSON, shortened if it is long; "a list" or "an object"."""
    if isinstance(value, list | dict):  # perhaps nested too deeply to be written again
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


class InvalidConfig(InputError):
    """A configuration value is out of range, of the wrong type, or unknown. Nothing was changed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


async def queue_status(
    database: Database,
    clock: Clock,
    *,
    scope: UUID | None = None,
    overrides: Overrides = Overrides(),  # noqa: B008 - frozen
) -> QueueStatus:
    """The state of the queue.

    With `scope`, the id of an import, only that import's products are counted. `overrides` are this
    process's own settings.
    """
    async with database.pool.acquire() as connection:
        seen = await status.load(connection)
        counts = await products.counts(connection, scope) if scope else seen.counts
    state = overrides.apply(seen.queue)
    limits = Limits(state.requests_per_minute, state.tokens_per_minute)
    used = Cost(0, 0)  # in the last 60 s
    if seen.quota_state is not None:
        # A process may have limits of its own (a simulated run has): while it works, they are those
        # in force.
        own = Limiter.dumped_limits(seen.quota_state)
        limiter = Limiter.load(seen.quota_state, own or limits)
        used = limiter.used(clock.of_database(seen.now_s))
        limits = limiter.in_force if used.requests else limits
    return QueueStatus(state, counts, used, limits, clock.now(), seen.provider, seen.batches)


async def start_queue(database: Database) -> int:
    """Start processing; returns the number of pending products.

    Products stuck in `processing` without a live job are released first.
    """
    async with database.transaction() as connection:
        await holds.lift_all(connection)
        await products.release_stuck(connection)
        await queue_state.update(connection, running=True, paused_reason=None, next_batch_at=None)
        return (await products.counts(connection))[ProcessingStatus.PENDING]


async def stop_queue(database: Database) -> int:
    """Stop processing; returns how many products went back to `pending`.

    No call starts after this returns.

    Calls in flight finish and are stored. The queue stays stopped after a restart.
    """
    async with database.transaction() as connection:
        _, released = await stopping.stop(connection)
    return released


async def calls_elsewhere(database: Database, worker_id: UUID | None) -> int:
    """How many calls are in flight in all workers but this one; None: in all workers."""
    async with database.pool.acquire() as connection:
        cap = (await queue_state.load(connection)).concurrency_cap
        return await statistics.calls_elsewhere(connection, worker_id, are_noted=cap is not None)


async def reset_failed(database: Database) -> int:
    """Make all failed products pending again, as if never tried; returns how many there were."""
    async with database.transaction() as connection:
        modified = await products.reset_failed(connection)
        await queue_state.announce(connection)
        return modified


def check_config(values: dict[str, Any]) -> dict[str, Any]:
    """The settings, checked, by the name of their column in the database.

    Raises:
        InvalidConfig: names the field, what was given and what is allowed.
    """
    if not values:
        raise InvalidConfig("body", f"Nothing to change. {_ALLOWED}")
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in _COLUMN_OF:
            raise InvalidConfig(name, f"{name[:_SHOWN_CHARACTERS]} is not a setting. {_ALLOWED}")
        if name == "pacing":
            if value not in PACINGS:
                raise InvalidConfig(
                    name, f"pacing is {_as_shown(value)}; it must be batch or continuous."
                )
        elif name in SWITCHES:
            if not isinstance(value, bool):
                raise InvalidConfig(
                    name, f"{name} is {_as_shown(value)}; it must be true or false."
                )
        else:
            _check_integer(name, value)
        checked[_COLUMN_OF[name]] = value
    return checked


def _check_integer(name: str, value: object) -> None:
    """Raises InvalidConfig unless the value is a whole number in the setting's range."""
    allowed = CONFIG_RANGES[name]
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or value < allowed.low or (allowed.high is not None and value > allowed.high):  # type: ignore[operator]
        raise InvalidConfig(name, f"{name} is {_as_shown(value)}; it must be {allowed}.")


async def configure(
    database: Database, values: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Change settings while the queue runs, all or none; returns (previous, current) settings.

    Raises:
        InvalidConfig: nothing was changed.
    """
    columns = check_config(values)
    async with database.transaction() as connection:
        previous = await queue_state.load(connection)
        columns |= _changed_pause(previous, columns)
        await queue_state.update(connection, **columns)
        current = await queue_state.load(connection)
    return config_of(previous), config_of(current)


def _changed_pause(state: QueueState, changes: dict[str, Any]) -> dict[str, Any]:
    """The new end of the current pause between batches, as a column value; {} if it stays.

    A changed delay also applies to the current pause, which may be a day long by mistake.
    """
    if changes.get("pacing") == "continuous":
        return {"next_batch_at": None}
    if state.next_batch_at is None or "batch_delay_ms" not in changes:
        return {}
    longer = timedelta(milliseconds=changes["batch_delay_ms"] - state.batch_delay_ms)
    return {"next_batch_at": state.next_batch_at + longer}


async def choose_steps(database: Database, steps: str | None) -> None:
    """Set whether all steps are asked for in one call (`together`) or each in its own (`apart`).

    It applies to every process until it is changed. None: nothing is changed.
    """
    if steps is not None:
        await configure(database, {"askTogether": steps == "together"})


def config_of(state: QueueState) -> dict[str, Any]:
    """The settings in the queue's state, under their public names."""
    stored = asdict(state)
    config = {name: stored[column] for name, column in _COLUMN_OF.items()}
    config["maxConcurrentRequests"] = (
        state.max_concurrent_requests or queue_state.DEFAULT_MAX_CONCURRENT_REQUESTS
    )
    return config


async def read_config(database: Database) -> dict[str, Any]:
    """The present settings."""
    async with database.pool.acquire() as connection:
        return config_of(await queue_state.load(connection))
