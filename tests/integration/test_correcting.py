"""Corrections on a real database: recomputed without a call, kept through reprocessing, taken
back.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.support.api import api_client
from tests.support.application import program, until
from tests.support.seeds import new_seed
from weighbridge.cli.main import app as command_line
from weighbridge.domain.corrections import read_change
from weighbridge.errors import Conflict, InputError, NotFound
from weighbridge.service.access.audit import audit_page
from weighbridge.service.desk import correcting
from weighbridge.service.desk.correcting import (
    Request,
    correct,
    correct_each,
    corrections_of,
    take_back,
)
from weighbridge.service.product_views import show_product
from weighbridge.service.results import iterate_results
from weighbridge.service.views.listing import Filter, Order, approve, list_page
from weighbridge.store.schema import migrate
from weighbridge.weighing import on_every_core

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.api import ApiClient
    from tests.support.application import RunningProgram
    from weighbridge.domain.results import Footprint
    from weighbridge.service.desk.correcting import CorrectedFigure

pytestmark = pytest.mark.anyio

MASS = "bill_of_materials.mass_kg"
CODES = ["P-001", "P-002", "P-003"]
BOTTLES: list[dict[str, Any]] = [
    {"code": "BOT-1", "name": "Steel bottle, red, 500 ml", "weight_kg": 0.3},
    {"code": "BOT-2", "name": "Steel bottle, blue, 500 ml", "weight_kg": 0.3},
    {"code": "BOT-3", "name": "Steel bottle, blue, 1 l", "weight_kg": 0.6},
]


async def _completed(running: RunningProgram) -> None:
    await running.add_many(3, weight_kg=0.3, country_of_origin="DE")
    await running.start()
    await running.until(completed=3)


async def _correct(
    running: RunningProgram,
    codes: Sequence[str],
    target: str,
    value: Any,
    by: str = "ana",
    **options: Any,
) -> list[CorrectedFigure]:
    app = running.app
    request = Request((read_change(target, value),), by, "weighed", **options)
    return await correct(app.database, app.factors, app.questions.steps, codes, request)


async def _footprint(running: RunningProgram, code: str = "P-001") -> Footprint:
    shown = (await show_product(running.app.database, running.app.questions.steps, code)).footprint
    assert shown is not None
    return shown.footprint


async def _take_back(running: RunningProgram, code: str, number: int | None = None) -> None:
    app = running.app
    await take_back(app.database, app.factors, app.questions.steps, code, "ana", number)


async def test_a_selection_is_corrected_without_a_call_and_marked(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        calls = await running.value("SELECT count(*) FROM calls")
        asked = running.simulator.books.products.answered_twice
        before = await _footprint(running)
        done = await _correct(running, CODES, MASS, 0.6)
        assert [one.code for one in done] == CODES
        after = await _footprint(running)
        assert after.mass.value == pytest.approx(0.6)
        assert after.emissions_kg_co2e != before.emissions_kg_co2e
        assert "ana" in after.notes[0]
        assert "weighed" in after.notes[0]
        assert await running.value("SELECT count(*) FROM calls") == calls
        assert running.simulator.books.products.answered_twice == asked
        assert await _correct(running, CODES, MASS, 0.6) == []  # it is so already
        entry = (await audit_page(running.app.database, limit=1))[0]
        assert (entry.actor, entry.detail["products"]) == ("ana", 3)
        await running.assert_sound()


async def test_the_origin_of_a_mass_is_the_catalogue_the_model_or_a_person(
    database_url: str, tmp_path: Path
) -> None:
    async def origins() -> dict[str, str | None]:
        app = running.app
        rows = [
            (row.code, row.mass_origin)
            async for batch in iterate_results(app.database, app.taxonomy, app.questions.steps)
            for row in batch
        ]
        for code, origin in rows:
            assert (await _footprint(running, code)).mass.origin is origin
        return {code: origin and origin.value for code, origin in rows}

    async with program(database_url, tmp_path) as running:
        await running.add({"code": "P-000", "weight_kg": 0.3}, {"code": "P-009"})
        await running.start()
        await running.until(completed=2)
        as_found = {"P-000": "given", "P-009": "inferred"}
        assert await origins() == as_found
        await _correct(running, list(as_found), "bill_of_materials.lines.1.component", "body")
        assert await origins() == as_found
        await _correct(running, list(as_found), MASS, 0.6)
        assert await origins() == dict.fromkeys(as_found, "corrected")
        # Programs of earlier versions, which know no such origin, read the same footprints.
        assert not await running.value(
            "SELECT bool_or(detail #>> '{footprint,mass,origin}' = 'corrected') FROM footprints"
        )
        for code in as_found:
            await _take_back(running, code)
        assert await origins() == as_found


async def test_a_correction_survives_a_new_answer_and_can_be_taken_back(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        before = await _footprint(running)
        await _correct(running, ["P-001"], MASS, 0.6)
        corrected = await _footprint(running)
        await running.fetch("DELETE FROM answers")
        await running.fetch(
            "UPDATE products SET status = 'pending', completed_at = NULL, revision = revision + 1"
        )
        await running.until(completed=3)
        assert await _footprint(running) == corrected
        await _take_back(running, "P-001")
        assert await _footprint(running) == before
        (record,) = await corrections_of(running.app.database, "P-001")
        assert record.withdrawn_by == "ana"
        with pytest.raises(NotFound, match="no correction that holds"):
            await _take_back(running, "P-001")


async def test_one_of_two_corrections_is_taken_back(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _correct(running, ["P-001"], MASS, 0.6)
        only_mass = await _footprint(running)
        await _correct(running, ["P-001"], "manufacturing.lines.1", [])
        newest, _ = await corrections_of(running.app.database, "P-001")
        await _take_back(running, "P-001", newest.correction.id)
        assert await _footprint(running) == only_mass


async def test_the_later_of_two_people_is_told_of_the_earlier_correction(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _correct(running, ["P-001"], MASS, 0.6, by="ana")
        with pytest.raises(Conflict, match=r"ana has corrected this already: .* to 0\.6 by ana"):
            await _correct(running, ["P-001"], MASS, 0.7, by="ben")
        assert (await _footprint(running)).mass.value == pytest.approx(0.6)
        await _correct(running, ["P-001"], MASS, 0.7, by="ben", replace=True)
        assert (await _footprint(running)).mass.value == pytest.approx(0.7)


async def test_one_product_that_cannot_be_changed_leaves_all_as_they_were(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        before = [await _footprint(running, code) for code in CODES]
        with pytest.raises(InputError, match=r"P-001: .*there is no line 99"):
            await _correct(running, CODES, "bill_of_materials.lines.99.mass_kg", 0.1)
        with pytest.raises(NotFound, match="There is no product X-1"):
            await _correct(running, ["P-001", "X-1"], MASS, 0.6)
        unknown = [f"X-{number}" for number in range(25)]
        with pytest.raises(NotFound, match=r"There are no products X-0, .*, X-19 and 5 more\."):
            await _correct(running, ["P-001", *unknown], MASS, 0.6)
        await running.add({"code": "NEW"})
        with pytest.raises(Conflict, match="no stored answers: NEW"):
            await _correct(running, ["P-001", "NEW"], MASS, 0.6)
        assert [await _footprint(running, code) for code in CODES] == before
        assert await running.value("SELECT count(*) FROM corrections") == 0


async def _stored(running: RunningProgram) -> dict[str, Any]:
    """All that is stored of each figure but what made it."""
    rows = await running.fetch(
        "SELECT p.code, f.detail - 'cause' AS detail FROM footprints f "
        "JOIN products p ON p.id = f.product_id"
    )
    return {row["code"]: row["detail"] for row in rows}


async def test_a_selection_of_several_portions_stores_what_each_product_alone_would(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correcting, "_PORTION", 2)
    async with program(database_url, tmp_path) as running:
        await running.add_many(7, weight_kg=0.3, country_of_origin="DE")
        await running.start()
        await running.until(completed=7)
        codes = [f"P-{number:03}" for number in range(1, 8)]
        as_answered = await _stored(running)
        done = await _correct(running, codes, MASS, 0.6)
        assert [one.code for one in done] == codes
        together = await _stored(running)
        for code in codes:
            await _take_back(running, code)
        assert await _stored(running) == as_answered
        for code in codes:
            await _correct(running, [code], MASS, 0.6)
        assert await _stored(running) == together
        app = running.app
        good = Request((read_change(MASS, 0.9),), "ana", "weighed")
        bad = Request((read_change("bill_of_materials.lines.99.mass_kg", 0.1),), "ana", "weighed")
        each = {**dict.fromkeys(codes, good), "P-006": bad}
        with pytest.raises(InputError, match=r"P-006: .*there is no line 99"):
            await correct_each(app.database, app.factors, app.questions.steps, each)
        assert await _stored(running) == together


async def _choices(running: RunningProgram, rng: random.Random) -> dict[str, Request]:
    """Something to be changed about each product, by several people."""
    rows = await running.fetch(
        "SELECT p.code, f.detail #>> '{answers,bill_of_materials,lines,0,material}' AS material "
        "FROM footprints f JOIN products p ON p.id = f.product_id ORDER BY p.id"
    )
    made: dict[str, Request] = {}
    for row in rows:
        factor = [("source", "EPD"), ("value", 5.0), ("high", 1e1), ("low", 0.5)]
        rng.shuffle(factor)
        possible = [
            read_change(MASS, rng.choice([0.1, 0.3, 1, 2.50])),
            rng.choice(  # with another material, its factor would have nothing to count for
                [
                    read_change(f"factors.{row['material']}", dict(factor)),
                    read_change("bill_of_materials.lines.1.material", "steel_recycled_eaf"),
                ]
            ),
            read_change("bill_of_materials.lines.1.component", rng.choice(["", "lid", "ö"])),
            read_change("manufacturing.lines.1", []),
        ]
        changes = rng.sample(possible, rng.randint(1, 3))
        made[row["code"]] = Request(tuple(changes), rng.choice(["ana", "ben"]), "weighed")
    return made


async def _recorded(running: RunningProgram) -> list[dict[str, Any]]:
    """Every correction, without its number and the moment."""
    rows = await running.fetch("SELECT * FROM corrections ORDER BY id")
    return [{k: v for k, v in row.items() if k not in {"id", "made_at"}} for row in rows]


@pytest.mark.parametrize("killed_after_s", [None, 0.0, 1.0])
async def test_several_processes_correct_as_one_does_even_if_one_is_killed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after_s: float | None
) -> None:
    monkeypatch.setattr(correcting, "_PORTION", 3)
    rng = random.Random(new_seed(16))
    async with program(database_url, tmp_path) as running:
        app = running.app
        await running.add_many(25, weight_kg=0.3, country_of_origin="DE")
        await running.start()
        await running.until(completed=25)
        await running.fetch("CREATE TABLE before AS SELECT * FROM footprints")
        requests = await _choices(running, rng)
        tools = (app.database, app.factors, app.questions.steps)
        alone = await correct_each(*tools, requests)
        stored, recorded = await _stored(running), await _recorded(running)
        await running.fetch("TRUNCATE corrections, footprints, footprint_versions")
        await running.fetch("INSERT INTO footprints SELECT * FROM before")
        monkeypatch.setattr(on_every_core, "SHARE", 1)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        killing = asyncio.create_task(_kill_one(killed_after_s))
        assert await correct_each(*tools, requests) == alone
        killing.cancel()
        assert await _stored(running) == stored
        assert await _recorded(running) == recorded
        assert multiprocessing.active_children() == []
        await running.assert_sound()


async def _kill_one(after_s: float | None) -> None:
    """Kill one of the processes that weigh, so long after it has begun."""
    if after_s is not None:
        await until(lambda: bool(multiprocessing.active_children()), "a process that weighs")
        await asyncio.sleep(after_s)
        for process in multiprocessing.active_children()[:1]:
            process.kill()


async def test_variants_of_a_corrected_product_keep_their_answers_and_are_named(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, variants=True) as running:
        await running.add(*BOTTLES[:2])
        await running.start()
        await running.until(completed=2)
        variant = await _footprint(running, "BOT-2")
        steel = "bill_of_materials.lines.1.material"
        (done,) = await _correct(running, ["BOT-1"], steel, "steel_recycled_eaf")
        assert done.variants == ("BOT-2",)
        assert await _footprint(running, "BOT-2") == variant
        await running.add(BOTTLES[2])
        await running.until(completed=3)
        assert await running.value("SELECT variant_of FROM products WHERE code = 'BOT-3'") is None
        corrected = await _footprint(running, "BOT-1")
        await running.fetch(
            "UPDATE products SET status = 'pending', completed_at = NULL WHERE code <> 'BOT-3'"
        )
        await running.until(completed=3)
        assert await _footprint(running, "BOT-1") == corrected
        assert await _footprint(running, "BOT-2") == variant
        await running.assert_sound()


async def test_a_correction_takes_the_check_mark_away_and_is_found_in_the_list(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        database = running.app.database
        assert await approve(database, Filter(codes=tuple(CODES)), "ana") == 3
        await _correct(running, ["P-001"], MASS, 0.6)
        for wanted in (Filter(unchecked=True), Filter(corrected=True)):
            found = await list_page(database, wanted, Order.UPLOADED)
            assert [row.code for row in found.rows] == ["P-001"]
        await _take_back(running, "P-001")
        assert (await list_page(database, Filter(corrected=True), Order.UPLOADED)).rows == []


async def test_checked_and_corrected_products_are_found_over_http_and_exported(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _correct(running, ["P-002"], MASS, 0.6)
    async with api_client(database_url, tmp_path) as client:
        approve = "/api/products/approve"
        done = await client.http.post(approve, json={"codes": ["P-001", "P-002", "X"]})
        assert done.json() == {"modifiedCount": 2, "unknownCodes": ["X"], "unfinishedCodes": []}
        assert await _listed(client, "checked=true") == ["P-001", "P-002"]
        assert await _listed(client, "checked=false") == ["P-003"]
        assert await _listed(client, "checked=true&corrected=false") == ["P-001"]
        assert await _listed(client, "corrected=true&checked=") == ["P-002"]
        back = {"codes": ["P-001"], "approved": False}
        assert (await client.http.post(approve, json=back)).json()["modifiedCount"] == 1
        assert await _listed(client, "checked=false") == ["P-001", "P-003"]
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    options = ["export", "--unchecked", "--format", "csv", "--out", str(tmp_path)]
    result = await asyncio.to_thread(CliRunner().invoke, command_line, options)
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == ["P-001", "P-003"]


async def _listed(client: ApiClient, query: str) -> list[str]:
    return [one["code"] for one in (await client.get(f"/api/products?{query}"))["products"]]


async def test_corrections_over_http(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
    async with api_client(database_url, tmp_path) as client:
        changes = [{"target": MASS, "value": 0.6}]
        path = "/api/products/corrections"
        answer = await client.http.post(path, json={"codes": ["P-001"], "changes": changes})
        assert answer.status_code == 200, answer.text
        (figure,) = answer.json()["corrected"]
        assert figure["afterKgCo2e"] > figure["beforeKgCo2e"]
        (record,) = (await client.get("/api/products/P-001/corrections"))["corrections"]
        assert (record["target"], record["after"]) == (MASS, pytest.approx(0.6))
        wrong = [{"target": MASS, "value": -1}]
        refused = await client.http.post(path, json={"codes": ["P-001"], "changes": wrong})
        assert refused.status_code == 422
        assert "no single product weighs -1 kg" in refused.text
        own = f"/api/products/P-001/corrections/{record['number']}"
        assert (await client.http.delete(own)).status_code == 200
        assert (await client.http.delete(own)).status_code == 404


async def test_what_cannot_count_is_refused_at_once_and_what_does_not_is_said(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    display = "bill_of_materials.attributes.display_lcd_inch"
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        app = running.app
        with pytest.raises(InputError, match=r"display_lcd_inch: .* no product has that.*at most"):
            await _correct(running, ["P-001"], display, 270)
        too_heavy = "would weigh more than the 0.3 kg.*or more, if you correct the mass too"
        with pytest.raises(InputError, match=too_heavy):
            await _correct(running, ["P-001"], display, 100)
        both = (read_change(display, 100), read_change(MASS, 4.0))  # in any order
        tools = (app.database, app.factors, app.questions.steps)
        (done,) = await correct(*tools, ["P-001"], Request(both, "ana", ""))
        assert done.notes == ()
        (lighter,) = await _correct(running, ["P-001"], MASS, 0.2)
        assert any("Display, LCD of 100, because it would weigh more" in n for n in lighter.notes)
        await _correct(running, ["P-001"], MASS, 0.1)  # far from the catalogue's 0.3 kg
        first_line = "bill_of_materials.lines.1.mass_kg"
        (heavier,) = await _correct(running, ["P-001"], first_line, 5.0)
        assert any("was corrected to 0.1 kg: check which" in note for note in heavier.notes)
        (again,) = await _correct(running, ["P-001"], MASS, 0.3)
        assert not any("check which" in note for note in again.notes)
        (label,) = await _correct(running, ["P-002"], "bill_of_materials.lines.1.component", "rim")
        assert label.before_kg_co2e == label.after_kg_co2e
        assert any("is a label" in note for note in label.notes)

    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    refused = await _command("correct", "P-003", "--set", f"{display}=270")
    assert refused.exit_code != 0
    assert "no product has that" in str(refused.exception)
    said = await _command("correct", "P-003", "--set", "bill_of_materials.lines.1.component=lid")
    assert "is a label" in " ".join(said.output.split())
    async with api_client(database_url, tmp_path) as client:
        changes = [{"target": display, "value": 270}]
        path = "/api/products/corrections"
        answer = await client.http.post(path, json={"codes": ["P-003"], "changes": changes})
        assert answer.status_code == 422
        assert "no product has that" in answer.text


async def test_a_name_is_taken_for_its_key_and_said_and_an_unclear_one_is_refused(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = "bill_of_materials.lines.1.material"
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        done = await _correct(running, CODES[:2], material, "Acrylic glass")
        assert [one.notes[0] for one in done] == ['"Acrylic glass" was taken as pmma_resin.'] * 2
        record = (await corrections_of(running.app.database, "P-001"))[0]
        assert record.correction.after == "pmma_resin"
        with pytest.raises(InputError, match=r"Did you mean steel_"):
            await _correct(running, CODES, material, "steel")
        with pytest.raises(InputError, match=r"Did you mean display_lcd_inch"):
            await _correct(running, CODES, "bill_of_materials.attributes.display_lcd", 20)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    said = await _command("correct", "P-003", "--set", f"{material}=paint")
    assert '"paint" was taken as paint_waterbased.' in said.output


async def _command(*arguments: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, command_line, list(arguments))


async def test_a_line_is_corrected_again_and_again_in_every_way(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "bill_of_materials.lines.1.material"
    async with program(database_url, tmp_path) as running:
        await _completed(running)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    for material in ("abs_resin", "pmma_resin", "pp_resin"):
        said = await _command("correct", "P-001", "--set", f"{line}={material}")
        assert said.exit_code == 0, said.exception
    async with api_client(database_url, tmp_path) as client:
        path = "/api/products/corrections"
        for material in ("abs_resin", "pmma_resin"):
            changes = [{"target": line, "value": material}]
            wanted = {"codes": ["P-001"], "changes": changes, "replace": True}
            answer = await client.http.post(path, json=wanted)
            assert answer.status_code == 200, answer.text
        made = (await client.get("/api/products/P-001/corrections"))["corrections"]
        assert [record["before"] for record in made[:4]] == [
            *("abs_resin", "pp_resin", "pmma_resin", "abs_resin")
        ]
        for record in reversed(made[1:]):  # the earlier ones, whatever the last rests on
            own = f"/api/products/P-001/corrections/{record['number']}"
            answer = await client.http.delete(own)
            assert "No longer applied" not in answer.text
        view = await client.get("/api/products/P-001")
        assert view["footprint"]["answered"]["billOfMaterials"][0]["material"] == "pmma_resin"


async def test_what_holds_no_more_when_something_is_taken_back_is_said(
    database_url: str, tmp_path: Path
) -> None:
    line = "bill_of_materials.lines.1."
    own = [{"material": "pmma_resin", "mass_kg": 0.3, "component": "body"}]
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _correct(running, ["P-001"], "bill_of_materials.lines", own)
        await _correct(running, ["P-001"], f"{line}mass_kg", 0.28)
        whole = (await corrections_of(running.app.database, "P-001"))[1].correction.id
        tools = (running.app.database, running.app.factors, running.app.questions.steps)
        (figure,) = await take_back(*tools, "P-001", "ana", whole)
        (said,) = figure.notes
        assert said.startswith(f"No longer applied: {line}mass_kg from 0.3 to 0.28 by ana")
        assert "line 1 was pmma_resin" in said


async def test_anchors_of_earlier_programs_lead_to_the_line_as_it_was_given(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _correct(running, ["P-001"], "bill_of_materials.lines.1.material", "abs_resin")
        await _correct(running, ["P-001"], "bill_of_materials.lines.1.mass_kg", 0.28)
        await _correct(running, ["P-001"], "manufacturing.lines.1", ["injection_moulding"])
        wanted = await running.value("SELECT array_agg(anchor ORDER BY id) FROM corrections")
        await running.fetch(
            "UPDATE corrections SET anchor = 'abs_resin' WHERE path[3] <> 'material' OR path[3] IS NULL"
        )
        await running.fetch("DELETE FROM schema_migrations WHERE number = 30")
        connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
        await migrate(connection)
        await connection.close()
        anchors = await running.value("SELECT array_agg(anchor ORDER BY id) FROM corrections")
        assert anchors == wanted
        assert len(set(wanted)) == 1


@pytest.mark.parametrize(
    "command",
    [
        "approve",
        "approve --take-back",
        "correct",
        "correct --mass 1",
        "correct --take-back 0",
        "explain",
        "history",
        "recompute",
        "what-if --country DE",
    ],
)
async def test_a_code_that_no_product_has_is_named_by_every_command(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    refused = await _command(*command.split(), "NOPE")
    assert refused.exit_code != 0, refused.output
    assert "NOPE" in str(refused.exception)


async def test_what_is_approved_and_what_is_not_is_said(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await running.stop()
        await running.add({"code": "NEW"})
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    said = await _command("approve", "P-001", "NEW", "NOPE", "--json")
    assert json.loads(said.stdout) == {
        "modifiedCount": 1,
        "unknownCodes": ["NOPE"],
        "unfinishedCodes": ["NEW"],
    }
    assert "There is no product NOPE. Not processed yet" in str(said.exception)
    assert (await _command("approve", "P-001", "--take-back")).exit_code == 0


SUBCATEGORY = "Reusable bottles & flasks"


async def test_a_subcategory_is_a_filter_and_an_unknown_category_an_error_everywhere(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = SUBCATEGORY.lower()
    async with program(database_url, tmp_path) as running:
        await _completed(running)
        await _correct(running, CODES[:2], "classification.subcategory", SUBCATEGORY)
        await _correct(running, CODES[2:], "classification.subcategory", "Laptops")
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    for command in ("correct --mass 0.4", "what-if --country CN"):
        found = await _command(*command.split(), "--json", "--category", lower)
        shown = json.loads(found.stdout)
        products = shown if isinstance(shown, list) else shown["products"]
        assert [one["code"] for one in products] == CODES[:2]
        refused = await _command(*command.split(), "--category", "Reusable bottle")
        assert f"Did you mean {SUBCATEGORY}" in str(refused.exception)
    async with api_client(database_url, tmp_path) as client:
        for category, status in ((lower, 200), ("Reusable bottle", 422)):
            chosen = {"category": category}
            supposed = {"filter": chosen, "countryOfOrigin": "CN"}
            for answer in (
                await client.http.get("/api/products/export", params={**chosen, "format": "csv"}),
                await client.http.get("/api/products/review", params=chosen),
                await client.http.post("/api/products/what-if", json=supposed),
                await client.http.get("/products", params=chosen),
                await client.http.get("/products-found", params=chosen),
            ):
                assert answer.status_code == status, (answer.url, answer.text)
                if status != 200:
                    assert (
                        SUBCATEGORY.replace("&", "&amp;") in answer.text
                        or SUBCATEGORY in answer.text
                    )
                elif "html" in answer.headers["content-type"]:
                    assert "P-003" not in answer.text
        page = await client.http.get("/products", params={"category": lower})
        assert "P-001" in page.text
