"""The live display during a run, and the table at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rich.box import SIMPLE_HEAD
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
    "SIMULATED: the built-in simulator invented the answers; no model was asked. "
    "The arithmetic and the emission factors are real."
)
RECORDED_NOTE: Final = (
    "RECORDED: a language model gave these answers once, and they were replayed; no model was asked now. "
    "Who gave them, and when, is in the column model of the files."
)
MOST_ROWS: Final = 60
MOST_NOTES: Final = 8
_DETAILS: Final = ("proxy for ", "left out: ", "an attribute was dropped", "no country of origin")
_BAR_WIDTH: Final = 12
_STYLES: Final = {
    ProcessingStatus.PENDING: "dim",
    ProcessingStatus.PROCESSING: "cyan",
    ProcessingStatus.COMPLETED: "green",
    ProcessingStatus.FAILED: "red",
}


def progress_panel(progress: Progress, *, kind: str, note: str = "") -> RenderableType:
    """The live display. `kind`: "simulated" or "recorded" where no model is asked, else ""."""
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
        "cost",
        money(totals.cost_usd) + (f" ({kind})" if kind else ""),
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
    title = f"Weighbridge · {kind.upper()}" if kind else "Weighbridge"
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


def results_table(rows: Sequence[ResultRow], total: int, width: int) -> RenderableType:
    """The results, with a bar for each footprint. Columns that do not fit into `width` are left out."""
    columns = [column for column in _COLUMNS if column.from_width <= width]
    table = Table(
        title=f"Carbon footprints, cradle-to-gate, per unit ({len(rows)} of {total:,} products)",
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
    )
    for column in columns:
        table.add_column(
            column.header,
            justify=column.justify,
            style=column.style,
            min_width=column.min_width,
            max_width=column.max_width,
            overflow="ellipsis",
            no_wrap=True,
        )
    largest = max((row.emissions_kg_co2e or 0.0 for row in rows), default=0.0)
    for row in rows:
        table.add_row(*(column.show(row, largest) for column in columns))
    return table


def notes_worth_reading(rows: Sequence[ResultRow], at_most: int) -> list[str]:
    """One line for each product whose figure should not be used without reading why: its gravest note.

    Proxies and processes that were left out are in the files. The last line says how many more there are.
    """
    grave = [
        f"{row.code}: {note}"
        for row in rows
        if (note := next((n for n in row.notes if not n.startswith(_DETAILS)), None)) is not None
    ]
    more = len(grave) - at_most
    return grave if more <= 0 else [*grave[:at_most], f"… and {more} more, in the files"]


def _kg_co2e(row: ResultRow, _: float) -> RenderableType:
    if row.emissions_kg_co2e is None:
        return Text(row.status.value, style=_STYLES[row.status])
    return significant(row.emissions_kg_co2e, 2)


def _range(row: ResultRow, _: float) -> str:
    if row.low_kg_co2e is None or row.high_kg_co2e is None:
        return ""
    return f"{significant(row.low_kg_co2e, 2)} – {significant(row.high_kg_co2e, 2)}"


def _bar(row: ResultRow, largest: float) -> str:
    """Square root: a spoon stays visible beside a sofa."""
    value = row.emissions_kg_co2e or 0.0
    return "█" * max(1, round(_BAR_WIDTH * math.sqrt(value / largest))) if value > 0 else ""


def _mass(row: ResultRow, _: float) -> str:
    if row.mass_kg is None:
        return ""
    return f"{'~' if row.mass_origin is Origin.INFERRED else ''}{significant(row.mass_kg)}"


def _mostly(row: ResultRow, _: float) -> str:
    if row.error:
        return row.error
    by_name: dict[str, float] = {}
    for contribution, share in zip(row.contributions, row.shares, strict=True):
        name = contribution.label.partition(" (")[0]
        by_name[name] = by_name.get(name, 0.0) + share
    largest = sorted(by_name.items(), key=lambda item: -item[1])[:2]
    return ", ".join(f"{name} {share:.0%}" for name, share in largest if share > 0)


@dataclass(frozen=True, slots=True)
class _Column:
    header: str
    show: Callable[[ResultRow, float], RenderableType]
    from_width: int = 0
    min_width: int | None = None
    max_width: int | None = None
    justify: Literal["left", "right"] = "left"
    style: str = ""


_COLUMNS: Final = (
    _Column("code", lambda row, _: row.code, min_width=10, max_width=14),
    _Column("product", lambda row, _: row.name, min_width=20, max_width=26),
    _Column(
        "category",
        lambda row, _: row.answered.get("subcategory") or "",
        100,
        min_width=14,
        max_width=20,
    ),
    _Column("mass kg", _mass, min_width=7, justify="right"),
    _Column("kg CO2e", _kg_co2e, min_width=8, justify="right", style="bold"),
    _Column("95 % range", _range, 110, min_width=13, justify="right"),
    _Column("", _bar, 80, min_width=_BAR_WIDTH, style="green"),
    _Column("mostly", _mostly, 130, min_width=24, max_width=44, style="dim"),
)


def significant(value: float, digits: int = 3) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    text = f"{rounded:,.10f}".rstrip("0").rstrip(".")
    return text if abs(rounded) < 1e9 else f"{rounded:.3g}"
