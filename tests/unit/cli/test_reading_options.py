"""Every command that reads a catalogue takes the same options for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer.main

from weighbridge.cli.main import app
from weighbridge.cli.reading import HowToRead
from weighbridge.domain.products import FieldLimits
from weighbridge.errors import AmbiguousColumn, InputError
from weighbridge.service.evaluation.questionnaires import read_products

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = {"--map", "--decimal", "--unit", "--encoding", "--sheet"}
GRAMS = "Kode;Navn;Beskrivelse;Vægt\nA;Stol;Stol af eg;5400\nB;Skab;Skab af eg;12300\n"


def test_every_command_that_reads_a_catalogue_takes_all_options() -> None:
    commands = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - a group, to mypy
    reading = {}
    for name, command in commands.items():
        told = {option for one in command.params for option in one.opts}
        about = [getattr(one, "help", None) or "" for one in command.params if one.name == "file"]
        if any(text.startswith("The catalogue") for text in about):
            reading[name] = told & OPTIONS
    assert {"run", "import", "inspect", "estimate", "evaluate", "prompts"} <= set(reading)
    assert {name: OPTIONS - told for name, told in reading.items() if told != OPTIONS} == {}


def test_what_is_asked_about_a_file_takes_the_answer_of_an_option(tmp_path: Path) -> None:
    path = tmp_path / "stole.csv"
    path.write_text(GRAMS, encoding="cp1252")
    limits = FieldLimits()
    with pytest.raises(AmbiguousColumn, match="--unit g"):
        read_products(path, HowToRead().options(limits))
    told = HowToRead(unit="g", encoding="windows-1252", mapping=["name=Beskrivelse"])
    products = read_products(path, told.options(limits)).products
    assert [(one.name, one.weight_kg) for one in products] == [
        ("Stol af eg", 5.4),
        ("Skab af eg", 12.3),
    ]


@pytest.mark.parametrize(
    ("told", "words"),
    [(HowToRead(unit="stone's"), "no unit"), (HowToRead(mapping=["colour=x"]), "colour")],
)
def test_an_option_that_makes_no_sense_is_refused(told: HowToRead, words: str) -> None:
    with pytest.raises(InputError, match=words):
        told.options(FieldLimits())
