"""What figures would be, on a real database: nothing is stored and nobody is asked."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.support.api import api_client
from tests.support.application import program
from weighbridge.cli.main import app as command_line
from weighbridge.domain.answers import BillOfMaterials
from weighbridge.domain.corrections import read_change
from weighbridge.errors import Conflict, InputError, NotFound
from weighbridge.service.desk.correcting import Request, correct
from weighbridge.service.desk.explaining import explain_product
from weighbridge.service.desk.what_if import Supposed, Supposition, what_if

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.application import RunningProgram

pytestmark = pytest.mark.anyio

CODES = ["P-001", "P-002"]
BILL = [{"material": "aluminium_primary", "mass_kg": 0.2}, {"material": "pp_resin", "mass_kg": 0.1}]


async def _completed(running: RunningProgram) -> None:
    await running.add_many(2, weight_kg=0.3, country_of_origin="FR")
    await running.start()
    await running.until(completed=2)
    app = running.app
    lines = [line | {"material": _known(running, line["material"])} for line in BILL]
    change = read_change("bill_of_materials.lines", lines)
    await correct(
        app.database, app.factors, app.questions.steps, CODES, Request((change,), "ana", "drawing")
    )


def _known(running: RunningProgram, key: Any) -> str:
    materials = running.app.factors.materials
    return str(key) if key in materials else next(k for k in materials if k.startswith("pp"))


async def _what_if(
    running: RunningProgram, codes: Sequence[str] = CODES, **supposed: Any
) -> Supposed:
    app = running.app
    return await what_if(
        app.database, app.factors, app.questions.steps, codes, Supposition(**supposed)
    )


async def test_materials_country_and_share_are_supposed_and_nothing_is_stored(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        stored = await running.fetch("SELECT * FROM footprints ORDER BY product_id")
        calls = await running.value("SELECT count(*) FROM calls")
        exchange = {"virgin aluminium": "recycled aluminium"}
        found = await _what_if(running, materials=exchange)
        factors = running.app.factors.materials
        per_kg = (
            factors["aluminium_recycled"].kg_co2e_per_kg.value
            - factors["aluminium_primary"].kg_co2e_per_kg.value
        )
        steps = running.app.questions.steps
        tree = (await explain_product(running.app.database, steps, "P-001")).explanation
        assert [one.code for one in found.products] == CODES
        (first, _) = found.products
        assert first.before_kg_co2e == pytest.approx(tree.emissions_kg_co2e)
        if len(tree.routes) == 1:
            assert first.difference_kg_co2e <= 0.9 * 0.2 * per_kg
        assert first.after_kg_co2e < first.before_kg_co2e
        assert found.after_kg_co2e == pytest.approx(2 * first.after_kg_co2e)
        half = (await _what_if(running, recycled_share=0.3)).products[0]
        assert first.after_kg_co2e < half.after_kg_co2e < half.before_kg_co2e
        family = await _what_if(running, materials={"aluminium": "aluminium_recycled"})
        assert family.after_kg_co2e == found.after_kg_co2e
        elsewhere = await _what_if(running, country="Poland")
        assert elsewhere.after_kg_co2e >= elsewhere.before_kg_co2e
        assert await running.fetch("SELECT * FROM footprints ORDER BY product_id") == stored
        assert await running.value("SELECT count(*) FROM calls") == calls
        assert await running.value("SELECT count(*) FROM corrections") == 2


async def test_what_cannot_be_supposed_is_refused_with_the_reason(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        with pytest.raises(InputError, match=r"has copper.* Their bills have: aluminium_primary"):
            await _what_if(running, materials={_copper(running): "aluminium_recycled"})
        with pytest.raises(
            InputError,
            match=r"explain CODE.*a whole family of materials, name one of these: aluminium",
        ):
            await _what_if(running, materials={"qqqq": "pp_resin"})
        with pytest.raises(InputError, match=r"no material 'aluminum recycld'.*Did you mean"):
            await _what_if(running, materials={"virgin aluminium": "aluminum recycld"})
        with pytest.raises(InputError, match="'Atlantis' is not a known country"):
            await _what_if(running, country="Atlantis")
        with pytest.raises(InputError, match=r"share is 1\.5; it must be"):
            await _what_if(running, recycled_share=1.5)
        with pytest.raises(InputError, match="No change is given"):
            await _what_if(running)
        with pytest.raises(NotFound, match="no product X-1"):
            await _what_if(running, ["X-1"], country="DE")
        await running.fetch("UPDATE products SET status = 'pending' WHERE code = 'P-002'")
        with pytest.raises(Conflict, match=r"Not processed yet.*P-002"):
            await _what_if(running, country="DE")


def _copper(running: RunningProgram) -> str:
    return next(key for key in running.app.factors.materials if key.startswith("copper"))


async def test_over_http_a_filter_selects_for_suppositions_and_corrections(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
    async with api_client(database_url, tmp_path) as client:
        asked: dict[str, Any] = {"filter": {"search": "P-00"}, "countryOfOrigin": "PL"}
        answer = (await client.http.post("/api/products/what-if", json=asked)).json()
        assert [one["code"] for one in answer["products"]] == CODES
        assert answer["differenceKgCo2e"] == pytest.approx(
            answer["afterKgCo2e"] - answer["beforeKgCo2e"]
        )
        for wrong in (
            {**asked, "codes": ["P-001"]},
            {"countryOfOrigin": "PL"},
            {"filter": {}, "countryOfOrigin": "PL"},
            {"codes": ["P-001"], "materials": {"unobtainium": "steel"}},
        ):
            response = await client.http.post("/api/products/what-if", json=wrong)
            assert response.status_code == 422, response.text
        change = {"target": "bill_of_materials.mass_kg", "value": 0.5}
        body = {"filter": {"search": "P-00"}, "changes": [change]}
        done = (await client.http.post("/api/products/corrections", json=body)).json()
        assert [one["code"] for one in done["corrected"]] == CODES
        wrong_word = {"target": "bill_of_materials.lines.1.material", "value": "aluminum"}
        response = await client.http.post(
            "/api/products/corrections",
            json={"codes": CODES, "changes": [wrong_word], "replace": True},
        )
        assert "Did you mean aluminium_" in response.text
        nothing = {"filter": {"search": "nowhere"}, "changes": [change]}
        response = await client.http.post("/api/products/corrections", json=nothing)
        assert response.status_code == 404


async def test_the_command_line_selects_by_file_and_by_words(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    codes = tmp_path / "codes.txt"
    codes.write_text("P-002\n\n")
    by_file = await _invoke("what-if", "--codes-from", str(codes), "--country", "PL", "--json")
    assert [one["code"] for one in json.loads(by_file)["products"]] == ["P-002"]
    said = await _invoke(
        "what-if", "--search", "P-00", "--material", "virgin aluminium=recycled aluminium"
    )
    assert "Nothing was stored" in said
    assert "Total of 2" in said
    listed = await _invoke("correct", "--search", "P-00")
    assert BillOfMaterials.step in listed


async def _invoke(*arguments: str) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, command_line, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


async def test_another_country_leaves_processes_whose_country_is_known(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        app = running.app
        extruded = [{"process": "aluminium_extrusion", "country": "SE"}]
        changes = (
            read_change("manufacturing.lines.1", extruded),
            read_change("manufacturing.lines.2", []),
        )
        request = Request(changes, "ana", "plant in Gothenburg")
        await correct(app.database, app.factors, app.questions.steps, ["P-001"], request)
        known, unknown = (await _what_if(running, country="PL")).products
        note = "unchanged: 1 process with a country of its own (SE)"
        assert note in known.notes
        assert note not in unknown.notes
        assert known.after_kg_co2e == known.before_kg_co2e


async def test_what_a_supposition_does_not_move_and_how_it_was_understood_is_said(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        app = running.app
        laptops = Request((read_change("classification.subcategory", "Laptops"),), "ana", "")
        await correct(app.database, app.factors, app.questions.steps, ["P-001"], laptops)
        for one in (await _what_if(running, country="PL")).products:
            tree = await explain_product(app.database, app.questions.steps, one.code)
            compared = [r for r in tree.explanation.routes if "class" in r.name and r.weight > 0]
            said = any("published figures of such products (" in note for note in one.notes)
            assert said == bool(compared), one
        (laptop, _) = (await _what_if(running, country="PL")).products
        assert any(
            "the country changes only the figure by the bill of materials" in n
            for n in laptop.notes
        )
        shared = await _what_if(running, recycled_share=0.9)
        assert not any("in the catalogue" in note for one in shared.products for note in one.notes)
        exchanged = await _what_if(running, materials={"virgin aluminium": "ABS resin"})
        assert exchanged.notes == (
            '"virgin aluminium" was taken as aluminium_primary.',
            '"ABS resin" was taken as abs_resin.',
        )
