"""Own factors by upload: every process computes with them, all of a file or nothing of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.testing import CliRunner

from tests.support.api import api_client
from tests.support.application import program, until
from weighbridge.cli.main import app as command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.api import ApiClient

pytestmark = pytest.mark.anyio

HEADER: Final = (
    "kind,key,name,family,value,low,high,unit,source,source_id,year,region,licence,"
    "category,subcategory,maker,kg_co2e\n"
)
CITED: Final = "Our mill,EPD 7,2025,DE,ours,,,,\n"
STEEL: Final = f"material,stainless_304_cold_rolled,,,20,18,22,kg CO2e/kg,{CITED}"
OURS: Final = HEADER + STEEL + f"material,our_alloy,Our alloy,stainless,9,8,10,kg CO2e/kg,{CITED}"


async def _upload(client: ApiClient, content: str | bytes, name: str = "ours.csv") -> Any:
    return await client.http.post("/api/factors", files={"file": (name, content, "text/csv")})


async def _figure(client: ApiClient, code: str) -> tuple[float, str]:
    footprint = (await client.get(f"/api/products/{code}"))["footprint"]
    return footprint["emissionsKgCo2e"], footprint["provenance"]["factors"]


async def test_an_upload_counts_in_every_process_until_it_is_taken_back(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        program(database_url, tmp_path) as running,
        api_client(database_url, tmp_path) as client,
        api_client(database_url, tmp_path) as other,
    ):
        await running.add_many(2, weight_kg=0.3)
        await running.start()
        await running.until(completed=2)
        before, bundled = await _figure(client, "P-001")

        done = await _upload(client, OURS)
        assert done.status_code == 200, done.text
        assert done.json()["replaced"] == ["material stainless_304_cold_rolled"]
        assert done.json()["added"] == ["material our_alloy"]
        assert done.json()["name"].endswith(" + ours.csv")

        # Another server computes with it at its next request, and says what it changes.
        answer = await other.http.post("/api/products/recompute", json={"dryRun": True})
        assert (answer.status_code, answer.json()["moved"]) == (200, 2)
        assert list(answer.json()["causes"]) == [
            f"factors {bundled} → {done.json()['name']} {done.json()['version']}"
        ]
        assert await _figure(client, "P-001") == (before, bundled)
        await other.http.post("/api/products/recompute", json={})
        moved, named = await _figure(client, "P-001")
        assert moved > 2 * before
        assert " + ours.csv " in named

        # A worker that ran before computes with it.
        await until(lambda: running.app.in_use.now.upload > 0, "the worker sees the upload")
        await running.add({"code": "P-NEW", "weight_kg": 0.3})
        await running.fetch("NOTIFY weighbridge")
        await running.until(completed=3)
        assert await _figure(client, "P-NEW") == (moved, named)

        # What it adds can be named by a correction.
        change = {"target": "bill_of_materials.lines.1.material", "value": "our_alloy"}
        corrected = await other.http.post(
            "/api/products/corrections", json={"codes": ["P-002"], "changes": [change]}
        )
        assert corrected.status_code == 200, corrected.text

        # A correction that names what is taken away is not applied, and the notes say so.
        assert (await other.http.delete("/api/factors")).json()["current"] is None
        assert (await other.http.delete("/api/factors")).status_code == 409
        back = (await client.http.post("/api/products/recompute", json={})).json()
        assert (back["moved"], back["withoutFigure"]) == (3, 0)
        notes = (await client.get("/api/products/P-002"))["footprint"]["notes"]
        assert any("not applied" in note and "our_alloy" in note for note in notes), notes
        assert await _figure(client, "P-001") == (before, bundled)
        assert (await client.http.get("/api/factors/1")).text == OURS
        assert (await client.http.get("/api/factors/2")).status_code == 404
        entries = (await client.get("/api/audit"))["entries"]
        assert [one["subject"] for one in entries if "factors" in one["action"]] == ["ours.csv"] * 2


async def test_a_bad_file_is_refused_by_row_and_field_and_nothing_of_it_counts(
    database_url: str, tmp_path: Path
) -> None:
    bad = (
        HEADER
        + STEEL
        + f"material,steel_bar,,,1.1,1.0,1.2,,{CITED}"
        + f"material,aluminium_primary,,,1,3,4,kg CO2e/kg,{CITED}"
        + STEEL
        + f"material,steel_bar,,,nan,1,2,kg CO2e/kg,{CITED}"
        + f"material,x,X,no_family,1e999,1,2,kg CO2e/kg,{CITED}"
    )
    async with api_client(database_url, tmp_path) as client:
        assert (await _upload(client, OURS)).status_code == 200
        held = await client.get("/api/factors")
        refused = await _upload(client, bad)
        assert refused.status_code == 422, refused.text
        named = [(one["row"], one["field"]) for one in refused.json()["errors"]]
        assert named == [(3, "unit"), (4, "low"), (5, "key"), (6, "value"), (7, "value")]
        assert "No row of the file was taken." in refused.json()["detail"]
        for content in ("", HEADER, "a,b\n1,2\n", b"\xff\xfe\x00", b"kind,key\0\n", '"'):
            answer = await _upload(client, content)
            assert answer.status_code == 422, (content, answer.text)
        assert await client.get("/api/factors") == held


async def test_the_name_of_a_file_cannot_reach_beyond_a_name(
    database_url: str, tmp_path: Path
) -> None:
    async with api_client(database_url, tmp_path) as client:
        for name, kept in (("../../etc/our.csv", "our.csv"), ("C:\\x\\y.csv", "y.csv")):
            answer = await _upload(client, OURS, name)
            assert answer.json()["current"]["name"] == kept, answer.text


def test_the_command_line_uploads_shows_and_takes_back(database_url: str, tmp_path: Path) -> None:
    environment = {"WEIGHBRIDGE_DATABASE_URL": database_url}
    file = tmp_path / "ours.csv"
    file.write_text(OURS, encoding="utf-8")
    place = ["--data-dir", str(tmp_path), "--json"]

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(command_line, ["factors", *arguments, *place], env=environment)
        return json.loads(done.stdout) if done.exit_code == 0 else done

    assert run()["current"] is None
    assert run(str(file))["added"] == ["material our_alloy"]
    assert run()["current"]["name"] == "ours.csv"
    file.write_text(HEADER, encoding="utf-8")
    assert "only a header" in str(run(str(file)).exception)
    assert run()["current"]["name"] == "ours.csv"
    assert run("--take-back")["current"] is None
