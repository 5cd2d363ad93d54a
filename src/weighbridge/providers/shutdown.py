"""Warns of the day on which a model is shut down, and refuses the model from then on.

The day comes from the provider (`shutdown_date` of GET /v1/models/{model}), else from the table of
models: https://developers.openai.com/api/docs/deprecations. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from weighbridge.planning.models import profile_of

WARNED_BEFORE_DAYS: Final = 90
"""How many days before the shutdown of a model the warning of it begins."""


@dataclass(frozen=True, slots=True)
class ShutdownNotice:
    """A message about a model's shutdown. `is_over`: the day has come, the model no longer
    answers.
    """

    text: str
    is_over: bool = False


def shutdown_notice(
    model: str, stated: object, today: date, *, provider: str
) -> ShutdownNotice | None:
    """The notice of this model's shutdown; None if none is known, or before the last 90 days.

    `stated` is what the provider gives as `shutdown_date`.
    """
    known = profile_of(model).shutdown
    on = _date_of(stated) or (known.on if known and provider == "openai" else None)
    if on is None or (on - today).days > WARNED_BEFORE_DAYS:
        return None
    successor = known.successor if known else None
    remedy = (
        f"Set WEIGHBRIDGE_MODEL to {successor}, which the provider recommends in its place."
        if successor
        else "Set WEIGHBRIDGE_MODEL to another model (see https://developers.openai.com/api/docs/deprecations)."
    )
    if on > today:
        return ShutdownNotice(f"{model} will be shut down on {on.isoformat()}. {remedy}")
    return ShutdownNotice(f"{model} was shut down on {on.isoformat()}. {remedy}", is_over=True)


def _date_of(stated: object) -> date | None:
    """The date at the start of a text in ISO form; None for anything else."""
    try:
        return date.fromisoformat(stated[:10]) if isinstance(stated, str) else None
    except ValueError:
        return None
