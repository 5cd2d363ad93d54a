"""Builds the provider and the engine that asks it. The only module that knows all their parts."""

from __future__ import annotations

import random
import shlex
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

import httpx2

from weighbridge import telemetry
from weighbridge.application import Application, registered, wishes_of
from weighbridge.clock import Clock, SystemClock
from weighbridge.engine.batches.collecting import Collector
from weighbridge.engine.batches.lane import BatchLane
from weighbridge.engine.batches.preparing import Preparer
from weighbridge.engine.database.retrying import DatabaseRetry
from weighbridge.engine.dispatch.dispatcher import Dispatcher
from weighbridge.engine.dispatch.retention_task import RetentionTask
from weighbridge.engine.dispatch.variant_finder import VariantFinder
from weighbridge.engine.jobs.borrowing import able_to_answer
from weighbridge.engine.jobs.context import EngineContext
from weighbridge.engine.jobs.provider_memory import ProviderMemory
from weighbridge.engine.jobs.worker import Worker
from weighbridge.engine.notices.notifier import Notifier
from weighbridge.engine.quota.brake import Brake
from weighbridge.engine.quota.day_budget import DayBudget
from weighbridge.engine.quota.governor import Governor
from weighbridge.engine.quota.spending import Spending
from weighbridge.engine.supervisor import Supervisor
from weighbridge.errors import SettingsError
from weighbridge.fetching.decoding import PictureDecoder
from weighbridge.fetching.pictures import PictureFetcher
from weighbridge.fetching.source import PicturesByAddress
from weighbridge.limits.limiter import Limits
from weighbridge.notifying.command import CommandCarrier
from weighbridge.notifying.webhook import WebhookCarrier
from weighbridge.planning.batches import BatchLimits
from weighbridge.planning.cost import Loads
from weighbridge.planning.models import profile_of
from weighbridge.planning.tokens import OutputAllowances
from weighbridge.providers.base import why_no_batches
from weighbridge.providers.openai import OpenAIProvider
from weighbridge.providers.prices import price_of
from weighbridge.providers.recorded import RecordedProvider
from weighbridge.providers.requests.address import read_address
from weighbridge.service.estimates import question_loads
from weighbridge.settings import check_key_and_address, environment_for_programs
from weighbridge.simulator.app import create_app
from weighbridge.simulator.config import Keeping, SimulatorConfig
from weighbridge.simulator.models import KNOWN_MODELS, LUNA, STANDARD, ModelLimits
from weighbridge.store import budgets, earlier_answers
from weighbridge.store.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
    from uuid import UUID

    from weighbridge.domain.recordings import Recording
    from weighbridge.notifying.base import Carrier
    from weighbridge.providers.base import Provider
    from weighbridge.settings import Settings
    from weighbridge.steps import Questions
    from weighbridge.store.database import Connection
    from weighbridge.store.products import StoredProduct

SIMULATED_LIMITS: Final = Limits(requests_per_minute=10_000, tokens_per_minute=30_000_000)
"""Limits of `run --simulate`, those of a large account, unless the user sets others."""
SIMULATED_LATENCY_S: Final = 0.5
SIMULATED_BATCH_S: Final = 5.0

Registered = TypeVar("Registered")


def _openai(settings: Settings) -> Provider:
    check_key_and_address()
    key = settings.openai_api_key.get_secret_value().strip() if settings.openai_api_key else ""
    if not key and not read_address(settings.openai_base_url).is_loopback:
        raise SettingsError(
            "OPENAI_API_KEY is not set. Set it in the environment or in a .env file, or add "
            "--simulate to try everything against the built-in simulator, which needs no key and "
            "costs nothing. A server on this machine needs no key either: set OPENAI_BASE_URL."
        )
    return OpenAIProvider(settings.model, key, settings.openai_base_url, wishes=wishes_of(settings))


PROVIDERS: Final[dict[str, Callable[[Settings], Provider]]] = {
    "openai": _openai,
}
"""Providers by their name in WEIGHBRIDGE_PROVIDER."""


@dataclass(slots=True)
class Engine:
    """A provider, and the supervisor of the engine that asks it."""

    provider: Provider
    supervisor: Supervisor


@asynccontextmanager
async def open_provider(
    settings: Settings,
    simulator: SimulatorConfig | None = None,
    clock: Clock | None = None,
    recording: Recording | None = None,
) -> AsyncIterator[Provider]:
    """The provider of the settings, or the built-in simulator behind the same SDK.

    With a recording its answers are given, and the other provider answers for all other products.

    Raises:
        SettingsError: there is no key.
    """
    provider = _make_provider(settings, simulator, clock or SystemClock())
    if recording is not None:
        provider = RecordedProvider(recording, provider)
    try:
        yield provider
    finally:
        await provider.aclose()


def _make_provider(settings: Settings, simulator: SimulatorConfig | None, clock: Clock) -> Provider:
    if simulator is not None:
        transport = create_app(simulator, clock).transport()
        return OpenAIProvider(
            settings.model,
            "simulated-key",
            "http://simulator.invalid/v1",
            http_client=httpx2.AsyncClient(transport=transport, timeout=300),
            simulated=True,
            wishes=wishes_of(settings),
            clock=clock,
        )
    return registered(PROVIDERS, settings.provider, "WEIGHBRIDGE_PROVIDER")(settings)


def simulator_config(settings: Settings, limits: Limits | None) -> SimulatorConfig:
    """The provider that `--simulate` stands in for: it enforces the limits that we are to keep."""
    limits = limits or Limits(settings.requests_per_minute, settings.tokens_per_minute)
    return SimulatorConfig(
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        latency_s=SIMULATED_LATENCY_S,
        batch_delay_s=SIMULATED_BATCH_S,
        models=_simulated_models(settings.model),
        keeping=Keeping.UNKNOWN,  # it would forget all of it with the process
    )


