"""What commands and the API work with: database, factors, questions, and what an estimate rests on.

Commands that ask no model load no provider's library and no engine: those are in `wiring.py`.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from weighbridge.clock import Clock, SystemClock
from weighbridge.domain.calls import Lane
from weighbridge.errors import SettingsError
from weighbridge.factor_sources.bundled import BundledFactors, load_taxonomy
from weighbridge.factor_sources.own_factors import OwnFactors, UploadedFile
from weighbridge.planning.models import profile_of
from weighbridge.providers.prices import price_of, read_prices
from weighbridge.providers.requests.address import read_address
from weighbridge.providers.requests.wishes import Wishes
from weighbridge.service.estimates import EstimateBasis, Prices
from weighbridge.service.opening import opened_database
from weighbridge.steps import STEPS, Questions, build_questions
from weighbridge.weighing.factors_in_use import FactorsInUse, LoadedFactors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.domain.calls import Price
    from weighbridge.factor_sources.base import FactorSource
    from weighbridge.limits.limiter import Limits
    from weighbridge.settings import Settings
    from weighbridge.steps.base import Step
    from weighbridge.store.database import Database

Registered = TypeVar("Registered")

COMPARED_TIERS: Final = ("default", "flex", "batch")
"""Service tiers that an estimate compares: answers at once, and cheaper ones that take longer."""

FACTOR_SOURCES: Final[dict[str, Callable[[], FactorSource]]] = {
    "bundled": BundledFactors,
}
"""Value of WEIGHBRIDGE_FACTOR_SOURCE → the source of emission factors that it stands for."""


@dataclass(slots=True)
class Application:
    """Everything that commands and the API work with."""

    settings: Settings
    clock: Clock
    database: Database
    taxonomy: Taxonomy
    factors: FactorTable
    questions: Questions
    in_use: FactorsInUse
    """Gives the factors that are in use now, also after somebody has uploaded others: code that
    runs for long asks this, not `factors`.
    """


@asynccontextmanager
async def open_application(
    settings: Settings,
    clock: Clock | None = None,
    steps: Sequence[type[Step[Any]]] = STEPS,
) -> AsyncIterator[Application]:
    """Open the database and load the factors; close the database at the end.

    Raises:
        DatabaseUnavailable, SchemaTooNew, FactorTableInvalid: as their names say.
    """
    in_use = factors_in_use(settings, steps)
    in_use.load(None)  # a bad file stops the program before the database is started
    async with opened_database(settings) as database:
        async with database.pool.acquire() as connection:
            now = await in_use.refresh(connection)
        made = clock or SystemClock()
        taxonomy = load_taxonomy()
        yield Application(settings, made, database, taxonomy, now.table, now.questions, in_use)


def factors_in_use(settings: Settings, steps: Sequence[type[Step[Any]]] = STEPS) -> FactorsInUse:
    """The factors in use: those of the chosen source, overridden by uploaded ones, and these by the
    file that the settings name.
    """

    def load(uploaded: UploadedFile | None) -> LoadedFactors:
        table = load_factors(settings, uploaded)
        return LoadedFactors(table, build_questions(table.vocabulary(load_taxonomy()), steps))

    return FactorsInUse(load)


def load_factors(settings: Settings, uploaded: UploadedFile | None = None) -> FactorTable:
    """The factors of the chosen source, overridden by uploaded ones, and these by the file that the
    settings name.

    Raises:
        SettingsError, FactorTableInvalid, MissingColumn, UnreadableFile: as their names say.
    """
    source: FactorSource = registered(
        FACTOR_SOURCES, settings.factor_source, "WEIGHBRIDGE_FACTOR_SOURCE"
    )()
    for file in (uploaded, settings.factors):
        source = OwnFactors(file, source) if file else source
    return source.load()


def load_questions(settings: Settings) -> Questions:
    """The questions to the model, with the categories of the taxonomy and the materials of the
    factors as the values it may choose from.
    """
    return build_questions(load_factors(settings).vocabulary(load_taxonomy()))


def registered(table: Mapping[str, Registered], name: str, variable: str) -> Registered:
    """The entry that a setting names.

    Raises:
        SettingsError: there is none.
    """
    if name not in table:
        raise SettingsError(f"{variable} is {name!r}. Choose one of: {', '.join(table)}.")
    return table[name]


def estimate_basis(
    settings: Settings, *, together: bool | None = None, limits: Limits | None = None
) -> EstimateBasis:
    """What an estimate rests on: the questions, the price and the limits of the settings."""
    questions = load_questions(settings)
    wishes = wishes_of(settings)
    at_once = settings.ask_together if together is None else together

    def load_prices() -> Prices:
        name = read_address(settings.openai_base_url).name
        price = price_of(settings.model, name, wishes.prices)
        tiers = {tier: _in_tier(price, tier, settings.model) for tier in COMPARED_TIERS}
        return Prices(price.in_tier(wishes.sent_tier), tiers)

    return EstimateBasis(
        questions=[questions.together] if at_once else questions.alone,
        steps=questions.steps,
        load_prices=load_prices,
        model=settings.model,
        requests_per_minute=limits.requests_per_minute if limits else settings.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute if limits else settings.tokens_per_minute,
        variants=settings.variants,
    )


def _in_tier(price: Price, tier: str, model: str) -> Price:
    """The price in a tier; batches of older models do without the prompt cache."""
    found = price.in_tier(tier)
    if tier != Lane.BATCH or profile_of(model).caches_in_batches:
        return found
    return replace(found, cached_input_usd=found.input_usd, cache_write_usd=None)


def wishes_of(settings: Settings) -> Wishes:
    """What the settings say about calls.

    Raises:
        SettingsError: the table of prices cannot be used.
    """
    form = settings.structured_outputs
    return Wishes(
        effort=settings.reasoning_effort,
        tier=settings.service_tier,
        form=None if form == "auto" else form,
        timeout_s=settings.call_timeout_s,
        prices=read_prices(settings.prices) if settings.prices else None,
    )
