"""Draws how full the quota was: what counted in the last 60 s, second by second, against the limit.

Used by `quota.py --plot FILE.svg`. Plain SVG, so that nothing needs to be installed for it.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 40
COLOURS = ("#00796b", "#c2185b", "#5c6bc0", "#ef6c00")
STEP_S = 0.5


def last_minutes(charges: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """(second, what was charged in the 60 s before it) from (second, charge), from first to
    last.
    """
    ordered = sorted(charges)
    moments = [at_s for at_s, _ in ordered]
    sums = [0, *accumulate(amount for _, amount in ordered)]
    seconds = [step * STEP_S for step in range(int(moments[-1] / STEP_S) + 2)]
    return [
        (s, sums[bisect_right(moments, s)] - sums[bisect_right(moments, s - 60)]) for s in seconds
    ]


def draw(title: str, limit: int, runs: Mapping[str, Sequence[tuple[float, int]]]) -> str:
    """The SVG of some runs against their limit."""
    lines = {name: last_minutes(charges) for name, charges in runs.items()}
    end_s = max(line[-1][0] for line in lines.values())
    top = limit * 1.1

    def x(second: float) -> float:
        return LEFT + second / end_s * (WIDTH - LEFT - RIGHT)

    def y(amount: float) -> float:
        return HEIGHT - BOTTOM - amount / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{title}</text>',
        (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(limit):.1f}" y2="{y(limit):.1f}"'
            ' stroke="black" stroke-dasharray="5 4"/>'
        ),
        f'<text x="{LEFT - 6}" y="{y(limit) + 4:.1f}" text-anchor="end">{limit:,}</text>',
        f'<text x="{LEFT - 6}" y="{y(0) + 4:.1f}" text-anchor="end">0</text>',
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="black"/>',
    ]
    parts += [
        f'<text x="{x(minute * 60):.1f}" y="{HEIGHT - 20}" text-anchor="middle">{minute} min</text>'
        for minute in range(int(end_s // 60) + 1)
    ]
    for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
        points = " ".join(f"{x(second):.1f},{y(amount):.1f}" for second, amount in line)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
        offset = list(lines).index(name) * 150
        parts.append(f'<text x="{LEFT + 300 + offset}" y="20" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])
