"""How figures are written for people. Pure; used as filters in templates and for live updates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from weighbridge.service.processing_stats import CallFigures

NOTHING: Final = "–"


def number(value: float | None, digits: int = 0) -> str:
    """1,204 — a dash where there is none."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def significant(value: float | None, digits: int = 3) -> str:
    """Three significant digits, never in exponents: 0.0123, 1.23, 1,230."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    places = digits - 1 - math.floor(math.log10(abs(rounded)))  # 0.9999 has become 1
    return f"{rounded:,.{max(places, 0)}f}"


def kilograms(value: float | None) -> str:
    """A mass with the unit that suits it: g, kg or t."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size >= 1_000_000:
        return f"{significant(value / 1_000_000)} kt"
    if size >= 1_000:
        return f"{significant(value / 1_000)} t"
    if size >= 0.1 or size == 0:
        return f"{significant(value)} kg"
    return f"{significant(value * 1_000)} g"


def dollars(value: float | None) -> str:
    """US dollars: cents, or four digits where a call costs less than that."""
    if value is None:
        return NOTHING
    if value and abs(value) < 0.1:
        return f"${value:,.4f}"
    return f"${value:,.2f}"


def cost(figures: CallFigures) -> str:
    """The dollars of some calls, as far as their prices are known."""
    if not figures.unpriced_calls:
        return dollars(figures.cost_usd)
    return f"{dollars(figures.cost_usd)} + unknown" if figures.cost_usd else "unknown"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as per cent."""
    return NOTHING if share is None else f"{share * 100:,.{digits}f} %"


def change(share: float | None) -> str:
    """By how much something moved: +12.5 %, -3.0 %; no sign where it did not."""
    return NOTHING if share is None else f"{share * 100:{'+' if round(share, 3) else ''},.1f} %"


def seconds(value: float | None) -> str:
    """A duration in the unit that suits it."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{value * 1000:,.0f} ms"
    if value < 90:
        return f"{value:,.1f} s" if value < 10 else f"{value:,.0f} s"
    if value < 5_400:
        return f"{value / 60:,.0f} min"
    if value < 172_800:
        return f"{value / 3_600:,.1f} h"
    return f"{value / 86_400:,.0f} days"


def moment(value: datetime | None) -> Markup:
    """A point in time; the page's script writes it in the reader's own zone."""
    if value is None:
        return Markup(NOTHING)  # noqa: S704 - a constant
    written = value.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), written)


def words(name: str) -> str:
    """`bill_of_materials` → `Bill of materials`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def answer(value: Any) -> str:
    """A value of an answer, before or after a correction."""
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(answer(each) for each in value) or "nothing"
    if isinstance(value, dict):
        return " ".join(answer(each) for each in value.values())
    return str(value) or "nothing"


def proxies_apart(notes: Sequence[str]) -> tuple[list[str], list[str]]:
    """(notes on factors of something similar, the others): a laptop has twenty of the first."""
    proxies = [note for note in notes if note.startswith("proxy for ")]
    return proxies, [note for note in notes if note not in proxies]


FILTERS: Final = {
    "answer": answer,
    "proxies_apart": proxies_apart,
    "change": change,
    "number": number,
    "significant": significant,
    "kilograms": kilograms,
    "cost": cost,
    "dollars": dollars,
    "percent": percent,
    "seconds": seconds,
    "moment": moment,
    "words": words,
}
