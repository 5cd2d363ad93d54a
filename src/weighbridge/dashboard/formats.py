"""How figures are written for people. Pure; used as filters in templates and for live updates."""

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
    """1,204 — a dash where there is none."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def significant(value: float | None, digits: int = 2) -> str:
    """As many digits as a figure is good for, as on the terminal: 0.012, 1.2, 1,200."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return plain_text.significant(value, digits)


def kilograms(value: float | None, digits: int = 2) -> str:
    """A mass of CO2e with the unit that suits it: g, kg, t or kt."""
    if value is None:
        return NOTHING
    unit, size = _unit_of(value)
    return f"{significant(value / size, digits)} {unit}"


def mass(value: float | None) -> str:
    """What a product weighs, with the digits that its catalogue may have given."""
    return kilograms(value, 4)


def span(low: float | None, high: float | None) -> str:
    """From one mass of CO2e to another, both in the unit of the larger: 0.061 – 2.7 kg."""
    if low is None or high is None:
        return NOTHING
    unit, size = _unit_of(high)
    return f"{significant(low / size)} – {significant(high / size)} {unit}"


def moved(before: float, after: float) -> str:
    """From one mass of CO2e to another, with the digits that it takes to tell them apart."""
    written = "", ""
    for digits in range(2, 8):
        written = kilograms(before, digits), kilograms(after, digits)
        if written[0] != written[1]:
            break
    return f"from {written[0]} to {written[1]} CO2e"


def _unit_of(value: float) -> tuple[str, float]:
    """The unit that suits a mass in kilograms, and how many kilograms it has."""
    size = abs(value)
    if size >= 1_000_000:
        return "kt", 1_000_000
    if size >= 1_000:
        return "t", 1_000
    return ("kg", 1) if size >= 0.1 or size == 0 else ("g", 0.001)


def dollars(value: float | None) -> str:
    """US dollars: cents, or four digits where a call costs less than that."""
    if value is None:
        return NOTHING
    if value and abs(value) < 0.00005:
        return "<$0.0001"
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
    if share is None:
        return NOTHING
    return f"{share * 100:,.{digits if share else 0}f} %"


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


def quantity(value: float | None) -> str:
    """How many pieces: as given."""
    return significant(value, 12)


def words(name: str) -> str:
    """`bill_of_materials` → `Bill of materials`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def answer(value: Any, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """A value of an answer, before or after a correction; `names` of keys that it may have."""
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
