"""How the command line says how a file is to be read: `--map`, `--decimal`, `--unit`, `--encoding`, `--sheet`, or an answer."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from weighbridge.cli.console import err
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from weighbridge.domain.products import FieldLimits
    from weighbridge.ingest.catalogue import ReadOptions
    from weighbridge.ingest.survey import Doubt, Given

DecimalOption = Annotated[
    Literal["point", "comma"] | None,
    typer.Option(
        "--decimal", help="The decimal sign of the file's numbers.", show_default="found out"
    ),
]
UnitOption = Annotated[
    str | None,
    typer.Option(
        "--unit",
        help="The unit of weights that name none: kg, g, lb, oz.",
        show_default="found out",
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        help="The encoding of a text file: utf-8, windows-1250.",
        show_default="found out",
    ),
]
SheetOption = Annotated[
    str | None,
    typer.Option("--sheet", help="The sheet of a workbook to read.", show_default="all that fit"),
]
_SIGNS: Final[dict[str, Literal[".", ","]]] = {"point": ".", "comma": ","}


def read_options(
    limits: FieldLimits,
    *,
    mapping: Sequence[str] | None = None,
    decimal: str | None = None,
    unit: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    at_most: int | None = None,
) -> ReadOptions:
    """The options of the command line, checked.

    Raises:
        InputError: there is no such field or unit.
    """
    from weighbridge.ingest.base import Choices
    from weighbridge.ingest.catalogue import ReadOptions
    from weighbridge.ingest.columns.matching import parse_mapping

    return ReadOptions(
        mapping=parse_mapping(mapping or []),
        choices=Choices(encoding, sheet),
        given=_given(decimal, unit),
        limits=limits,
        at_most=at_most,
    )


def _given(decimal: str | None, unit: str | None) -> Given:
    from weighbridge.ingest.survey import Given
    from weighbridge.ingest.values.units import UNIT_NAMES

    known = UNIT_NAMES.get(unit.strip().casefold()) if unit else None
    if unit and known is None:
        raise InputError(f"There is no unit {unit!r}; use kg, g, mg, t, lb or oz.")
    return Given(_SIGNS[decimal] if decimal else None, known)


def settle_doubts(path: Path, options: ReadOptions) -> ReadOptions:
    """Ask what only the file's owner knows, where somebody is there to answer; otherwise leave it open."""
    from weighbridge.ingest.catalogue import Catalogue

    if not (sys.stdin.isatty() and err.is_terminal):
        return options
    while doubts := Catalogue(path, options).head.decisions.doubts:
        options = replace(options, given=_answer(doubts[0], options.given))
    return options


def _answer(doubt: Doubt, given: Given) -> Given:
    err.print(doubt.question, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for answer, meaning in doubt.options.items():
        err.print(f"  {answer}: {meaning}", markup=False, highlight=False)
    answer = ""
    while answer not in doubt.options:
        answer = typer.prompt(f"Which is it ({', '.join(doubt.options)})", err=True).strip()
    chosen = _given(
        answer if doubt.option == "decimal" else None, answer if doubt.option == "unit" else None
    )
    return replace(
        given, **({"decimal": chosen.decimal} if chosen.decimal else {"unit": chosen.unit})
    )
