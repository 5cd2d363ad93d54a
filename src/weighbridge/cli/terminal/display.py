"""The live display during a run, and the table at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from weighbridge.cli.console import batch_words, duration, money
from weighbridge.domain.products import ProcessingStatus
from weighbridge.domain.quantities import Origin
from weighbridge.plain_text import counted, significant

if TYPE_CHECKING:
    from weighbridge.engine.quota.permits import Held
    from weighbridge.export.base import ResultRow
    from weighbridge.service.statistics import Progress

SIMULATED_NOTE: Final = (
    "SIMULATED: the built-in simulator invented the answers; no model was asked. "
    "The arithmetic and the emission factors are real."
)
RECORDED_NOTE: Final = (
    "RECORDED: these answers were replayed from a recording; no model was asked in this run. The "
    "column model of the files says which model gave them, and when."
)
MOST_ROWS: Final = 60
"""How many products the table at the end shows, and how many failed products are listed below it,
at most.
"""
MOST_NOTES: Final = 8
"""For how many products a note is printed, at most."""
_DETAILS: Final = ("proxy for ", "left out: ", "an attribute was dropped", "no country of origin")
_BAR_WIDTH: Final = 10
"""How many characters wide the longest bar is."""
_EIGHTHS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_GAP: Final = 2
"""How many characters are left free between two columns."""
_LEAST_WIDTH: Final = 8
"""How many characters wide a column stays, at least, when it is narrowed."""
_STYLES: Final = {
    ProcessingStatus.PENDING: "dim",
    ProcessingStatus.PROCESSING: "cyan",
    ProcessingStatus.COMPLETED: "green",
    ProcessingStatus.FAILED: "red",
}


def progress_panel(progress: Progress, *, kind: str, held: Held | None = None) -> RenderableType:
    """The live display of a run.

    `kind` is "simulated" or "recorded" if no model is asked, else "". `held` is the rate limit for
    which all calls wait, if any.
    """
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
        money(totals.cost_usd, totals.unpriced_calls) + (f" ({kind})" if kind else ""),
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
    if waits := waiting(progress, held):
        lines.append(Text(waits, style="cyan"))
    title = f"Weighbridge · {kind.upper()}" if kind else "Weighbridge"
    return Panel(Group(*lines), title=title, title_align="left", border_style="blue")


def waiting(progress: Progress, held: Held | None) -> str:
    """What all calls wait for at the moment (the next batch, a limit, batches at the provider), as
    a text; empty if nothing.
    """
    if progress.batch_wait_s is not None:
        return f"next batch in {duration(progress.batch_wait_s)}"
    if held is not None:
        return f"waiting for the {held.limit}, {duration(max(held.left_s, 1))}"
    return batch_words(progress.status.batches, progress.status.as_of)


def progress_line(progress: Progress, held: Held | None = None) -> str:
    """The progress in one plain line, for logs and pipes."""
    counts = progress.status.counts
    waits = waiting(progress, held)
    states = " ".join(f"{state.value}={counts[state]}" for state in ProcessingStatus)
    return (
        f"{progress.finished}/{progress.total} {states} rate={progress.products_per_hour:.0f}/h "
        f"requests/min={progress.status.used.requests} tokens/min={progress.status.used.tokens} "
        f"cost={money(progress.totals.cost_usd, progress.totals.unpriced_calls)} "
        f"eta={duration(progress.eta_s)}{f' ({waits})' if waits else ''}"
    )


def results_table(rows: Sequence[ResultRow], total: int, width: int) -> RenderableType:
    """The table of results, with a bar for each footprint.

    Columns that do not fit into `width` characters are left out.
    """
    columns = [column for column in _COLUMNS if column.from_width <= width]
    largest = max((row.emissions_kg_co2e or 0.0 for row in rows), default=0.0)
    cells = [[column.show(row, largest) for column in columns] for row in rows]
    table = Table(
        title=f"Carbon footprints, cradle-to-gate, per unit ({len(rows)} of {total:,} products, largest first)",
        title_justify="left",
        caption=f"Bars are linear: a full one is {significant(largest)} kg CO2e."
        if largest
        else None,
        caption_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column, column_width in zip(columns, _widths(columns, cells, width), strict=True):
        table.add_column(
            column.header,
            justify=column.justify,
            style=column.style,
            width=column_width,
            overflow="ellipsis",
            no_wrap=True,
        )
    for row in cells:
        table.add_row(*row)
    return table


def notes_worth_reading(rows: Sequence[ResultRow], at_most: int) -> list[str]:
    """At most `at_most` lines: for each product its first note that matters for the use of its
    figure, then how many more there are.

    Notes on details, such as proxies, are only in the files.
    """
    grave = [
        f"{row.code}: {note}"
        for row in rows
        if (note := next((n for n in row.notes if not n.startswith(_DETAILS)), None)) is not None
    ]
    more = len(grave) - at_most
    rest = f"… and {counted(more, 'more note')}, in the files"
    return grave if more <= 0 else [*grave[:at_most], rest]


def _widths(columns: Sequence[_Column], cells: Sequence[Sequence[Text]], width: int) -> list[int]:
    """The width of each column in characters. Figures are never cut; names share what is left."""
    needed = [
        max([cell_len(column.header), *(row[n].cell_len for row in cells)])
        for n, column in enumerate(columns)
    ]
    widths = [
        min(need, column.at_most) if column.at_most else need
        for column, need in zip(columns, needed, strict=True)
    ]
    left = width - _GAP * (len(columns) - 1) - sum(widths)
    shares = sum(column.share for column in columns)
    if left < 0:
        for n, column in enumerate(columns):
            widths[n] = (
                max(_LEAST_WIDTH, widths[n] + left * column.share // shares)
                if column.share
                else widths[n]
            )
    return widths


def _kg_co2e(row: ResultRow, _: float) -> Text:
    if row.emissions_kg_co2e is None:
        return Text(row.status.value, style=_STYLES[row.status])
    return Text(significant(row.emissions_kg_co2e))


def _range(row: ResultRow, _: float) -> Text:
    if row.low_kg_co2e is None or row.high_kg_co2e is None:
        return Text()
    return Text(f"{significant(row.low_kg_co2e)} – {significant(row.high_kg_co2e)}")


def _bar(row: ResultRow, largest: float) -> Text:
    """A bar of up to `_BAR_WIDTH` characters, as long as the footprint is large, to an eighth of a
    character.
    """
    value = row.emissions_kg_co2e or 0.0
    if value <= 0:
        return Text()
    whole, eighths = divmod(round(8 * _BAR_WIDTH * value / largest), 8)
    return Text("█" * whole + _EIGHTHS[eighths])


def _mass(row: ResultRow, _: float) -> Text:
    """The mass in kg: three digits if it was given; an inferred one is rounded and marked "~"."""
    if row.mass_kg is None:
        return Text()
    if row.mass_origin is Origin.INFERRED:
        return Text(f"~{significant(row.mass_kg)}")
    return Text(significant(row.mass_kg, 3))


def _mostly(row: ResultRow, _: float) -> Text:
    """The two largest contributions with their shares; for a failed product its error."""
    if row.error:
        return Text(row.error)
    by_name: dict[str, float] = {}
    for contribution, share in zip(row.contributions, row.shares, strict=True):
        name = contribution.label.partition(" (")[0]
        by_name[name] = by_name.get(name, 0.0) + share
    largest = sorted(by_name.items(), key=lambda item: -item[1])[:2]
    return Text(", ".join(f"{name} {share:.0%}" for name, share in largest if share > 0))


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table of results.

    `show` gives the cell of a row, and is also passed the largest footprint. The column is left out
    if the terminal has fewer than `from_width` characters. `at_most` bounds its width. In a narrow
    terminal it is made narrower by its `share` of what is missing; 0: never.
    """

    header: str
    show: Callable[[ResultRow, float], Text]
    from_width: int = 0
    at_most: int | None = None
    share: int = 0
    justify: Literal["left", "right"] = "left"
    style: str = ""


_COLUMNS: Final = (
    _Column("code", lambda row, _: Text(row.code), at_most=14, share=1),
    _Column("product", lambda row, _: Text(row.name), at_most=26, share=3),
    _Column(
        "category",
        lambda row, _: Text(row.answered.get("subcategory") or ""),
        at_most=20,
        share=2,
    ),
    _Column("mass kg", _mass, 100, justify="right"),
    _Column("kg CO2e", _kg_co2e, justify="right", style="bold"),
    _Column("95 % range", _range, justify="right"),
    _Column("", _bar, 70, style="green"),
    _Column("mostly", _mostly, 130, at_most=44, share=3, style="dim"),
)
