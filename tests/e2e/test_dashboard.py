"""The dashboard in a real Chromium: one server, one browser, what people do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.chromium import PATIENCE_MS, Complaints, find_browser, open_browser
from tests.support.server_process import ServerProcess, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.database import PostgresForTests

pytestmark = pytest.mark.e2e

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - of this test only


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
        yield running


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
    opened = context.new_page()
    complaints = Complaints(opened)
    yield opened
    context.close()
    assert complaints.heard == []


def log_in(page: Page, token: str = TOKEN, next_page: str = "/") -> None:
    page.goto(next_page)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_a_browser_logs_in_with_the_right_token_only_and_out_again(page: Page) -> None:
    log_in(page, "a-token-that-is-wrong", "/")
    expect(page.get_by_role("alert")).to_contain_text("not a token of this server")
    log_in(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page).to_have_title("Overview · Weighbridge")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_title("Log in · Weighbridge")
    page.goto("/")
    expect(page).to_have_title("Log in · Weighbridge")


def test_the_queue_is_stopped_and_started_from_the_overview(page: Page) -> None:
    log_in(page)
    page.request.post(
        "/api/products",
        data={
            "code": "B-1",
            "name": "Bottle",
            "description": "Steel bottle, 500 ml",
            "weight": 0.3,
        },
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("The product is weighed.")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Stopped.")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The product is weighed.")
