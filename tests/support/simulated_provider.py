"""Our provider over the real SDK, with the simulator in the same process as its network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2

from weighbridge.providers.openai import OpenAIProvider
from weighbridge.simulator.app import create_app

if TYPE_CHECKING:
    from weighbridge.clock import Clock
    from weighbridge.simulator.app import Simulator
    from weighbridge.simulator.config import SimulatorConfig

SIMULATOR_URL: Final = "http://simulator.invalid/v1"


def simulated_provider(
    config: SimulatorConfig,
    clock: Clock,
    *,
    model: str = "gpt-4.1-mini",
    key: str = "sk-simulated-0123456789",
    timeout_s: float = 120.0,
) -> tuple[OpenAIProvider, Simulator]:
    """The provider, and the simulator for a look at its books. Close the provider when done."""
    simulator = create_app(config, clock)
    client = httpx2.AsyncClient(transport=simulator.transport())
    provider = OpenAIProvider(
        model, key, SIMULATOR_URL, http_client=client, timeout_s=timeout_s, simulated=True
    )
    return provider, simulator
