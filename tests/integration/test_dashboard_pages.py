"""Pages over the real database: what they say, what they refuse, and what they let people
change.
"""

from __future__ import annotations

import asyncio
import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from tests.support.api import ApiClient, api_client
from tests.support.application import program
from weighbridge.dashboard.formats import dollars, kilograms
from weighbridge.domain.batches import ENDED, BatchStatus, RemoteBatch
from weighbridge.service.access.tokens import Role, add_token
from weighbridge.store import batches
from weighbridge.store.batches import BatchState
from weighbridge.store.imports import IMPORT_LOCK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from httpx2 import Response

pytestmark = pytest.mark.anyio

PAGES = (
    "/", "/upload", "/products", "/products-found", "/insights", "/failures", "/cost", "/batches", "/audit", "/settings",
    "/settings/factors", "/review",
)  # fmt: skip
BOTTLE = {
    "code": "A/1 ?#%é",
    "name": "Steel <b>bottle</b>",
    "description": "Stainless steel, 500 ml, double wall",
    "weight": 0.35,
    "countryOfOrigin": "DE",
}
BOTTLE_PAGE = "/products/A%2F1%20%3F%23%25%C3%A9"
BOTTLE_API = f"/api{BOTTLE_PAGE}"
PATIENCE_S = 60
MASS = "bill_of_materials.mass_kg"
MATERIAL = "bill_of_materials.lines.1.material"
PROCESSES = "manufacturing.lines.1"
PROCESS, OTHER_PROCESS = "aluminium_extrusion", "aluminium_anodising"


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as opened:
        yield opened


async def _weigh(client: ApiClient, url: str, folder: Path, count: int = 1) -> None:
    async with program(url, folder) as running:
        await running.work()
        await running.until(completed=count)
        await running.stop()
    await client.http.post("/api/products/start-queue")


async def test_every_page_shows_what_to_do_first_when_there_is_nothing(client: ApiClient) -> None:
    for path in PAGES:
        page = await client.http.get(path)
        assert page.status_code == 200, path
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert " style=" not in page.text
        assert " onclick=" not in page.text
    assert "No products yet." in (await client.http.get("/")).text
    assert "Upload a catalogue" in (await client.http.get("/insights")).text


