"""An option that would have no effect is refused: nobody believes in what was ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from weighbridge.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path

IGNORED = [
    ("compare a.csv b.csv --to now", "--to"),
    ("correct A --take-back 1 --mass 0.5", "--mass"),
    ("correct A --take-back 1 --set bill_of_materials.mass_kg=1 --reason typo", "--set"),
    ("correct A --reason weighed", "--reason"),
    ("review edited.xlsx --unchecked", "--unchecked"),
    ("review --out new.xlsx --reason weighed --replace", "--reason and --replace"),
    ("prompts catalogue.csv --record answers.jsonl", "--record"),
    ("prompts catalogue.csv --answers replies.jsonl --out folder", "--out"),
    ("prompts catalogue.csv --by somebody", "--by"),
    ("run catalogue.csv --simulate --format jsonl --csv-bom", "--csv-bom"),
    ("export --format xlsx --csv-bom", "--csv-bom"),
    ("export --format xlsx --pact-version 2", "--pact-version"),
    ("budget --per-day 5 --remove day", "--remove day"),
]


@pytest.mark.parametrize(("line", "named"), IGNORED)
def test_an_option_without_effect_is_refused_by_name(
    line: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv", "catalogue.csv", "edited.xlsx", "replies.jsonl"):
        (tmp_path / name).write_text("code,name,description\nA,Cup,Of glass\n")
    result = CliRunner().invoke(app, line.split())
    said = str(result.exception)
    assert named in said, f"{said}\n{result.output}"
    assert "would have no effect" in said or "contradict" in said
