"""One file, one verdict: a row is taken or refused alike, whichever way the file comes in."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tests.support.api import api_client
from weighbridge.api.schemas.products import product_input_schema
from weighbridge.cli.main import app
from weighbridge.domain.products import FieldLimits
from weighbridge.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Problem = tuple[int, str, str]
"""Row, field and reason."""

GOOD = {"code": "OK", "name": "Mug", "description": "Ceramic mug"}
DEFAULT = FieldLimits()
TIGHT = FieldLimits(code=5, name=6, description=20, image_url=30)


def _rows(limits: FieldLimits) -> list[dict[str, str]]:
    """Each field once as long as it may be, and once a character longer."""
    rows = [GOOD]
    for extra in (0, 1):
        rows += [
            GOOD | {"code": "C" * (limits.code + extra)},
            GOOD | {"code": f"N{extra}", "name": "n" * (limits.name + extra)},
            GOOD | {"code": f"D{extra}", "description": "d" * (limits.description + extra)},
        ]
    return rows


def _command(*arguments: str, environment: Mapping[str, str]) -> None:
    # In this thread: `run` handles signals.
    done = CliRunner().invoke(app, arguments, env=environment)
    assert done.exit_code == 0, done.output


async def _refused_by_the_api(
    catalogue: bytes, url: str, folder: Path, limits: FieldLimits
) -> list[Problem]:
    settings = {f"max_{name}_characters": length for name, length in asdict(limits).items()}
    async with api_client(url, folder, **settings) as client:
        uploaded = await client.http.post(
            "/api/products/bulk-upload",
            content=catalogue,
            headers={"Content-Type": "text/csv"},
        )
    return [(row["row"], row["field"], row["reason"]) for row in uploaded.json()["rejected"]]


@pytest.mark.parametrize("limits", [DEFAULT, TIGHT], ids=["default", "tight"])
@pytest.mark.parametrize(
    "command", [["import"], ["run", "--simulate", "--yes"]], ids=lambda c: c[0]
)
def test_command_line_and_api_reject_the_same_rows(
    command: list[str], limits: FieldLimits, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "catalogue.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, GOOD)
        lines.writeheader()
        lines.writerows(_rows(limits))
    expected = asyncio.run(_refused_by_the_api(path.read_bytes(), database_url, tmp_path, limits))
    assert [field for _, field, _ in expected] == ["code", "name", "description"]

    environment = {
        "WEIGHBRIDGE_DATABASE_URL": database_url,
        "WEIGHBRIDGE_DATA_DIR": str(tmp_path),
        **{
            f"WEIGHBRIDGE_MAX_{name.upper()}_CHARACTERS": str(n)
            for name, n in asdict(limits).items()
        },
    }
    out = tmp_path / "out"
    _command(*command, str(path), "--out", str(out), environment=environment)
    with (out / "rejected.csv").open(encoding="utf-8", newline="") as file:
        rejected = [(int(row["row"]), row["field"], row["reason"]) for row in csv.DictReader(file)]
    assert rejected == expected


def test_settings_and_the_openapi_document_have_the_same_limits_as_the_importer() -> None:
    assert Settings(_env_file=None).field_limits == DEFAULT
    schema = product_input_schema()["properties"]
    for name in ("code", "name", "description"):
        assert schema[name]["maxLength"] == getattr(DEFAULT, name)
