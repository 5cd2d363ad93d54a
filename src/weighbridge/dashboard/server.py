"""What the dashboard needs of the server that it is part of; the server's context provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from weighbridge.carbon.factors import FactorTable
    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.clock import Clock
    from weighbridge.service.access.gate import Gate
    from weighbridge.service.access.storing import StoringUploads
    from weighbridge.service.access.throttle import LoginThrottle
    from weighbridge.service.events import EventHub
    from weighbridge.service.opening import Database
    from weighbridge.service.processing_stats import StatisticsReader
    from weighbridge.settings import Settings
    from weighbridge.steps import Steps
    from weighbridge.weighing.factors_in_use import FactorsInUse


class AnsweredBy(Protocol):
    """The provider and model that this server's worker uses."""

    @property
    def provider(self) -> str:
        """The provider's name."""
        ...

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether the built-in simulator answers."""
        ...


class ServerContext(Protocol):
    """The server's context, as far as pages use it."""

    settings: Settings
    clock: Clock
    database: Database
    taxonomy: Taxonomy
    events: EventHub
    statistics: StatisticsReader
    gate: Gate
    throttle: LoginThrottle
    in_use: FactorsInUse
    storing: StoringUploads

    @property
    def factors(self) -> FactorTable:
        """The factors in use when `follow_factors` was last called."""
        ...

    @property
    def steps(self) -> Steps:
        """The steps, whose lists of materials and processes are those of these factors."""
        ...

    async def follow_factors(self) -> None:
        """Read which factors are in use now, and take these."""
        ...

    @property
    def provenance(self) -> AnsweredBy:
        """The provider and model that answer."""
        ...
