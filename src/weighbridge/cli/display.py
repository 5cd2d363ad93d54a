"""What a person watches during a run, and the table at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from weighbridge.cli.console import duration, money
from weighbridge.domain.products import ProcessingStatus
from weighbridge.domain.quantities import Origin

if TYPE_CHECKING:
    from weighbridge.export.base import ResultRow
    from weighbridge.service.statistics import Progress

SIMULATED_NOTE: Final = (
    "SIMULATED: the answers were invented by the built-in simulator, not given by a model. "
    "The arithmetic and the emission factors are real."
)
MOST_ROWS: Final = 60
_BAR_WIDTH: Final = 16
_STYLES: Final = {
    ProcessingStatus.PENDING: "dim",
    ProcessingStatus.PROCESSING: "cyan",
    ProcessingStatus.COMPLETED: "green",
    ProcessingStatus.FAILED: "red",
}


def progress_panel(progress: Progress, *, simulated: bool, note: str = "") -> RenderableType:
    """The live display."""
    status, totals = progress.status, progress.totals
    bar = Table.grid(expand=True, padding=(0, 1))
    bar.add_column(ratio=1)
    bar.add_column(justify="right")
    bar.add_row(
        ProgressBar(total=max(progress.total, 1), completed=progress.finished),
        f"{progress.finished:,} of {progress.total:,}",
    )
    states = Text("  ").join(
        Text(f"{state.value} {status.counts[state]:,}", style=style)
        for state, style in _STYLES.items()
    )
    figures = Table.grid(padding=(0, 3))
    figures.add_row(
        "speed",
        f"{progress.products_per_hour:,.0f} products/h",
        "left",
        duration(progress.eta_s),
        "elapsed",
        duration(progress.elapsed_s),
    )
    figures.add_row(
        "requests/min",
        f"{status.used.requests:,} of {status.limits.requests_per_minute:,}",
        "tokens/min",
        f"{status.used.tokens:,} of {status.limits.tokens_per_minute:,}",
        "money",
        money(totals.cost_usd) + (" (simulated)" if simulated else ""),
    )
    figures.add_row(
        "calls",
        f"{totals.calls:,}",
        "429s",
        f"{totals.rate_limited:,}",
        "failed calls",
        f"{totals.failed_calls:,}",
    )
    lines: list[RenderableType] = [bar, states, figures]
    reason = status.state.paused_reason
    if reason:
        lines.append(Text(f"paused: {reason}", style="yellow"))
    if note:
        lines.append(Text(note, style="yellow"))
    title = "Weighbridge · SIMULATED" if simulated else "Weighbridge"
    return Panel(Group(*lines), title=title, title_align="left", border_style="blue")


def progress_line(progress: Progress) -> str:
    """One plain line, for logs and pipes."""
    counts = progress.status.counts
    states = " ".join(f"{state.value}={counts[state]}" for state in ProcessingStatus)
    return (
        f"{progress.finished}/{progress.total} {states} "
        f"rate={progress.products_per_hour:.0f}/h requests/min={progress.status.used.requests} "
        f"tokens/min={progress.status.used.tokens} cost={money(progress.totals.cost_usd)} "
        f"eta={duration(progress.eta_s)}"
    )


def results_table(rows: Sequence[ResultRow], total: int) -> RenderableType:
    """The results, with a bar for each footprint on a common logarithmic scale."""
    done = [row for row in rows if row.emissions_kg_co2e is not None]
    table = Table(
        title=f"Carbon footprints, cradle-to-gate, per unit ({len(rows)} of {total:,} products)",
        title_justify="left",
        header_style="bold",
        row_styles=["", "dim"],
    )
    table.add_column("code", no_wrap=True)
    table.add_column("product", max_width=30, overflow="ellipsis", no_wrap=True)
    table.add_column("category", max_width=26, overflow="ellipsis", no_wrap=True)
    table.add_column("mass kg", justify="right", no_wrap=True)
    table.add_column("kg CO2e", justify="right", style="bold", no_wrap=True)
    table.add_column("95 % range", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=_BAR_WIDTH)
    table.add_column("mostly", max_width=34, overflow="ellipsis", no_wrap=True)
    largest = max((row.emissions_kg_co2e or 0.0 for row in done), default=0.0)
    for row in rows:
        if row.emissions_kg_co2e is None:
            table.add_row(
                row.code,
                row.name,
                Text(row.status.value, style=_STYLES[row.status]),
                "",
                "–",
                "",
                "",
                row.error or "",
            )
            continue
        table.add_row(
            row.code,
            row.name,
            row.subcategory or "",
            _mass(row),
            significant(row.emissions_kg_co2e),
            f"{significant(row.low_kg_co2e or 0.0)} – {significant(row.high_kg_co2e or 0.0)}",
            Text("█" * _bar_length(row.emissions_kg_co2e, largest), style="green"),
            _mostly(row),
        )
    return table


def _mass(row: ResultRow) -> str:
    mark = "~" if row.mass_origin is Origin.INFERRED else ""
    return f"{mark}{significant(row.mass_kg or 0.0)}"


def _bar_length(value: float, largest: float) -> int:
    """Square root: a spoon stays visible beside a sofa."""
    if largest <= 0 or value <= 0:
        return 0
    return max(1, round(_BAR_WIDTH * math.sqrt(value / largest)))


def _mostly(row: ResultRow) -> str:
    total = row.emissions_kg_co2e or 0.0
    by_label: dict[str, float] = {}
    for contribution in row.contributions:
        by_label[contribution.label] = (
            by_label.get(contribution.label, 0.0) + contribution.emissions_kg_co2e
        )
    largest = sorted(by_label.items(), key=lambda item: -item[1])[:2]
    return ", ".join(f"{label} {value / total:.0%}" for label, value in largest if total > 0)


def significant(value: float, digits: int = 3) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    text = f"{rounded:,.10f}".rstrip("0").rstrip(".")
    return text if abs(rounded) < 1e9 else f"{rounded:.3g}"
