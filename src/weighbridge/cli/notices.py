"""Shows the provider's notices before any money is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge import telemetry

if TYPE_CHECKING:
    from weighbridge.providers.base import Provider


def say_notices(provider: Provider) -> None:
    """Log a warning for each notice, such as the day on which the model is shut down."""
    for notice in provider.notices:
        telemetry.warning("provider_notice", f"⚠️ {notice}", notice=notice)
