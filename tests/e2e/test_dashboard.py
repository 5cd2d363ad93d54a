"""The dashboard in a real Chromium: one server, one browser, what people do.

Whatever the browser complains about (script errors, scripts and styles that the policy blocks,
answers of 500 and above) fails the test in which it happens.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.chromium import (
    PATIENCE_MS,
    Complaints,
    find_browser,
    open_browser,
    violations,
)
from tests.support.server_process import PATIENCE_S, ServerProcess, server_process
from weighbridge.service.access.sessions import SESSION_COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Dialog, Page, Route

    from tests.support.database import PostgresForTests

pytestmark = pytest.mark.e2e

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - of this test only
PAGES = (
    "/", "/upload", "/products", "/products/B-1", "/products/nobody", "/products-found", "/insights", "/failures", "/cost", "/batches", "/audit",
    "/settings", "/settings/factors", "/review",
)  # fmt: skip
EXAMPLE_PICTURE = Path(__file__).parents[2] / "examples" / "images" / "bottle.png"
CATALOGUE = """sku;Produktname;Erläuterung;Gewicht (g);Herkunft hier
C-1;Edelstahlflasche;Flasche aus Edelstahl, 500 ml, doppelwandig;350;DE
C-2;Eichenregal;Wandregal aus massiver Eiche mit zwei Stahlwinkeln;2400;PL
;ohne Nummer;Eine Zeile ohne Artikelnummer;1;DE
"""
FACTORS = """kind,key,name,family,value,low,high,unit,source,source_id,year,region,licence
material,our_alloy,Our alloy,stainless,9,8,10,{unit},Our mill,EPD 7,2025,DE,ours
"""


@pytest.fixture(scope="module")
def server(
    postgres: PostgresForTests, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    find_browser()
    folder = tmp_path_factory.mktemp("dashboard")
    with server_process(
        postgres.create_database(),
        folder,
        WEIGHBRIDGE_API_TOKEN=TOKEN,
        WEIGHBRIDGE_PACING="continuous",
        WEIGHBRIDGE_REQUESTS_PER_MINUTE="5000",
        WEIGHBRIDGE_TOKENS_PER_MINUTE="20000000",
    ) as running:
        bottle = {"code": "B-1", "name": "Bottle", "description": "Steel bottle", "weight": 0.3}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        running.call("POST", "/api/products", json.dumps(bottle).encode(), **headers)
        running.until("/api/products/B-1", is_weighed, PATIENCE_S, **headers)
        yield running


def is_weighed(product: dict[str, Any]) -> bool:
    """Whether it has a figure that a test can look at."""
    return bool(product["aiProcessingStatus"] == "completed")


@pytest.fixture(scope="module")
def browser(server: ServerProcess) -> Iterator[Browser]:
    """After the database was made: Playwright keeps an event loop running in this thread."""
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    """A new visitor; what the browser complains about fails the test."""
    context = browser.new_context(base_url=server.base)
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    opened = context.new_page()
    complaints = Complaints(opened)
    yield opened
    context.close()
    assert complaints.heard == []


def log_in(page: Page, token: str = TOKEN, next_page: str = "/") -> None:
    page.goto(f"/login?next={next_page}")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_a_browser_logs_in_with_the_right_token_only_and_out_again(page: Page) -> None:
    page.goto("/cost")
    expect(page).to_have_title("Log in · Weighbridge")
    page.get_by_label("Token").fill("a-token-that-is-wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not a valid token of this server")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_title("Cost · Weighbridge")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_title("Log in · Weighbridge")
    page.goto("/")
    expect(page).to_have_title("Log in · Weighbridge")


def test_a_session_that_has_ended_leads_to_the_login_and_back(page: Page) -> None:
    log_in(page)
    expect(page).to_have_title("Overview · Weighbridge")

    def end_session() -> None:
        page.context.clear_cookies(name=SESSION_COOKIE)
        page.context.add_cookies([{"name": SESSION_COOKIE, "value": "ended", "url": page.url}])

    end_session()
    page.evaluate("source => dispatchEvent(new Event(source))", "weighbridge:reconnect")
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    assert violations(page) == []
    page.goto("/login?next=/products")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_title("Products · Weighbridge")
    end_session()
    page.get_by_label("Search").fill("anything")
    expect(page).to_have_title("Log in · Weighbridge")


def test_the_queue_is_stopped_in_one_tab_and_started_in_another(page: Page) -> None:
    log_in(page)
    other = page.context.new_page()
    other.goto("/")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".flash")).to_contain_text("Stopped.")
    expect(other.get_by_role("heading", level=1)).to_contain_text("Stopped.")
    other.get_by_role("button", name="Start").click()
    expect(other.locator(".flash")).to_contain_text("Started.")
    for tab in (page, other):
        expect(tab.get_by_role("heading", level=1)).to_contain_text("processed.")
    expect(page.locator(".flash")).to_have_count(0)


def test_back_goes_through_the_filters_that_were_set(page: Page) -> None:
    log_in(page, next_page="/products")
    search = page.get_by_label("Search")
    for text in ("B-1", "B-12"):
        search.fill(text)
        expect(page).to_have_url(re.compile(f"search={text}&"))
    expect(page.get_by_text("Nothing fits")).to_be_visible()
    page.go_back()
    expect(search).to_have_value("B-1")
    expect(page.get_by_role("link", name="B-1")).to_be_visible()
    page.go_back()
    expect(search).to_have_value("")
    page.go_forward()
    expect(search).to_have_value("B-1")


def test_an_upload_is_sent_once_and_leaving_in_the_middle_asks_first(
    page: Page, tmp_path: Path
) -> None:
    catalogue = tmp_path / "one.csv"
    catalogue.write_text("code,name,description\nB-1,Bottle,Steel bottle\n", encoding="utf-8")
    sent: list[str] = []
    asked: list[str] = []
    log_in(page, next_page="/upload")
    page.route("**/api/products/bulk-upload", lambda _: None)  # the server never gets it
    page.on("request", lambda one: sent.append(one.url) if "bulk-upload" in one.url else None)
    page.get_by_label("Choose a file").set_input_files(catalogue)
    store = page.get_by_role("button", name="Store and weigh 1 product")
    with page.expect_request("**/api/products/bulk-upload"):
        store.dblclick()
        expect(page.get_by_text("Storing one.csv")).to_be_visible()

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.once("dialog", accept)
    page.reload()
    expect(page.get_by_text("Drop a file here")).to_be_visible()
    assert (len(sent), asked) == (1, ["beforeunload"])
    expect(page.get_by_role("heading", name="Recent uploads")).to_be_visible()
    expect(page.get_by_role("rowheader", name="one.csv")).to_have_count(0)  # it was not stored


LATE_SCRIPTS = re.compile(r"/static/(?!first\.js|weighbridge\.css|icon\.svg)")


def held_back(page: Page) -> list[Route]:
    """The scripts that do not arrive until the test lets them, as on a slow line."""
    held: list[Route] = []
    page.route(LATE_SCRIPTS, lambda route: held.append(route))
    return held


def let_go(page: Page, held: list[Route]) -> None:
    """The scripts arrive."""
    assert held
    for route in held:
        route.continue_()
    page.unroute(LATE_SCRIPTS)


def test_a_file_chosen_before_the_scripts_are_there_is_read(page: Page, tmp_path: Path) -> None:
    catalogue = tmp_path / "early.csv"
    catalogue.write_text("code,name,description\nE-1,Bottle,Steel bottle\n", encoding="utf-8")
    log_in(page)
    expect(page).to_have_title("Overview · Weighbridge")
    held = held_back(page)
    page.goto("/upload", wait_until="commit")
    page.get_by_label("Choose a file").set_input_files(catalogue)
    let_go(page, held)
    expect(page.get_by_role("button", name="Store and weigh 1 product")).to_be_visible()


def test_filters_and_selections_made_before_the_scripts_are_there_count(page: Page) -> None:
    log_in(page)
    expect(page).to_have_title("Overview · Weighbridge")
    for name, choose, found in (
        ("text", lambda: page.get_by_label("Search").fill("nothing like it"), "search=nothing"),
        ("choice", lambda: page.get_by_label("State").select_option("failed"), "status=failed"),
        ("box", lambda: page.get_by_label("Corrected").check(), "corrected=true"),
    ):
        held = held_back(page)
        page.goto("/products", wait_until="commit")
        choose()
        let_go(page, held)
        expect(page, name).to_have_url(re.compile(found))
    held = held_back(page)
    page.goto("/products", wait_until="commit")
    page.get_by_label("Select all").check()
    let_go(page, held)
    expect(page.locator("[data-selected-count]").first).not_to_have_text("0")


def test_what_cannot_be_taken_back_asks_before_the_other_scripts_are_there(page: Page) -> None:
    asked: list[str] = []
    log_in(page)
    expect(page).to_have_title("Overview · Weighbridge")
    held = held_back(page)
    page.goto("/products-found?search=B-1", wait_until="commit")

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", refuse)
    page.get_by_role("button", name="Delete").click()
    assert len(asked) == 1
    let_go(page, held)
    page.goto("/products/B-1")
    expect(page.get_by_role("heading", name="Bottle")).to_be_visible()


def test_a_catalogue_is_mapped_uploaded_and_watched(page: Page, tmp_path: Path) -> None:
    catalogue = tmp_path / "katalog.csv"
    catalogue.write_text(CATALOGUE, encoding="utf-8")
    log_in(page, next_page="/upload")
    page.get_by_label("Choose a file").set_input_files(catalogue)
    expect(page.get_by_role("alert")).to_contain_text("Erläuterung")
    page.get_by_label("Description").fill("Erläuterung")
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_role("heading", name="katalog.csv")).to_be_visible()
    expect(page.get_by_text("Nothing is stored yet.")).to_be_visible()
    page.get_by_label("Take Herkunft hier as").select_option("countryOfOrigin")
    page.get_by_label("Flex", exact=True).check()
    page.get_by_role("button", name="Look again with these choices").click()
    expect(page.get_by_label("Take Herkunft hier as")).to_have_value("countryOfOrigin")
    expect(page.get_by_label("Flex", exact=True)).to_be_checked()
    assert violations(page) == []
    page.get_by_role("button", name="Store and weigh 2 products").click()
    expect(page.get_by_role("heading", name="Stored")).to_be_visible()
    expect(page.get_by_text("All rejected rows as CSV")).to_be_visible()
    listed = page.get_by_role("row").filter(has_text="katalog.csv")
    expect(listed).to_contain_text("stored")  # without a reload
    assert violations(page) == []
    page.get_by_role("link", name="Watch them being weighed").click()
    expect(page.locator('[data-text="completed"]')).to_have_text("3")  # without a reload
    expect(page.locator("[data-log]")).to_contain_text("Successfully batch processed product C-2")


def test_a_product_is_corrected_and_its_figure_moves(page: Page) -> None:
    log_in(page, next_page="/products?search=B-1")
    page.get_by_role("link", name="B-1").click()
    figure = page.locator("#figure .headline strong")
    before = figure.inner_text()
    page.get_by_text("Correct what was uploaded").click()
    page.get_by_label("Weight (kg)").fill("30")
    page.get_by_role("button", name="Save and weigh again").click()
    expect(figure).not_to_have_text(before)
    expect(page.locator(".timeline")).to_contain_text("0.3 → 30")


def test_an_answer_is_corrected_in_place_and_taken_back(page: Page) -> None:
    log_in(page, next_page="/products?search=B-1")
    page.get_by_role("link", name="B-1").click()
    figure = page.locator("#figure .headline strong")
    before = figure.inner_text()
    material = page.locator("#answers tbody tr").first.get_by_role("combobox").first
    material.fill("no such material")
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed")
    expect(figure).to_have_text(before)
    material.fill("Aluminium, primary ingot")
    page.get_by_role("textbox", name="Why").fill("the drawing says so")
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.locator(".corrections")).to_contain_text("the drawing says so")
    expect(figure).not_to_have_text(before)
    assert violations(page) == []  # with the form, the corrections and the versions of the figure
    page.get_by_role("button", name="Take back").click()
    expect(figure).to_have_text(before)


def test_what_became_of_a_correction_is_in_sight_of_the_button(page: Page) -> None:
    page.set_viewport_size({"width": 900, "height": 500})
    log_in(page, next_page="/products/B-1")
    correct = page.get_by_role("button", name="Correct", exact=True)
    mass = page.get_by_label("Mass of one unit (kg)")
    before = mass.input_value()
    mass.fill("much")
    correct.click()
    expect(mass).to_be_focused()
    expect(mass).to_be_in_viewport()
    expect(mass).to_have_accessible_description(re.compile("This has to be a number"))
    mass.fill(f"{float(before) * 1.02:.4g}")
    correct.click()
    expect(page.locator(".flash")).to_contain_text("Corrected. The")
    expect(page.locator(".flash")).to_be_in_viewport(ratio=0.9)
    expect(correct).to_be_in_viewport()  # and the page stays where its reader was
    page.get_by_role("button", name="Take back").first.click()
    expect(page.locator(".flash")).to_contain_text("Taken back.")


def test_a_process_is_corrected_by_its_name_and_an_attribute_that_would_not_count_is_refused(
    page: Page,
) -> None:
    log_in(page, next_page="/products/B-1")
    figure = page.locator("#figure .headline strong")
    before = figure.inner_text()
    first = page.locator("#answers tbody tr").first
    processes = first.get_by_role("textbox").last
    earlier = processes.input_value()
    assert earlier[:1].isupper()  # its name, not its key
    processes.fill("")
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.locator(".flash")).to_contain_text("Corrected. The footprint changed")
    expect(page.locator(".corrections")).to_contain_text(f"{earlier} → nothing")
    page.get_by_role("button", name="Take back").click()
    expect(figure).to_have_text(before)
    page.get_by_label("Add an attribute").select_option("display_lcd_inch")
    page.get_by_label("Its value").fill("500")
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.locator("#main")).to_contain_text(
        "no product has that value (above 0 and at most 120)"
    )
    expect(figure).to_have_text(before)


def test_country_and_energy_of_a_process_are_corrected_on_the_page(page: Page) -> None:
    log_in(page, next_page="/products/B-1")
    figure = page.locator("#figure .headline strong")
    before = figure.inner_text()
    page.get_by_text("Country and energy of the processes of part 1").click()
    electricity = page.get_by_label("Electricity for part 1 (kWh per kg)")
    electricity.fill("much")
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(electricity).to_have_accessible_description(re.compile("must be a number"))
    electricity.fill("900")
    page.get_by_label("Country where part 1 is worked").fill("Poland")
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.locator(".flash")).to_contain_text("Corrected. The footprint changed")
    expect(page.get_by_label("Country where part 1 is worked")).to_have_value("PL")
    assert violations(page) == []
    take_back = page.get_by_role("button", name="Take back")
    for left in range(take_back.count(), 0, -1):
        expect(take_back).to_have_count(left)
        take_back.first.click()
    expect(take_back).to_have_count(0)
    expect(figure).to_have_text(before)


def test_what_was_entered_is_kept_when_the_session_ends_in_the_middle(page: Page) -> None:
    log_in(page, next_page="/products/B-1")
    page.get_by_label("Mass of one unit (kg)").fill("0.31")
    page.get_by_role("textbox", name="Why").fill("weighed")
    page.context.clear_cookies(name=SESSION_COOKIE)
    page.context.add_cookies([{"name": SESSION_COOKIE, "value": "ended", "url": page.url}])
    page.get_by_role("button", name="Correct", exact=True).click()
    trouble = page.get_by_role("alert").filter(has_text="Your session has ended")
    expect(trouble).to_be_in_viewport()
    with page.expect_popup() as opened:
        trouble.get_by_role("link").click()
    opened.value.get_by_label("Token").fill(TOKEN)
    opened.value.get_by_role("button", name="Log in").click()
    expect(opened.value).to_have_title("Overview · Weighbridge")
    expect(page.get_by_label("Mass of one unit (kg)")).to_have_value("0.31")
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.locator(".corrections")).to_contain_text("weighed")
    page.get_by_role("button", name="Take back").first.click()
    expect(page.locator(".flash")).to_contain_text("Taken back.")


def test_a_review_workbook_and_own_bills_go_through_the_browser(page: Page, tmp_path: Path) -> None:
    log_in(page, next_page="/products/B-1")
    mass = page.get_by_label("Mass of one unit (kg)").input_value()
    page.goto("/review")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download the workbook").click()
    workbook = tmp_path / "review.xlsx"
    downloading.value.save_as(workbook)
    sent = page.locator("form[data-desk-file]").filter(has_text="Edited workbook")
    sent.get_by_label("Edited workbook").set_input_files(workbook)
    sent.get_by_role("button", name="Check and correct").click()
    expect(sent.get_by_role("status")).to_have_text("No figure was corrected.")
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(workbook.read_bytes()[:2_000])
    sent.get_by_label("Edited workbook").set_input_files(broken)
    sent.get_by_role("button", name="Check and correct").click()
    expect(sent.get_by_role("alert")).to_contain_text('"broken.xlsx" begins like an XLSX file')
    bills = page.locator("form[data-desk-file]").filter(has_text="Bills of materials")
    bill = tmp_path / "bills.csv"
    bill.write_text("code,material,mass_kg\nB-1,Holz,1\nB-1,pp_resin,-1\n", encoding="utf-8")
    bills.get_by_label("Bills of materials").set_input_files(bill)
    bills.get_by_role("button", name="Check and use").click()
    expect(bills.get_by_role("alert")).to_contain_text("Nothing was stored")
    expect(bills.get_by_role("listitem")).to_have_count(2)
    assert violations(page) == []
    bill.write_text(f"code,material,mass_kg\nB-1,pp_resin,{mass}\n", encoding="utf-8")
    bills.get_by_label("Bills of materials").set_input_files(bill)
    bills.get_by_label("Why").fill("drawing 4711")
    bills.get_by_role("button", name="Check and use").click()
    expect(bills.get_by_role("status")).to_contain_text("1 product corrected.")
    assert violations(page) == []
    bills.get_by_role("link", name="B-1").click()
    expect(page.locator(".corrections")).to_contain_text("drawing 4711")
    take_back = page.get_by_role("button", name="Take back")
    for left in range(take_back.count(), 0, -1):
        take_back.first.click()
        expect(take_back).to_have_count(left - 1)
    page.goto("/review")
    page.get_by_role("button", name="Show what would move").click()
    expect(page.locator("[data-recompute] [role=status]")).to_contain_text("would move.")


def test_a_picture_is_added_on_the_page_of_its_product(page: Page, server: ServerProcess) -> None:
    cup = {"code": "CUP", "name": "Cup", "description": "A cup of porcelain"}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    server.call("POST", "/api/products", json.dumps(cup).encode(), **headers)
    server.until("/api/products/CUP", is_weighed, PATIENCE_S, **headers)
    log_in(page, next_page="/products/CUP")
    page.get_by_text("Correct what was uploaded").click()
    form = page.locator("form[data-picture]")
    add = form.get_by_role("button", name="Add the picture and weigh again")
    form.get_by_label("Picture").set_input_files(
        {"name": "cup.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    add.click()
    expect(form.get_by_role("alert")).to_contain_text("cup.png")
    assert violations(page) == []
    form.get_by_label("Picture").set_input_files(EXAMPLE_PICTURE)
    add.click()
    expect(page.get_by_role("img", name="Picture of Cup")).to_be_visible()
    expect(page.locator("#figure .headline strong")).to_be_visible()  # weighed again
    assert page.request.delete("/api/products/CUP", headers=headers).status == 204


def test_charts_are_drawn_once_the_page_is_painted(page: Page) -> None:
    log_in(page)
    for path, charts, library in (
        ("/", 5, "echarts-common-"),
        ("/insights", 2, "echarts-"),
        ("/products/B-1", 1, "echarts-"),
    ):
        page.goto(path)
        plots = page.locator("[data-chart], [data-tree], [data-distribution]")
        expect(plots).to_have_count(charts)
        for plot in plots.all():
            plot.scroll_into_view_if_needed()
            expect(plot.locator("canvas")).to_be_visible()
        libraries = page.locator('script[src*="echarts"]')
        expect(libraries).to_have_count(1)
        assert f"/vendor/{library}6" in (libraries.get_attribute("src") or "")


def test_charts_come_back_after_their_library_could_not_be_had(page: Page) -> None:
    log_in(page, next_page="/cost")
    page.route("**/vendor/echarts*", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed", lambda request: "echarts" in request.url):
        page.goto("/")
    page.evaluate("document.dispatchEvent(new Event('weighbridge:theme'))")
    expect(page.locator("[data-chart] canvas").first).to_be_visible()


def test_the_configuration_is_changed_and_a_wrong_value_is_refused(page: Page) -> None:
    log_in(page, next_page="/settings")
    page.get_by_label("Batch size").fill("5000")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("from 1 to 1,000")
    page.get_by_label("Batch size").fill("200")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The change takes effect at once")).to_be_visible()
    expect(page.get_by_label("Batch size")).to_have_value("200")


def test_own_factors_are_uploaded_from_the_settings_and_taken_back(
    page: Page, tmp_path: Path
) -> None:
    good, bad = tmp_path / "ours.csv", tmp_path / "bad.csv"
    good.write_text(FACTORS.format(unit="kg CO2e/kg"), encoding="utf-8")
    bad.write_text(FACTORS.format(unit=""), encoding="utf-8")
    log_in(page, next_page="/settings")
    page.get_by_role("link", name="Show or upload your own").click()
    page.get_by_label("File of factors").set_input_files(bad)
    page.get_by_role("button", name="Check and upload").click()
    expect(page.get_by_role("alert")).to_contain_text("No row of the file was used")
    expect(page.get_by_role("region", name="Rows to mend")).to_contain_text("unit")
    assert violations(page) == []
    page.get_by_label("File of factors").set_input_files(good)
    page.get_by_role("button", name="Check and upload").click()
    expect(page.get_by_role("region", name="Own factors")).to_contain_text("Our alloy")
    assert violations(page) == []
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(".flash")).to_contain_text("ours.csv are taken back")
    expect(page.get_by_text("the factors that come with Weighbridge are used")).to_be_visible()
    assert violations(page) == []


def test_results_are_exported(page: Page) -> None:
    log_in(page, next_page="/products")
    page.get_by_role("button", name="Export").first.click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="CSV").click()
    text = downloading.value.path().read_text(encoding="utf-8")
    assert "B-1" in text
    page.goto("/audit")
    expect(page.get_by_role("table")).to_contain_text("exported")


def test_a_selection_is_exported(page: Page) -> None:
    log_in(page, next_page="/products?search=B-1")
    export = page.get_by_role("button", name="Export CSV")
    expect(export).to_be_disabled()
    page.get_by_label("Select B-1").check()
    with page.expect_download() as downloading:
        export.click()
    lines = downloading.value.path().read_text(encoding="utf-8").splitlines()
    assert [line[:3] for line in lines[1:]] == ["B-1"]


def test_all_that_a_filter_finds_is_counted_and_deleted(page: Page, server: ServerProcess) -> None:
    for code in ("Z-1", "Z-2"):
        chair = {"code": code, "name": "Zedd chair", "description": "A chair of beech"}
        server.call(
            "POST",
            "/api/products",
            json.dumps(chair).encode(),
            **{"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
        )
    log_in(page, next_page="/products?search=Zedd")
    page.get_by_role("link", name="All that were found").click()
    asked = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.once("dialog", accept)
    page.get_by_role("button", name="Delete 2 products").click()
    expect(page.get_by_text("2 products deleted.")).to_be_visible()
    expect(page.get_by_text("Nothing fits")).to_be_visible()
    assert asked == ["Delete 2 products for good?"]


def test_a_file_is_dropped_on_the_page(page: Page) -> None:
    log_in(page, next_page="/upload")
    expect(page.locator("[data-upload]")).to_be_visible()
    dropped = page.evaluate_handle(
        """text => {
          const carried = new DataTransfer();
          carried.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
          return carried;
        }""",
        "code,name,description\nD-1,Chair,A chair of beech\n",
    )
    zone = page.locator("[data-upload]")
    zone.dispatch_event("dragenter", {"dataTransfer": dropped})
    expect(zone).to_have_class("drop is-over")
    zone.dispatch_event("drop", {"dataTransfer": dropped})
    expect(zone).to_have_class("drop has-file")
    expect(page.get_by_role("heading", name="dropped.csv")).to_be_visible()
    expect(page.get_by_text("Nothing is stored yet.")).to_be_visible()


def test_a_lost_connection_is_noticed_and_found_again(page: Page) -> None:
    log_in(page)
    expect(page).to_have_title("Overview · Weighbridge")
    page.wait_for_load_state()
    lost = page.get_by_text("Connection lost")
    expect(lost).to_be_hidden()
    page.route("**/live", lambda route: route.abort())
    page.evaluate("source => dispatchEvent(new Event(source))", "weighbridge:reconnect")
    expect(lost).to_be_visible()
    page.unroute("**/live")
    expect(lost).to_be_hidden()


def test_a_read_only_token_looks_and_changes_nothing(page: Page, browser: Browser) -> None:
    log_in(page, next_page="/settings")
    page.get_by_label("Name", exact=True).fill("reader")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("code.token").inner_text()
    page.get_by_role("button", name="Log out").click()
    log_in(page, token)
    expect(page.get_by_text("read-only").first).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    refused = page.request.post("/queue/stop", headers={"Origin": page.url.rstrip("/")})
    assert refused.status == 403
    page.goto("/settings")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(page: Page, theme: str) -> None:
    log_in(page)
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    found = {}
    for path in PAGES:
        page.goto(path)
        found[path] = violations(page)
    page.get_by_role("button", name="Log out").click()
    found["/login"] = violations(page)
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_pages_fit_a_phone_and_the_keyboard(page: Page, server: ServerProcess) -> None:
    hostile = {
        "code": "LONG-" + "C" * 90,
        "name": "W" * 380 + "<img src=x onerror=alert(1)>\u202e",
        "description": "<script>alert(2)</script> a bottle of steel",
    }
    server.call(
        "POST",
        "/api/products",
        json.dumps(hostile).encode(),
        **{"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
    )
    page.set_viewport_size({"width": 360, "height": 740})
    log_in(page)
    for path in (*PAGES, f"/products/{hostile['code']}"):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, path
    assert violations(page) == []
    page.goto("/products")
    assert violations(page) == []  # rows as cards
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
