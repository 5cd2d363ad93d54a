"""Whatever is wrong with a command line is said in plain words, for every command alike."""

from __future__ import annotations

from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import pytest
import typer
from typer.testing import CliRunner

from weighbridge.cli.main import app
from weighbridge.cli.terminal.usage import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP: Any = typer.main.get_command(app)


def commands(
    group: Any = GROUP, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = list(commands())
TAKE_CODES = [
    path
    for path, command in ALL
    if any(one.param_type_name == "argument" and one.name in CODES for one in command.params)
]


def _of_few_values(option: Any) -> list[str]:
    """Values that an option refuses: of one that is a number, or chosen from a list."""
    allowed = option.type_descriptor.annotation
    while get_origin(allowed) in (list, Union, UnionType):
        allowed = next(one for one in get_args(allowed) if one is not type(None))
    if allowed in (int, float):
        ends = (option.min, -1), (option.max, 1)
        return ["bogus", *(str(end + by) for end, by in ends if end is not None)]
    is_chosen = get_origin(allowed) is Literal or (
        isinstance(allowed, type) and issubclass(allowed, Enum)
    )
    return ["bogus", ""] if is_chosen else []


REFUSED = [
    (" ".join(path), one.opts[0], value)
    for path, command in ALL
    for one in command.params
    if one.param_type_name == "option" and not one.is_flag
    for value in _of_few_values(one)
]


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), prog_name="weighbridge")
    assert done.exit_code == 2, done.output
    return " ".join(done.output.split())


def test_there_are_commands_that_take_codes() -> None:
    names = {path[-1] for path in TAKE_CODES}
    assert names >= {"explain", "history", "correct", "approve", "what-if", "recompute"}


@pytest.mark.parametrize("code", ["-7", "-7abc", "--X9", "-1.5"])
@pytest.mark.parametrize("path", TAKE_CODES, ids=" ".join)
def test_a_code_that_begins_with_a_hyphen_is_told_where_to_go(
    path: tuple[str, ...], code: str
) -> None:
    said = refused(*path, code)
    assert "No such option: " in said
    assert said.endswith(f"behind two hyphens: weighbridge {' '.join(path)} -- {code}")


def test_options_stay_before_the_hyphens() -> None:
    said = refused("correct", "--mass", "4.2", "-7")
    assert said.endswith("put it at the end, behind two hyphens: weighbridge correct … -- -7")


@pytest.mark.parametrize("path", [path for path, _ in ALL if path not in TAKE_CODES], ids=" ".join)
def test_a_command_without_codes_says_nothing_of_them(path: tuple[str, ...]) -> None:
    assert "code of a product" not in refused(*path, "--no-such-option")


def test_there_are_options_of_few_values() -> None:
    assert {(path, option) for path, option, _ in REFUSED} >= {
        ("totals", "--by"), ("totals", "--limit"), ("export", "--pact-version"), ("run", "--lane"),
    }  # fmt: skip


@pytest.mark.parametrize(("path", "option", "value"), REFUSED)
def test_no_option_answers_in_the_words_of_a_library(path: str, option: str, value: str) -> None:
    said = refused(*path.split(), option, value)
    assert f"Invalid value for '{option}'" in said
    assert "Value error" not in said
    assert "Input should" not in said
    assert " is not one of " in said or "it must be " in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("totals", "--by", "bogus"), "'--by': 'bogus' is not one of 'category', 'material', 'supplier', 'country'."),
        (("export", "--pact-version", "9"), "'--pact-version': '9' is not one of '2', '3'."),
        (("totals", "--limit", "many"), "'--limit': "),
    ],
)  # fmt: skip
def test_the_allowed_values_are_named(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(*arguments)
