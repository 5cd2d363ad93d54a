"""`weighbridge totals`: the total footprint of the catalogue, and the products to check first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from weighbridge.cli.console import DataDirOption, JsonOption, err, out, print_json, run_async
from weighbridge.domain.totals import TotalBy
from weighbridge.export.columns import RECORDED_WARNING, SIMULATED_WARNING
from weighbridge.plain_text import counted, visible
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.domain.totals import CatalogueTotals, RankedProduct

_KG_PER_TONNE = 1_000
_TONNES_FROM_KG = 100
"""A mass of this many kg or more is shown in tonnes."""

ByOption = Annotated[TotalBy, typer.Option(help="What to group products by.")]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="Most groups to show.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("totals")(totals)


def totals(
    by: ByOption = TotalBy.CATEGORY,
    limit: LimitOption = 20,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add up footprints times quantities, by category or otherwise, and list what to check first.

    A product without a quantity counts as one piece. Failed products are not in the total, and are
    named.
    """
    from weighbridge.api.schemas.totals import TotalsView
    from weighbridge.application import open_application
    from weighbridge.service.views.totals import catalogue_totals

    settings = load_settings(data_dir=data_dir)

    async def act() -> CatalogueTotals:
        async with open_application(settings) as app:
            return await catalogue_totals(app.database, app.factors, by=(by,))

    found = run_async(act())
    if as_json:
        print_json(TotalsView.of(found, by, limit).model_dump(mode="json", by_alias=True))
        return
    out.print(Text(_headline(found), style="bold"), soft_wrap=True)
    if found.completed:
        out.print(_groups(found, by, limit))
        out.print(_products("Products that matter most", found.hotspots))
        out.print(
            _products(
                "Check first: these make the total most uncertain (range × quantity)",
                found.check_first,
            )
        )
    _print_warnings(found)


def _headline(found: CatalogueTotals) -> str:
    """The total with its range and number of products, in one sentence."""
    total = (
        f"{_mass(found.total_kg_co2e)} CO2e from {counted(found.completed, 'product')} "
        f"({_mass(found.low_kg_co2e)} to {_mass(found.high_kg_co2e)} if all figures were at their low or high end)"
    )
    if found.without_quantity:
        total += f"; {found.without_quantity:,} without a quantity, counted as one piece each"
    return total


def _groups(found: CatalogueTotals, by: TotalBy, limit: int) -> Table:
    """A table with a row for each of the first `limit` groups; the caption says how many are left
    out.
    """
    table = Table(by.value, title=f"By {by.value}", title_justify="left")
    groups = found.groups[by]
    has_ranges = any(one.low_kg_co2e is not None for one in groups)  # materials have none
    for name in ("products", "total", *(["range"] if has_ranges else []), "share"):
        table.add_column(name, justify="right")
    for one in groups[:limit]:
        low, high = one.low_kg_co2e, one.high_kg_co2e
        span = "" if low is None or high is None else f"{_mass(low)} – {_mass(high)}"
        table.add_row(
            Text(visible(one.name)),
            f"{one.products:,}",
            _mass(one.total_kg_co2e),
            *([span] if has_ranges else []),
            _percent(one.share),
        )
    if len(groups) > limit:
        table.caption = f"and {counted(len(groups) - limit, 'more group')}: raise --limit"
    return table


def _products(title: str, ranked: Sequence[RankedProduct]) -> Table:
    """A table with a row for each product; an unknown quantity is blank, and counts as one unit."""
    table = Table("code", "name", title=title, title_justify="left")
    for name in ("per unit", "quantity", "total", "range × quantity", "share"):
        table.add_column(name, justify="right")
    for one in ranked:
        table.add_row(
            Text(visible(one.code)),
            Text(visible(one.name)),
            _mass(one.emissions_kg_co2e),
            "" if one.quantity is None else f"{one.quantity:,.10g}",
            _mass(one.total_kg_co2e),
            _mass(one.range_kg_co2e),
            _percent(one.share),
        )
    return table


def _print_warnings(found: CatalogueTotals) -> None:
    """Warn on stderr about failed, waiting, simulated and recorded products, if there are any."""
    if found.failed:
        named = ", ".join(visible(one.code) for one in found.missing)
        more = found.failed - len(found.missing)
        rest = f" and {more:,} more" if more > 0 else ""
        err.print(
            f"Missing from the total: {counted(found.failed, 'failed product')} ({named}{rest}).",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    if found.waiting:
        err.print(
            f"Missing from the total: {counted(found.waiting, 'product')} not processed yet.",
            style="yellow",
        )
    for number, warning in (
        (found.simulated, SIMULATED_WARNING),
        (found.recorded, RECORDED_WARNING),
    ):
        if number:
            err.print(f"{counted(number, 'product')}: {warning}", style="red", soft_wrap=True)


def _mass(kg: float) -> str:
    """The mass as a text with two significant digits, in kg or t."""
    in_tonnes = abs(kg) >= _TONNES_FROM_KG
    rounded = float(f"{kg / _KG_PER_TONNE if in_tonnes else kg:.2g}")
    return f"{rounded:,.10g} {'t' if in_tonnes else 'kg'}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
