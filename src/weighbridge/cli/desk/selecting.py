"""Finds the products that a command is about, by their codes or by a filter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.errors import InputError, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.store.database import Database

CodesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="The codes of the products; one that begins with a hyphen goes behind --.",
        show_default=False,
    ),
]
CodesFromOption = Annotated[
    Path | None,
    typer.Option("--codes-from", help="A text file with a code on each line.", dir_okay=False),
]
CategoryOption = Annotated[
    str | None,
    typer.Option(help="Instead of codes: all completed products of this category or subcategory."),
]
SearchOption = Annotated[
    str | None,
    typer.Option(
        help="Instead of codes: all completed products whose code or name contains this text."
    ),
]


async def selected(
    database: Database,
    taxonomy: Taxonomy,
    codes: Sequence[str] | None,
    codes_from: Path | None,
    category: str | None,
    search: str | None,
) -> list[str]:
    """The codes of the products that the command line selects.

    Raises:
        InputError: nothing is selected, or codes and a filter at once, or there is no such
            category.
        NotFound: the filter finds nothing.
    """
    from weighbridge.service.views.listing import completed_codes

    listed = [*(codes or ()), *(_lines(codes_from) if codes_from else ())]
    by_filter = bool(category or search)
    if bool(listed) == by_filter:
        raise InputError(
            "Say which products: either by codes (or --codes-from FILE), or by --category or "
            "--search."
        )
    if listed:
        return listed
    found = await completed_codes(database, taxonomy, category or "", search or "")
    if not found:
        raise NotFound("No completed product matches --category and --search.")
    return found


def _lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank. Raises InputError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read as UTF-8 text: {error}.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
