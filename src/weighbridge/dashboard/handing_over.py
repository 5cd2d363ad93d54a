"""Which files the export offers, and why PACT files cannot be written where they cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import UnsupportedFormat
from weighbridge.export.pact_writer import Company

if TYPE_CHECKING:
    from weighbridge.settings import Settings


def pact_problem(settings: Settings) -> str:
    """What the settings lack for files that hand footprints over as PACT; "" if nothing."""
    try:
        Company.of(settings)
    except UnsupportedFormat as error:
        return str(error)
    return ""