async def test_a_product_has_a_page_whatever_its_code_and_name_contain(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    assert "Waiting in the queue" in (await client.http.get(BOTTLE_PAGE)).text
    await _weigh(client, database_url, tmp_path)
    page = (await client.http.get(BOTTLE_PAGE)).text
    assert "Steel &lt;b&gt;bottle&lt;/b&gt;" in page
    assert "<b>bottle" not in page
    assert 'class="tag simulated"' in page
    assert "Why this figure" in page
    for path in PAGES:
        assert (await client.http.get(path)).status_code == 200, path
    insights = (await client.http.get("/insights")).text
    assert "invented by the simulator" in insights


async def test_insights_show_the_totals_of_the_command_line_and_the_api(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    lines = [
        "code,name,description,weight,quantity,supplier",
        "A,Bottle,Steel bottle,0.3,1000,Acme",
    ]
    lines += ["B,Shelf,Oak shelf,2.4,7,Øst & Søn", "C,Cap,Cotton cap,0.1,,"]
    await client.http.post(
        "/api/products/bulk-upload",
        content="\n".join(lines).encode(),
        headers={"Content-Type": "text/csv"},
    )
    await _weigh(client, database_url, tmp_path, 3)
    page = unescape((await client.http.get("/insights")).text)
    for by in ("category", "material", "supplier"):
        totals = await client.get(f"/api/products/totals?by={by}&limit=12")
        assert f"<strong>{kilograms(totals['totalKgCo2e'])}</strong> CO" in page
        for group in totals["groups"]:
            assert group["name"] in page
            assert f">{kilograms(group['totalKgCo2e'])}<" in page
    assert "1 without one count as one piece each" in page


async def test_a_correction_is_checked_stored_noted_and_weighed_again(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    form = {
        "name": "Steel bottle",
        "description": BOTTLE["description"],
        "weight": "0.7",
        "countryOfOrigin": "DE",
    }
    refused = await client.http.post(
        f"{BOTTLE_PAGE}/correct", data={**form, "name": "", "weight": "0.7"}
    )
    assert refused.status_code == 422
    assert "name:" in refused.text
    done = await client.http.post(f"{BOTTLE_PAGE}/correct", data=form)
    assert (done.status_code, done.headers["location"]) == (303, BOTTLE_PAGE)
    page = (await client.http.get(BOTTLE_PAGE)).text
    assert 'hx-trigger="every 1s"' in page
    assert "0.35 → 0.7" in page
    await _weigh(client, database_url, tmp_path)
    assert 'hx-trigger="every 1s"' not in (await client.http.get(f"{BOTTLE_PAGE}/figure")).text
    entry = (await client.get("/api/audit?limit=10"))["entries"]
    corrected = next(one for one in entry if one["action"] == "corrected a product")
    assert corrected["subject"] == BOTTLE["code"]
    assert corrected["detail"]["weight"] == [0.35, 0.7]
    assert "data-select aria-label" in (await client.http.get("/products?corrected=1")).text
    unchanged = await client.http.post(f"{BOTTLE_PAGE}/correct", data=form)
    assert unchanged.status_code == 303
    assert "Nothing was changed" in (await client.http.get(BOTTLE_PAGE)).text


async def _edit(client: ApiClient, changes: dict[str, str], **more: str) -> Response:
    """The form of answers as a browser sends it, with these values changed."""
    page = (await client.http.get(BOTTLE_PAGE)).text
    shown = {
        unescape(target): unescape(value)
        for target, value in re.findall(r'name="was\.([^"]+)" value="([^"]*)"', page)
    }
    form = {f"was.{target}": value for target, value in shown.items()}
    form |= {f"to.{target}": value for target, value in {**shown, **changes}.items()}
    return await client.http.post(f"{BOTTLE_PAGE}/answers", data={**form, **more})


async def test_answers_are_corrected_in_place_and_the_figure_moves_without_a_call(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    done = await _edit(client, {MASS: "0.7", MATERIAL: "recycled aluminium"}, reason="the drawing")
    assert (done.status_code, done.headers["location"]) == (303, f"{BOTTLE_PAGE}#answers")
    page = (await client.http.get(BOTTLE_PAGE)).text
    assert "The footprint changed from" in page
    assert ": the drawing" in page
    assert 'value="Aluminium, secondary ingot"' in page
    assert "Take back" in page
    for text, mass_kg in (("710 g", 0.71), ("0,72", 0.72), ("0.73 kg", 0.73), ("0.7", 0.7)):
        assert (await _edit(client, {MASS: text})).status_code == 303
        newest = (await client.get(f"{BOTTLE_API}/corrections"))["corrections"][0]
        assert newest["after"] == mass_kg
    unchanged = await _edit(client, {})
    assert unchanged.status_code == 303
    assert "Nothing was changed" in (await client.http.get(BOTTLE_PAGE)).text
    listed = (await client.get(f"{BOTTLE_API}/corrections"))["corrections"]
    assert {one["target"] for one in listed} == {MASS, MATERIAL}
    for one in listed:
        back = await client.http.post(f"{BOTTLE_PAGE}/take-back", data={"number": one["number"]})
        assert back.status_code == 303
    assert "taken back by" in (await client.http.get(BOTTLE_PAGE)).text


async def test_every_answer_that_cannot_be_is_refused_beside_its_field(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    refused = await _edit(client, {MASS: "heavy", MATERIAL: "aluminium recycld"})
    assert refused.status_code == 422
    assert refused.text.count('class="error"') == 2
    assert "Did you mean Aluminium, secondary ingot" in refused.text
    assert refused.text.count("This has to be") == 2  # the label beside it names the field
    assert 'value="heavy"' in refused.text
    assert (await client.get(f"{BOTTLE_API}/corrections"))["corrections"] == []
    unknown = await _edit(client, {}, attribute="colour", **{"attribute-value": "3"})
    assert unknown.status_code == 422
    strange = await client.http.post(f"{BOTTLE_PAGE}/answers", data={"to.nonsense": "1"})
    assert strange.status_code == 422
    number = await client.http.post(f"{BOTTLE_PAGE}/take-back", data={"number": "one"})
    assert number.status_code == 422


async def test_country_and_energy_of_a_process_are_corrected_in_place(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    facts = {
        "country": "Poland",
        "electricity_kwh_per_kg": "1.25",
        "electricity_kg_co2e_per_kwh": "0.05",
        "energy_source": "meter readings 2025",
    }
    wrong = {"country": "Atlantis", "electricity_kwh_per_kg": "1,25 kWh", "heat_kwh_per_kg": "-1"}
    refused = await _edit(client, {f"{PROCESSES}.{name}": text for name, text in wrong.items()})
    assert (refused.status_code, refused.text.count('class="error"')) == (422, 3)
    assert 'value="Atlantis"' in refused.text
    both = {MATERIAL: "recycled aluminium", PROCESSES: PROCESS}
    both |= {f"{PROCESSES}.{name}": text for name, text in facts.items()}
    assert (await _edit(client, both, reason="visited")).status_code == 303
    page = (await client.http.get(BOTTLE_PAGE)).text
    for name, text in {**facts, "country": "PL"}.items():
        assert f'name="to.{PROCESSES}.{name}" value="{text}"' in page, name
    two = f"{PROCESS}; {OTHER_PROCESS}"
    each = {PROCESSES: two, f"{PROCESSES}.electricity_kwh_per_kg": "1.25; 0.5"}
    assert (await _edit(client, each)).status_code == 303
    page = (await client.http.get(BOTTLE_PAGE)).text
    assert f'name="to.{PROCESSES}.electricity_kwh_per_kg" value="1.25; 0.5"' in page
    assert f'name="to.{PROCESSES}.country" value="PL"' in page
    emptied = {f"{PROCESSES}.electricity_kwh_per_kg": "", f"{PROCESSES}.country": ""}
    assert (await _edit(client, emptied)).status_code == 303
    page = (await client.http.get(BOTTLE_PAGE)).text
    for name in ("electricity_kwh_per_kg", "country"):
        assert f'name="to.{PROCESSES}.{name}" value=""' in page
    assert "meter readings 2025" in page


async def test_a_second_person_sees_the_earlier_correction_before_replacing_it(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    await _edit(client, {MASS: "0.7"})
    ben = await add_token(client.context.database, "ben", Role.OPERATOR)
    client.context.gate.forget()
    client.http.headers["Authorization"] = f"Bearer {ben}"
    assert "corrected by" in (await client.http.get(BOTTLE_PAGE)).text
    refused = await _edit(client, {MASS: "0.8"})
    assert refused.status_code == 422
    assert "has corrected this already" in refused.text
    assert 'name="replace"' in refused.text
    assert (await _edit(client, {MASS: "0.8"}, replace="1")).status_code == 303
    newest = (await client.get(f"{BOTTLE_API}/corrections"))["corrections"][0]
    assert (newest["madeBy"], newest["after"]) == ("ben", 0.8)


async def _form_drawn(client: ApiClient) -> dict[str, str]:
    """The fields of the form of answers, by name, as the page has them now."""
    page = (await client.http.get(BOTTLE_PAGE)).text
    pairs = re.findall(r'name="((?:was|to)\.[^"]+)" value="([^"]*)"', page)
    return {unescape(name): unescape(value) for name, value in pairs}


async def test_a_page_left_open_does_not_change_what_it_did_not_show(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    drawn = await _form_drawn(client)
    assert (await _edit(client, {MASS: "0.7"})).status_code == 303
    stale = {**drawn, f"to.{MASS}": "0.8"}
    refused = await client.http.post(f"{BOTTLE_PAGE}/answers", data=stale)
    assert refused.status_code == 422
    assert "This was 0.35 when the page was opened, and is 0.7 now" in refused.text
    assert f'name="to.{MASS}" value="0.8"' in refused.text
    assert f'name="was.{MASS}" value="0.7"' in refused.text  # so the next press stores it
    bill = [{"material": "pp_resin", "mass_kg": 0.7, "component": "body"}]
    change = {"target": "bill_of_materials.lines", "value": bill}
    await client.http.post(
        "/api/products/corrections", json={"codes": [BOTTLE["code"]], "changes": [change]}
    )
    other_part = {**drawn, f"to.{MATERIAL}": "Aluminium, secondary ingot"}
    refused = await client.http.post(f"{BOTTLE_PAGE}/answers", data=other_part)
    assert (refused.status_code, "was left out" in refused.text) == (422, True)
    assert f'name="to.{MATERIAL}" value="Polypropylene resin"' in refused.text
    last = max(
        name for name in drawn if re.fullmatch(r"to\.bill_of_materials\.lines\.\d\.mass_kg", name)
    )
    assert not last.startswith("to.bill_of_materials.lines.1.")
    refused = await client.http.post(f"{BOTTLE_PAGE}/answers", data={**drawn, last: "0.01"})
    assert (refused.status_code, "There is no mass of line" in refused.text) == (422, True)
    stored = (await client.get(f"{BOTTLE_API}/corrections"))["corrections"]
    assert [one["target"] for one in stored] == ["bill_of_materials.lines", MASS]


async def test_a_correction_of_a_product_that_waits_again_is_refused_in_sight(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    drawn = await _form_drawn(client)
    await client.http.post("/api/products", json={**BOTTLE, "weight": 0.5})
    refused = await client.http.post(f"{BOTTLE_PAGE}/answers", data={**drawn, f"to.{MASS}": "0.4"})
    assert (refused.status_code, "Your correction was not stored" in refused.text) == (422, True)


async def test_each_action_on_a_page_is_one_entry_of_the_audit_log(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    before = len((await client.get("/api/audit?limit=100"))["entries"])
    await _edit(client, {MASS: "0.7"})
    number = (await client.get(f"{BOTTLE_API}/corrections"))["corrections"][0]["number"]
    await client.http.post(f"{BOTTLE_PAGE}/take-back", data={"number": number})
    await client.http.post(f"{BOTTLE_PAGE}/act", data={"action": "approve"})
    await client.http.post(f"{BOTTLE_PAGE}/act", data={"action": "take-back"})
    entries = (await client.get("/api/audit?limit=100"))["entries"]
    assert [one["action"] for one in entries[: len(entries) - before]] == [
        "took approvals back", "approved products", "took corrections back", "corrected answers",
    ]  # fmt: skip


async def test_pact_files_are_offered_once_the_company_is_known(
    client: ApiClient, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    for path in ("/products", "/products-found"):
        page = (await client.http.get(path)).text
        assert "Set WEIGHBRIDGE_COMPANY_NAME" in page
        assert "format=pact" not in page
    monkeypatch.setenv("WEIGHBRIDGE_COMPANY_NAME", "Acme Ltd")
    monkeypatch.setenv("WEIGHBRIDGE_COMPANY_DOMAIN", "acme.example")
    monkeypatch.setenv("WEIGHBRIDGE_COMPANY_IDS", "urn:lei:529900T8BM49AURSDO55")
    async with api_client(database_url, tmp_path) as known:
        for path, query in (("/products", ""), ("/products-found?search=bottle", "&search=bottle")):
            page = unescape((await known.http.get(path)).text)
            for kind in ("pact", "pact2"):
                address = f"/api/products/export?format={kind}{query}"
                assert f'href="{address}"' in page
                answer = await known.http.get(address)
                assert answer.status_code == 200, answer.text


FACTS_FORM = {
    "name": "Steel bottle",
    "description": BOTTLE["description"],
    "weight": "0.35",
    "countryOfOrigin": "DE",
}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"weight": "much"}, "weight:"),
        ({"weight": "-1"}, "is not above 0"),
        ({"weight": "0"}, "is not above 0"),
        ({"countryOfOrigin": "Atlantis"}, "countryOfOrigin:"),
    ],
)
async def test_a_fact_that_cannot_be_read_does_not_take_the_present_one_away(
    client: ApiClient, edit: dict[str, str], words: str
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    refused = await client.http.post(f"{BOTTLE_PAGE}/correct", data={**FACTS_FORM, **edit})
    assert (refused.status_code, words in refused.text) == (422, True)
    stored = await client.get(BOTTLE_API)
    assert (stored["weight"], stored["countryOfOrigin"]) == (0.35, "DE")


async def test_facts_that_were_not_edited_stay_as_they_are_by_now(client: ApiClient) -> None:
    weight = 0.123456789
    description = "Stainless steel,\n500 ml"
    await client.http.post(
        "/api/products", json={**BOTTLE, "weight": weight, "description": description}
    )
    page = (await client.http.get(BOTTLE_PAGE)).text
    names = ("name", "description", "weight", "countryOfOrigin")
    was = {
        name: unescape(value)
        for name, value in re.findall(r'name="was\.([^"]+)" value="([^"]*)"', page)
        if name in names
    }
    assert set(was) == set(names)
    as_sent = {name: text.replace("\n", "\r\n") for name, text in was.items()}
    form = {**as_sent, **{f"was.{name}": text for name, text in as_sent.items()}}
    address = f"{BOTTLE_PAGE}/correct"
    await client.http.post(address, data={**form, "name": "Bottle"})
    stored = await client.get(BOTTLE_API)
    assert (stored["name"], stored["weight"]) == ("Bottle", weight)
    assert stored["description"].split() == description.split()
    await client.http.post(address, data={**form, "countryOfOrigin": "PL"})
    stored = await client.get(BOTTLE_API)
    assert (stored["name"], stored["countryOfOrigin"]) == ("Bottle", "PL")
    refused = await client.http.post(address, data={**form, "name": "Flask"})
    assert (refused.status_code, "and is Bottle now" in refused.text) == (422, True)
    assert 'name="was.name" value="Bottle"' in refused.text  # so the next press stores it


async def test_what_did_nothing_is_no_entry_of_the_audit_log(client: ApiClient) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    before = (await client.get("/api/audit?limit=100"))["entries"]
    form = {**FACTS_FORM, "name": BOTTLE["name"]}
    await client.http.post(f"{BOTTLE_PAGE}/correct", data=form)
    await client.http.post(f"{BOTTLE_PAGE}/act", data={"action": "dance"})
    await client.http.post("/products/selection", data={"action": "approve"})
    await client.http.post("/products/selection", data={"action": "dance", "code": "A"})
    await client.http.post("/settings", data={})
    assert (await client.get("/api/audit?limit=100"))["entries"] == before


async def test_settings_are_changed_or_refused_beside_their_field(client: ApiClient) -> None:
    page = "/settings"
    done = await client.http.post(
        page, data={"config.batchSize": "1,000", "config.pacing": "batch"}
    )
    assert done.status_code == 303
    assert (await client.get("/api/products/queue-config"))["batchSize"] == 1000
    refused = await client.http.post(page, data={"config.batchSize": "0"})
    assert refused.status_code == 422
    assert 'id="batchSize-error"' in refused.text
    nonsense = await client.http.post(page, data={"config.batchDelayMs": "soon"})
    assert 'id="batchDelayMs-error"' in nonsense.text
    assert (await client.get("/api/products/queue-config"))["batchSize"] == 1000


async def test_caps_on_money_are_shown_set_and_refused_beside_their_field(
    client: ApiClient,
) -> None:
    refused = await client.http.post("/settings/budgets", data={"cap.day": "ten", "cap.month": ""})
    assert refused.status_code == 422
    assert 'id="cap-day-error"' in refused.text
    assert 'value="ten"' in refused.text
    done = await client.http.post("/settings/budgets", data={"cap.day": "$12.50", "cap.month": ""})
    assert done.status_code == 303
    assert 'value="12.5"' in (await client.http.get("/settings")).text
    assert "$12.50" in (await client.http.get("/")).text
    assert (await client.get("/api/budgets"))["budgets"][0]["capUsd"] == 12.5
    await client.http.post("/settings/budgets", data={"cap.day": "", "cap.month": ""})
    assert (await client.get("/api/budgets"))["budgets"] == []


def _costs(usd: float) -> dict[str, float]:
    return {"costUsd": usd, "lowUsd": usd / 2, "highUsd": usd * 2}


async def test_the_report_offers_each_lane_with_its_price_and_the_upload_takes_it(
    client: ApiClient,
) -> None:
    file = {"file": ("one.csv", "code,name,description\nL-1,Cup,A cup of porcelain\n", "text/csv")}
    inspected = (await client.http.post("/api/products/inspect", files=file)).json()
    prices = {"online": 8.0, "flex": 4.0, "batch": 3.0}
    estimate = {"requests": 3, "hours": 0.1, "priceKnown": True, **_costs(prices["online"])}
    tiers = [{"tier": lane, **_costs(prices[lane])} for lane in ("flex", "batch")]
    priced = {**inspected, "estimate": {**estimate, "tiers": tiers}}
    page = (await client.http.post("/upload/report", json=priced)).text
    for lane, price in prices.items():
        row = page.partition(f'id="lane-{lane}"')[2].partition("lane-price")[2]
        assert row.startswith(f'"><strong>{dollars(price)}</strong>'), lane
    without_tiers = {**inspected, "estimate": {**estimate, "tiers": []}}
    unpriced = {**inspected, "estimate": {**estimate, "tiers": [], "priceKnown": False}}
    for document, unknown in ((inspected, 3), (unpriced, 3), (without_tiers, 2)):
        page = (await client.http.post("/upload/report", json=document)).text
        assert page.count("No price known</span>") == unknown
    form = {"lane": "batch"}
    await client.http.post("/api/products/bulk-upload", files=file, data=form)
    assert await client.context.database.pool.fetchval("SELECT lane FROM products") == "batch"


async def _upload_page_with(client: ApiClient, text: str) -> str:
    """The upload page as soon as it says that."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            page = (await client.http.get("/upload")).text
            if text in page:
                return page
            await asyncio.sleep(0.05)


async def test_the_upload_page_says_what_became_of_a_file(client: ApiClient) -> None:
    assert "Nothing has been uploaded yet" in (await client.http.get("/upload")).text
    rows = "code,name,description\nL-1,Cup,A cup of porcelain\n,Jug,No code\n"
    file = {"file": ("<cups>.csv", rows, "text/csv")}
    pool = client.context.database.pool
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", IMPORT_LOCK)
        upload = asyncio.create_task(client.http.post("/api/products/bulk-upload", files=file))
        page = await _upload_page_with(client, "being stored")
        assert "&lt;cups&gt;.csv" in page
        assert 'hx-get="/upload/recent?again=1"' in page
        assert ">stored<" not in page
    assert (await upload).status_code == 201
    page = (await client.http.get("/upload/recent?again=1")).text
    assert "being stored" not in page
    row = page.partition("&lt;cups&gt;.csv")[2].partition("</tr>")[0]
    assert ">stored<" in row
    assert [int(count) for count in re.findall(r'data-label="\w+">(\d+)<', row)] == [1, 0, 0, 1]
    refused = {"file": ("nothing.csv", "a,b\n1,2\n", "text/csv")}
    answer = await client.http.post("/api/products/bulk-upload", files=refused)
    assert answer.status_code == 422
    assert "nothing.csv" not in (await client.http.get("/upload")).text
    await client.execute(
        "INSERT INTO audit_log (actor, action, detail) SELECT 'ana', 'corrected', '{}'"
        " FROM generate_series(1, 5000)"
    )
    assert "&lt;cups&gt;.csv" in (await client.http.get("/upload")).text


async def test_what_was_stored_says_which_cells_were_not_used(client: ApiClient) -> None:
    rows = "code,name,description,image\nN-1,Cup,A cup,pictures/cup.png\n,Jug,No code,\n"
    file = {"file": ("cups.csv", rows, "text/csv")}
    stored = (await client.http.post("/api/products/bulk-upload", files=file)).json()
    page = (await client.http.post("/upload/result", json={**stored, "lane": ""})).text
    assert "paths of files are not followed" in page
    assert stored["notesUrl"] in page
    assert (await client.http.get(stored["notesUrl"])).text.count("\n") == 2


async def test_factors_that_do_not_fit_are_said_and_can_be_taken_back(client: ApiClient) -> None:
    await client.http.post("/settings/factors/take-back")
    assert "no factors are uploaded" in (await client.http.get("/settings/factors")).text
    await client.execute(
        "INSERT INTO factor_uploads (name, content, made_by) VALUES ('old.csv', $1, 'ana')",
        b"kind,key,source,source_id,year,region,licence\nmaterial,gone,,,,,\n",
    )
    page = (await client.http.get("/settings/factors")).text
    assert "do not fit this version" in page
    assert (await client.http.get("/settings")).status_code == 200
    done = await client.http.post("/settings/factors/take-back")
    assert done.status_code == 303
    page = (await client.http.get("/settings/factors")).text
    assert "old.csv are taken back" in page
    assert "do not fit this version" not in page
    actions = [one["action"] for one in (await client.get("/api/audit"))["entries"]]
    assert actions.count("took factors back") == 1


async def test_a_token_is_made_shown_once_and_revoked(client: ApiClient) -> None:
    made = await client.http.post("/settings/tokens", data={"name": "ana", "role": "operator"})
    token = made.text.partition('<code class="token">')[2].partition("</code>")[0]
    assert token.startswith("wb_")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await client.http.get("/settings")).status_code == 401
    shown = (await client.http.get("/settings", headers=headers)).text
    assert "ana" in shown
    assert token not in shown
    twice = await client.http.post("/settings/tokens", data={"name": "ana"}, headers=headers)
    assert twice.status_code == 422
    await client.http.post("/settings/tokens/revoke", data={"name": "ana"}, headers=headers)
    assert (await client.http.get("/settings", headers=headers)).status_code == 401
    entries = await client.context.database.pool.fetch("SELECT action, subject FROM audit_log")
    assert ("revoked a token", "ana") in [tuple(entry) for entry in entries]


async def test_browsers_get_errors_as_pages_and_programs_as_documents(client: ApiClient) -> None:
    html = {"Accept": "text/html"}
    page = await client.http.get("/products/nobody", headers=html)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no product nobody." in page.text
    assert page.headers["x-frame-options"] == "DENY"
    document = await client.http.get("/products/nobody")
    assert document.headers["content-type"] == "application/problem+json"
    api = await client.http.get("/api/products/nobody", headers=html)
    assert api.headers["content-type"] == "application/problem+json"


async def test_the_overview_says_what_to_know_of_the_model(client: ApiClient) -> None:
    notice = "gpt-4.1-mini will be shut down on 2027-01-14."
    await client.execute(
        "INSERT INTO provider_facts (provider, model, notices) VALUES ('openai', 'gpt-4.1-mini', "
        "jsonb_build_array($1::text))",
        notice,
    )
    assert f'<p class="banner warn" role="note">{notice}</p>' in (await client.http.get("/")).text
    status = await client.get("/api/products/queue-status")
    assert status["provider"]["notices"] == [notice]


async def test_failures_come_in_groups_that_can_be_tried_again(client: ApiClient) -> None:
    await client.add_products(3, status="failed", prefix="F")
    await client.execute(
        "UPDATE products SET error_kind = 'AnswerTruncated', error = 'The answer was cut off'"
        " WHERE code <> 'F00001'"
    )
    page = (await client.http.get("/failures")).text
    assert "3 products have no figure" in page
    assert "AnswerTruncated" in page
    done = await client.http.post("/failures/retry", data={"kind": "AnswerTruncated"})
    assert done.status_code == 303
    status = await client.get("/api/products/queue-status")
    assert (status["database"]["pending"], status["database"]["failed"]) == (2, 1)


async def test_assets_are_kept_by_browsers_and_nothing_else_is_served(client: ApiClient) -> None:
    asset = await client.http.get("/static/weighbridge.css")
    assert "immutable" in asset.headers["cache-control"]
    for path in ("../app.py", "%2e%2e/app.py", "vendor/SHA256SUMS", "nothing.css"):
        assert (await client.http.get(f"/static/{path}")).status_code == 404


async def test_a_form_that_is_too_large_is_refused(client: ApiClient) -> None:
    answer = await client.http.post("/login", content=b"token=" + b"x" * 20_000)
    assert answer.status_code == 422


async def test_recorded_answers_are_marked_on_the_list_and_on_the_product(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    await _weigh(client, database_url, tmp_path)
    assert "recorded</span>" not in (await client.http.get("/products")).text
    await client.execute("UPDATE footprints SET provider = 'recorded'")
    await client.execute("UPDATE answers SET provider = 'recorded'")
    assert "recorded</span>" in (await client.http.get("/products")).text
    assert "recorded</span>" in (await client.http.get(BOTTLE_PAGE)).text


async def test_a_ribbon_on_every_page_says_what_no_model_was_asked_for(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    await client.http.post("/api/products", json=BOTTLE)
    for path in PAGES:
        assert 'class="ribbon"' not in (await client.http.get(path)).text, path
    await _weigh(client, database_url, tmp_path)
    client.app.state.dashboard.marks.forget()
    for path in (*PAGES, BOTTLE_PAGE):
        assert "<strong>Simulated.</strong>" in (await client.http.get(path)).text, path
    await client.execute("UPDATE footprints SET provider = 'recorded', simulated = false")
    client.app.state.dashboard.marks.forget()
    for path in (*PAGES, BOTTLE_PAGE):
        page = (await client.http.get(path)).text
        assert "<strong>Recorded.</strong>" in page, path
        assert "<strong>Simulated.</strong>" not in page, path


async def test_batches_show_their_state_progress_and_money(client: ApiClient) -> None:
    async with client.context.database.transaction() as connection:
        for number, (status, completed) in enumerate(
            [(BatchStatus.COMPLETED, 40), (BatchStatus.EXPIRED, 10), (BatchStatus.IN_PROGRESS, 20)]
        ):
            key = f"key-{number}"
            await batches.insert(
                connection,
                key,
                provider="simulator",
                simulated=True,
                model="gpt-6-luna",
                job_ids=[number],
                tokens=1_000,
                committed_usd=1.25,
                spans=[],
            )
            await connection.execute("UPDATE batches SET requests = 40 WHERE key = $1", key)
            stored = await batches.find(connection, key)
            assert stored is not None
            remote = RemoteBatch(f"batch_{number}", status, 40, completed, 0)
            await batches.mark_submitted(connection, stored.id, remote)
            if status in ENDED:
                await batches.close(connection, stored, BatchState.COLLECTED)
    page = (await client.http.get("/batches")).text
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)[1:]
    expected = [("in progress", "20 of 40"), ("expired", "10 of 40"), ("collected", "40 of 40")]
    assert [
        state in row and answered in row
        for (state, answered), row in zip(expected, rows, strict=True)
    ] == [True, True, True]
    assert ["$1.25" in row for row in rows] == [True, False, False]
    assert 'hx-trigger="every 30s"' in page  # one batch is open
    older = (await client.http.get("/batches?before=3")).text
    assert "hx-trigger" not in older
    assert "batch_1" in older
    assert "batch_2" not in older
