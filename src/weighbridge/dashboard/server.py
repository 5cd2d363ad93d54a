"""What the dashboard needs of the server that it is part of.

The server's own context has it all.
"""

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
        """Its name."""
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
        """The factors as they were at the last look."""
        ...

    @property
    def steps(self) -> Steps:
        """The steps over the lists of these factors."""
        ...

    async def follow_factors(self) -> None:
        """Take the factors that count now."""
        ...

    @property
    def provenance(self) -> AnsweredBy:
        """Who answers."""
        ...
