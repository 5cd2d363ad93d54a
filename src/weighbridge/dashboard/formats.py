"""Writes figures as texts for people. Pure; used as filters in templates and for live updates."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from weighbridge import plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.service.processing_stats import CallFigures

NOTHING: Final = "–"


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separators: 1,204; a dash for None."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def significant(value: float | None, digits: int = 2) -> str:
    """A number to so many significant digits, as on the terminal: 0.012, 1.2, 1,200."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return plain_text.significant(value, digits)


def kilograms(value: float | None, digits: int = 2) -> str:
    """A mass in kilograms written in the unit that suits it: g, kg, t or kt."""
    if value is None:
        return NOTHING
    unit, size = _unit_of(value)
    return f"{significant(value / size, digits)} {unit}"


def mass(value: float | None) -> str:
    """A product's mass in kilograms, to four digits: its catalogue may have given as many."""
    return kilograms(value, 4)


def span(low: float | None, high: float | None) -> str:
    """A range of masses in kilograms, both written in the unit of the larger: 0.061 – 2.7 kg."""
    if low is None or high is None:
        return NOTHING
    unit, size = _unit_of(high)
    return f"{significant(low / size)} – {significant(high / size)} {unit}"


def moved(before: float, after: float) -> str:
    """ "from … to … CO2e" for two masses in kilograms, with as many digits as they need to
    differ.
    """
    written = "", ""
    for digits in range(2, 8):
        written = kilograms(before, digits), kilograms(after, digits)
        if written[0] != written[1]:
            break
    return f"from {written[0]} to {written[1]} CO2e"


def _unit_of(value: float) -> tuple[str, float]:
    """(the unit that suits a mass in kilograms, the kilograms of one such unit)."""
    size = abs(value)
    if size >= 1_000_000:
        return "kt", 1_000_000
    if size >= 1_000:
        return "t", 1_000
    return ("kg", 1) if size >= 0.1 or size == 0 else ("g", 0.001)


def dollars(value: float | None) -> str:
    """An amount of US dollars: in cents, or with four decimals below 10 cents."""
    if value is None:
        return NOTHING
    if value and abs(value) < 0.00005:
        return "<$0.0001"
    if value and abs(value) < 0.1:
        return f"${value:,.4f}"
    return f"${value:,.2f}"


def cost(figures: CallFigures) -> str:
    """The cost of some calls in dollars; says "unknown" if some of their prices are not known."""
    if not figures.unpriced_calls:
        return dollars(figures.cost_usd)
    return f"{dollars(figures.cost_usd)} + unknown" if figures.cost_usd else "unknown"


def percent(share: float | None, digits: int = 1) -> str:
    """A share from 0 to 1 in percent."""
    if share is None:
        return NOTHING
    return f"{share * 100:,.{digits if share else 0}f} %"


def change(share: float | None) -> str:
    """A relative change, 0.125 for +12.5 %, in percent with its sign; no sign for no change."""
    return NOTHING if share is None else f"{share * 100:{'+' if round(share, 3) else ''},.1f} %"


def seconds(value: float | None) -> str:
    """A duration in seconds written in the unit that suits it: ms, s, min, h or days."""
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
    """A time as an HTML element in UTC; the page's script rewrites it in the reader's time zone."""
    if value is None:
        return Markup(NOTHING)  # noqa: S704 - a constant
    written = value.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), written)


def quantity(value: float | None) -> str:
    """A number of pieces with all the digits that were given."""
    return significant(value, 12)


def words(name: str) -> str:
    """The name of a thing in a program as words: `bill_of_materials` → `Bill of materials`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def answer(value: Any, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """A value of a model's answer, or of its correction, as text.

    `names` has the names for people of the keys that the value may contain.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(answer(each, names) for each in value) or "nothing"
    if isinstance(value, dict) and "process" in value:
        known = (
            f"{name.replace('_', ' ')} {answer(each)}"
            for name, each in value.items()
            if name != "process"
        )
        named, facts = answer(value["process"], names), "; ".join(known)
        return f"{named} ({facts})" if facts else named
    if isinstance(value, dict):
        return " ".join(answer(each, names) for each in value.values()) or "nothing"
    return names.get(str(value), str(value)) or "nothing"


def proxies_apart(notes: Sequence[str]) -> tuple[list[str], list[str]]:
    """(notes on proxy factors, the other notes): a laptop has twenty of the first kind."""
    proxies = [note for note in notes if note.startswith("proxy for ")]
    return proxies, [note for note in notes if note not in proxies]


FILTERS: Final = {
    "answer": answer,
    "proxies_apart": proxies_apart,
    "change": change,
    "number": number,
    "significant": significant,
    "kilograms": kilograms,
    "mass": mass,
    "span": span,
    "quantity": quantity,
    "cost": cost,
    "dollars": dollars,
    "percent": percent,
    "seconds": seconds,
    "moment": moment,
    "words": words,
}
