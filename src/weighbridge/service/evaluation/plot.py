"""Draws computed against published footprints on logarithmic scales, as SVG without any library."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.service.evaluation.scores import ComparedFigure

SIZE, MARGIN = 640, 70
COLOURS: Final = (
    "#00796b",
    "#c2185b",
    "#5c6bc0",
    "#ef6c00",
    "#6d4c41",
    "#455a64",
    "#7cb342",
    "#8e24aa",
)


def scatter(judged: Sequence[ComparedFigure], title: str) -> str:
    """The SVG: a point and a range for each product, and lines where computed is equal to, half or
    double the published footprint.
    """
    values = [v for one in judged for v in (one.emissions_kg_co2e, one.truth.middle_kg_co2e)]
    first = math.floor(math.log10(min(values)))
    last = max(math.ceil(math.log10(max(values))), first + 1)

    def along(value: float) -> float:
        """How far from the scale's beginning a footprint is drawn."""
        return (math.log10(value) - first) / (last - first) * (SIZE - 2 * MARGIN)

    def x(value: float) -> float:
        return MARGIN + along(value)

    def y(value: float) -> float:
        return SIZE - MARGIN - along(value)

    sectors = sorted({one.truth.sector for one in judged})
    colours = {sector: COLOURS[n % len(COLOURS)] for n, sector in enumerate(sectors)}
    low, high = 10.0**first, 10.0**last
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" font-family="sans-serif" font-size="12">',
        f'<rect width="{SIZE}" height="{SIZE}" fill="white"/>',
        f'<text x="{MARGIN}" y="24" font-size="15">{escape(title)}</text>',
    ]
    for power in range(first, last + 1):
        tick = 10.0**power
        parts += [
            f'<line x1="{x(tick):.1f}" y1="{y(low):.1f}" x2="{x(tick):.1f}" y2="{y(high):.1f}" stroke="#ddd"/>',
            f'<line x1="{x(low):.1f}" y1="{y(tick):.1f}" x2="{x(high):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>',
            f'<text x="{x(tick):.1f}" y="{y(low) + 18:.1f}" text-anchor="middle">{tick:g}</text>',
            f'<text x="{x(low) - 6:.1f}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>',
        ]
    for ratio, dashes in ((1.0, ""), (2.0, "4 4"), (0.5, "4 4")):
        start, end = max(low, low / ratio), min(high, high / ratio)
        parts.append(
            f'<line x1="{x(start):.1f}" y1="{y(start * ratio):.1f}" x2="{x(end):.1f}" y2="{y(end * ratio):.1f}"'
            f' stroke="#888" stroke-dasharray="{dashes}"/>'
        )
    for one in judged:
        at, colour = x(one.truth.middle_kg_co2e), colours[one.truth.sector]
        bottom, top = max(one.low_kg_co2e, low), min(one.high_kg_co2e, high)
        parts.append(
            f'<line x1="{at:.1f}" y1="{y(bottom):.1f}" x2="{at:.1f}" y2="{y(top):.1f}" stroke="{colour}" opacity="0.2"/>'
            f'<circle cx="{at:.1f}" cy="{y(one.emissions_kg_co2e):.1f}" r="3" fill="{colour}" opacity="0.8"/>'
        )
    parts += [
        f'<text x="{SIZE / 2}" y="{SIZE - 22}" text-anchor="middle">published, kg CO2e</text>',
        f'<text transform="translate(18 {SIZE / 2}) rotate(-90)" text-anchor="middle">computed, kg CO2e</text>',
    ]
    for n, sector in enumerate(name for name in sectors if name):
        parts.append(
            f'<text x="{x(low) + 8:.1f}" y="{y(high) + 16 + 15 * n:.1f}" fill="{colours[sector]}">{escape(sector)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])