def _simulated_models(model: str) -> Mapping[str, ModelLimits]:
    """The simulator knows its own list, and the configured model if that has a published price."""
    if model in KNOWN_MODELS or not price_of(model, "openai").known:
        return KNOWN_MODELS
    return {**KNOWN_MODELS, model: LUNA if profile_of(model).marks_cached_prefix else STANDARD}


async def make_engine(
    app: Application,
    provider: Provider,
    *,
    scope: UUID | None = None,
    overrides: Overrides = Overrides(),  # noqa: B008 - frozen
    pictures: PicturesByAddress | None = None,
    anew: bool = False,
) -> Engine:
    """The engine, ready to start. `pictures` replaces the configured source; `anew`: no reuse."""
    questions, manager_id = app.questions, uuid4()
    telemetry.identify(str(manager_id))
    allowances = OutputAllowances(questions.expected_lengths())
    memory = await _recalled(app, provider, allowances)
    governor = Governor(
        database=app.database,
        clock=app.clock,
        account=provider.name,
        manager_id=manager_id,
        random_source=random.Random(),
        overrides=overrides,
        allowances=allowances,
        day=_day_budget(app, provider),
        spending=Spending(provider, pays_priority=app.settings.service_tier == "priority"),
        scope=scope,
        calls_at_once=lambda: provider.calls_at_once,
    )
    database_retry = DatabaseRetry(app.clock, app.database.pool)
    context = EngineContext(
        manager_id=manager_id,
        database=app.database,
        database_retry=database_retry,
        provider=provider,
        questions=questions,
        governor=governor,
        brake=Brake(app.database, database_retry, app.clock, provider, governor),
        memory=memory,
        clock=app.clock,
        random_source=random.Random(),
        pictures=pictures or _picture_source(app),
        reuses_answers=app.settings.reuse_answers and not anew,
        picture_required=app.settings.missing_picture == "fail",
    )
    worker = Worker(context, app.in_use, fetches_replies=app.settings.store_at_provider)
    dispatcher = Dispatcher(
        database=app.database,
        clock=app.clock,
        traffic=governor.traffic,
        overrides=overrides,
        model=provider.model,
        retention_task=RetentionTask(app.database, app.clock, app.settings.retention_days),
        loads=_loads(questions, provider.model),
        context_tokens=lambda: provider.context_tokens,
        variant_finder=_variant_finder(app, provider) if app.settings.variants else None,
        scope=scope,
        why_no_batches=None if provider.batches else why_no_batches(provider),
    )
    lane = _batch_lane(app, context, worker, allowances, overrides, scope)
    notifier = _notifier(app, provider, governor, lane, scope)
    return Engine(provider, Supervisor(context, worker, dispatcher, notifier, lane))


async def _recalled(
    app: Application, provider: Provider, allowances: OutputAllowances
) -> ProviderMemory:
    """Recall what is known of the provider, and let the settings of this process rule."""
    memory = ProviderMemory(app.database, provider, allowances)
    async with app.database.pool.acquire() as connection:
        await memory.recall(connection)
        await budgets.put_all(connection, app.settings.budgets)
        if not app.settings.reuse_answers:
            await earlier_answers.forget_all(connection)
    await memory.save_if_due()
    return memory


def _batch_lane(
    app: Application,
    context: EngineContext,
    worker: Worker,
    allowances: OutputAllowances,
    overrides: Overrides,
    scope: UUID | None,
) -> BatchLane | None:
    service = context.provider.batches
    if service is None:
        return None
    limits = BatchLimits(app.settings.batch_enqueued_tokens, app.settings.batch_tries)
    parts = worker.parts
    return BatchLane(
        context=context,
        service=service,
        preparer=Preparer(context, parts.asker, allowances, service, limits),
        collector=Collector(context, parts.judge, parts.recorder, parts.failures, service),
        failures=parts.failures,
        overrides=overrides,
        scope=scope,
    )


def _notifier(
    app: Application,
    provider: Provider,
    governor: Governor,
    lane: BatchLane | None,
    scope: UUID | None,
) -> Notifier:
    return Notifier(
        app.database,
        app.clock,
        carriers_of(app.settings, app.clock),
        lambda: governor.over_budget or (lane.over_budget if lane else None),
        scope=scope,
        simulated=provider.simulated,
    )


def carriers_of(settings: Settings, clock: Clock) -> list[Carrier]:
    """How the operator wants to be told."""
    carriers: list[Carrier] = []
    if settings.webhook_url and settings.webhook_secret:
        url, secret = settings.webhook_url, settings.webhook_secret
        carriers.append(WebhookCarrier(url.get_secret_value(), secret.get_secret_value(), clock))
    if settings.notify_command:
        command = shlex.split(settings.notify_command)
        carriers.append(CommandCarrier(command, environment_for_programs()))
    return carriers


def _day_budget(app: Application, provider: Provider) -> DayBudget:
    settings = app.settings
    return DayBudget(app.clock, provider.name, settings.requests_per_day, settings.tokens_per_day)


def _picture_source(app: Application) -> PicturesByAddress | None:
    if not app.settings.fetch_images:
        return None
    return PicturesByAddress(PictureFetcher(), PictureDecoder(), app.clock)


def _variant_finder(app: Application, provider: Provider) -> VariantFinder:
    async def able(connection: Connection, stored: Sequence[StoredProduct]) -> Collection[int]:
        return await able_to_answer(connection, stored, app.questions, simulated=provider.simulated)

    return VariantFinder(able)


def _loads(questions: Questions, model: str) -> Loads:
    return Loads(
        together=question_loads([questions.together], questions.steps, model),
        apart=question_loads(questions.alone, questions.steps, model),
    )
