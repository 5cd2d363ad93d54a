"""What a stranger wrote is shown as it is: no markup is obeyed, nothing vanishes, no escape reaches
the terminal.
"""

from __future__ import annotations

import io
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.text import Text

from tests.unit.export.result_rows import completed
from weighbridge.cli.console import PlainConsole
from weighbridge.cli.terminal.display import results_table
from weighbridge.export.base import ResultRow

if TYPE_CHECKING:
    from rich.console import RenderableType

HOSTILE = [
    "Cable USB-A [/USB-C]",
    "[red]Chair[/red]",
    "[link=https://evil.example]here[/link]",
    "[/]",
    "\\[bold]",
    ":smile: 100%",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
]
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def shown(renderable: RenderableType) -> str:
    file = io.StringIO()
    PlainConsole(file=file, width=400, force_terminal=True).print(renderable)
    return _STYLE.sub("", file.getvalue())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_printed_as_it_is(text: str) -> None:
    printed = shown(text)
    assert printed.rstrip("\n") == text.replace("\x1b", r"\u001b").replace(
        "\x07", r"\u0007"
    ).replace("\u202e", r"\u202e")


TEXT_FIELDS = [field.name for field in fields(ResultRow) if field.type in ("str", "str | None")]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("column", TEXT_FIELDS)
def test_results_table_survives_hostile_text_in_every_column(column: str, text: str) -> None:
    hostile: dict[str, Any] = {column: text}
    table = shown(results_table([replace(completed(), **hostile)], 1, 400))
    assert not {"\x1b", "\x07", "\u202e"} & set(table)
    assert "1 of 1 products" in table


def test_name_with_brackets_keeps_its_brackets_in_the_table() -> None:
    row = replace(completed(), name="Cable [red] [/USB-C]")
    assert "Cable [red] [/USB-C]" in shown(results_table([row], 1, 400))


def test_styled_text_is_no_way_around() -> None:
    assert shown(Text("paused: \x1b[2J", style="yellow")) == "paused: \\u001b[2J\n"
