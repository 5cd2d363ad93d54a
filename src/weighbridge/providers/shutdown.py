"""Warns of the day on which a model is shut down, and refuses it from then on.

The day comes from the provider (`shutdown_date` of GET /v1/models/{model}), else from the table of
models: https://developers.openai.com/api/docs/deprecations. Pure.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from weighbridge.errors import ModelUnknown
from weighbridge.planning.models import profile_of

WARNED_BEFORE_DAYS: Final = 90


def shutdown_notice(model: str, stated: object, today: date, *, provider: str) -> str | None:
    """What to tell about this model's end; None while it is far off, or not known.

    Raises:
        ModelUnknown: the provider itself says that the day has come.
    """
    known = profile_of(model).shutdown
    on = _date_of(stated) or (known.on if known and provider == "openai" else None)
    if on is None:
        return None
    successor = known.successor if known else None
    remedy = (
        f"Set WEIGHBRIDGE_MODEL to {successor}, which the provider recommends in its place."
        if successor
        else "Set WEIGHBRIDGE_MODEL to another one: https://developers.openai.com/api/docs/deprecations."
    )
    days = (on - today).days
    if days > WARNED_BEFORE_DAYS:
        return None
    if days > 0:
        return f"{model} is shut down on {on.isoformat()}, in {days} days. {remedy}"
    raise ModelUnknown(f"{model} was shut down on {on.isoformat()}. {remedy}")


def _date_of(stated: object) -> date | None:
    try:
        return date.fromisoformat(stated[:10]) if isinstance(stated, str) else None
    except ValueError:
        return None
