"""`weighbridge explain CODE`: shows as a tree how a product's figure is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from weighbridge.cli.console import DataDirOption, JsonOption, out, print_json, run_async
from weighbridge.domain.results import RouteName
from weighbridge.plain_text import significant
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.carbon.explanation import ExplainedRoute, ExplainedTerm, Narrowing
    from weighbridge.service.desk.explaining import ExplainedProduct


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    code: Annotated[
        str,
        typer.Argument(
            help="The product's code; one that begins with a hyphen goes behind --.",
            show_default=False,
        ),
    ],
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a product's figure is computed: routes, lines, factors, and what would narrow the
    range.
    """
    from weighbridge.api.schemas.explanation import ProductExplanation
    from weighbridge.application import open_application
    from weighbridge.service.desk.explaining import explain_product

    settings = load_settings(data_dir=data_dir)

    async def act() -> ExplainedProduct:
        async with open_application(settings) as app:
            return await explain_product(app.database, app.questions.steps, code)

    found = run_async(act())
    if as_json:
        view = ProductExplanation.model_validate(found, from_attributes=True)
        print_json(view.model_dump(mode="json"))
    else:
        out.print(_tree(found))


def _tree(found: ExplainedProduct) -> Tree:
    """The explanation as a tree: the figure at the root, then arithmetic, routes, what would narrow
    the range, and notes.
    """
    figure = found.explanation
    tree = Tree(
        Text(
            f"{found.code}  {found.name}\n"
            f"{significant(figure.emissions_kg_co2e)} kg CO2e per unit, {found.boundary}, 95 % range "
            f"{significant(figure.low_kg_co2e)} to {significant(figure.high_kg_co2e)}{_range_factor_text(figure.range_factor)}\n"
            f"{found.category} > {found.subcategory}; {figure.mass}; decided by: "
            f"{found.decided_by or 'the bill'}",
            style="bold",
        )
    )
    if found.simulated:
        use = (
            "the figure does not rest on them"
            if found.decided_by == RouteName.SUPPLIER
            else "do not use the figure"
        )
        tree.add(Text(f"SIMULATED: the simulator invented the answers; {use}", style="red"))
    tree.add(Text(figure.arithmetic))
    if found.remark:
        tree.add(Text(f"When it last changed: {found.remark}"))
    for route in figure.routes:
        _add_route(tree, route)
    if figure.narrowing:
        narrowing = tree.add(Text("What would narrow the range most", style="bold"))
        for each in figure.narrowing:
            narrowing.add(Text(_narrowing_text(each)))
    if found.notes:
        notes = tree.add(Text("Notes", style="bold"))
        for note in found.notes:
            notes.add(Text(note))
    tree.add(Text(f"method {found.method}; factors {found.factors}; answers by {found.model}"))
    return tree


def _add_route(tree: Tree, route: ExplainedRoute) -> None:
    """Add a branch for the route, below it one for each line, and below that the line's terms."""
    branch = tree.add(
        Text(
            f"{route.name}: {significant(route.emissions_kg_co2e, 4)} kg CO2e ({significant(route.low_kg_co2e)} to "
            f"{significant(route.high_kg_co2e)}), weight {route.weight:.0%}; {route.basis}",
            style="bold",
        )
    )
    for line in route.lines:
        leaf = branch.add(
            Text(
                f"{line.title}: {significant(line.emissions_kg_co2e, 4)} kg CO2e, {line.share:.0%} of the "
                "figure"
            )
        )
        for term in line.terms:
            leaf.add(Text(_term_text(term)))


def _term_text(term: ExplainedTerm) -> str:
    source = ", ".join(filter(None, (term.source, term.source_id)))
    of_source = "; ".join(filter(None, (source, term.year, term.region, term.licence)))
    return f"{term.label} [{', '.join(term.marks)}]\n{term.arithmetic}\n{of_source}"


def _narrowing_text(each: Narrowing) -> str:
    then = (
        ""
        if each.range_factor is None
        else f" (the range is then ÷ and × {significant(each.range_factor)})"
    )
    return f"{each.what}{then}"


def _range_factor_text(range_factor: float | None) -> str:
    return "" if range_factor is None else f" (÷ and × {significant(range_factor)})"
