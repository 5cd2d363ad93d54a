"""What leaves as a file says that a value was corrected, from what to what and when. Who did it and
why is nobody else's business, until somebody asks for it.
"""

from __future__ import annotations

import asyncio
import zipfile
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from typer.testing import CliRunner

from tests.support.api import api_client
from tests.support.application import program
from tests.unit.export.test_pact_writer import COMPANY
from weighbridge.cli.main import app as command_line
from weighbridge.domain.corrections import read_change
from weighbridge.export import MEDIA_TYPES, file_name
from weighbridge.service.desk.bill_files import OwnBills, OwnLine
from weighbridge.service.desk.correcting import Request, correct, corrections_of, take_back
from weighbridge.service.desk.exported_figures import compare_exports, read_export
from weighbridge.service.desk.own_bills import give_bills
from weighbridge.service.results import export_results

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram

pytestmark = pytest.mark.anyio

WHO = "Zyxana by the door on 2020-01-01 (Qy"
WHY = "Wvq: the cheap supplier by the river"
SECRETS = ("Zyxana", "(Qy", "Wvq", "river")
BILL = "bill_of_materials"
CHANGES: dict[str, list[tuple[str, Any]]] = {
    "P-001": [
        (f"{BILL}.mass_kg", 0.6),
        (f"{BILL}.lines.1.component", "made by hand on 2020-01-01"),
    ],
    "P-002": [(f"{BILL}.lines.1.material", "abs_resin"), ("manufacturing.lines.1", [])],
    "P-003": [(f"{BILL}.lines", [{"material": "abs_resin", "mass_kg": 0.3, "component": "a lid"}])],
    "P-004": [("factors.stainless_slab", 3.3)],
    "P-005": [("factors.stainless_slab", {"value": 3.2, "source": "EPD 123"})],
    "P-006": [(f"{BILL}.lines.1.component", "not applied below")],
}


@pytest.fixture(autouse=True)
def company(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPANY.items():
        monkeypatch.setenv(f"WEIGHBRIDGE_{name.upper()}", value)


async def _corrected_in_every_way(running: RunningProgram, who: str = WHO) -> None:
    app = running.app
    tools = (app.database, app.factors, app.questions.steps)
    await running.add_many(len(CHANGES) + 1, weight_kg=0.3, country_of_origin="DE")
    await running.start()
    await running.until(completed=len(CHANGES) + 1)
    steel = [{"material": "stainless_slab", "mass_kg": 0.3, "component": ""}]
    for code in ("P-004", "P-005", "P-006"):
        await correct(*tools, [code], Request((read_change(f"{BILL}.lines", steel),), who, WHY))
    for code, changes in CHANGES.items():
        for target, value in changes:
            await correct(*tools, [code], Request((read_change(target, value),), who, WHY))
    # A whole bill that is taken back leaves corrections of its lines that do not apply.
    await running.fetch(
        "UPDATE corrections SET withdrawn_at = now(), withdrawn_by = 'x', anchor = NULL WHERE "
        "path = '{lines}' AND product_id = (SELECT id FROM products WHERE code = 'P-006')"
    )
    await running.fetch("UPDATE corrections SET anchor = 'gone' WHERE path[3] = 'component'")
    for code in ("P-001", "P-006"):
        await correct(*tools, [code], Request((read_change(f"{BILL}.mass_kg", 0.7),), who, ""))
    own = OwnBills({"P-007": [OwnLine("abs_resin", 0.3, "", None)]})
    await give_bills(*tools, own, Request((), who, WHY))
    newest, *_ = await corrections_of(app.database, "P-002")
    await take_back(*tools, "P-002", "somebody", newest.correction.id)


def _said(path: Path) -> str:
    """All that a file says, as one text."""
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return "\n".join(book.read(name).decode() for name in book.namelist())
    if path.suffix == ".parquet":
        return str(pl.read_parquet(path).to_dicts())
    return path.read_text(encoding="utf-8")


async def _exported(running: RunningProgram, folder: Path, *, names: bool) -> dict[str, Path]:
    app = running.app
    paths = {name: folder / file_name("results", name) for name in MEDIA_TYPES}
    tools = (app.database, app.taxonomy, app.factors, app.questions.steps)
    await export_results(*tools, list(paths.items()), names=names)
    return paths


async def test_no_file_names_who_corrected_a_value_or_why_unless_it_is_asked_to(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _corrected_in_every_way(running)
        noted = await running.value(
            "SELECT string_agg(detail #>> '{footprint,notes}', ' ') FROM footprints"
        )
        for said in ("corrected: ", "not applied: ", *SECRETS):
            assert said in noted
        plain = await _exported(running, tmp_path / "plain", names=False)
        named = await _exported(running, tmp_path / "named", names=True)
        for name, path in plain.items():
            found = _said(path)
            assert [secret for secret in SECRETS if secret in found] == [], name
            assert " by a reviewer on 2" in found
            assert "0.3 to 0.7" in found
            with_names = _said(named[name])
            assert [secret for secret in ("Zyxana", "Wvq") if secret not in with_names] == [], name
        assert "EPD 123" in _said(plain["pact"])
        assert '"own factor"' in _said(plain["pact"])


async def test_files_with_and_without_names_are_about_the_same_corrections(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _corrected_in_every_way(running, "Zyxana")
        plain = await _exported(running, tmp_path / "plain", names=False)
        named = await _exported(running, tmp_path / "named", names=True)
        await running.fetch(  # so that each figure needs a cause
            "UPDATE footprints SET detail = jsonb_set(detail, '{footprint,emissions_kg_co2e}', '9')"
        )
        later = await _exported(running, tmp_path / "later", names=False)
        for name in ("csv", "xlsx", "jsonl", "parquet"):
            for earlier in (plain, named):
                moved = compare_exports(read_export(earlier[name]), read_export(later[name]))
                assert len(moved.moved) == len(CHANGES) + 1
                assert [one for one in moved.moved if "a correction" in one.causes] == [], name


async def test_names_are_asked_for_by_option_by_setting_and_over_http(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(database_url, tmp_path) as running:
        await _corrected_in_every_way(running)
    async with api_client(database_url, tmp_path) as client:
        for query, is_named in (("", False), ("&names=true", True)):
            for form in ("csv", "xlsx", "jsonl", "pact"):
                answer = await client.http.get(f"/api/products/export?format={form}{query}")
                (tmp_path / f"one.{form}").write_bytes(answer.content)
                assert ("Zyxana" in _said(tmp_path / f"one.{form}")) == is_named
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    cases = [("", (), False), ("", ("--names",), True), ("true", (), True)]
    for setting, options, is_named in (*cases, ("true", ("--no-names",), False)):
        monkeypatch.setenv("WEIGHBRIDGE_EXPORT_NAMES", setting or "false")
        arguments = ["export", "--format", "jsonl", "--out", str(tmp_path / "out"), *options]
        done = await asyncio.to_thread(CliRunner().invoke, command_line, arguments)
        assert done.exit_code == 0, done.output
        found = (tmp_path / "out" / "results.jsonl").read_text(encoding="utf-8")
        assert ("Zyxana" in found) == is_named
