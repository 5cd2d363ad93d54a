"""Sums over very many calls take long to read: pages appear without them and then show them, in a
real Chromium.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest
from playwright.sync_api import expect

from tests.support.chromium import PATIENCE_MS, Complaints, find_browser, open_browser, violations
from tests.support.server_process import PATIENCE_S, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.database import PostgresForTests

pytestmark = pytest.mark.e2e


@contextmanager
def unreadable(url: str, table: str) -> Iterator[None]:
    """A table that nobody can read until the end of the block, in place of one that takes long."""
    locked, ended = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            locked.set()
            await asyncio.to_thread(ended.wait)
        await connection.close()

    holder = threading.Thread(target=lambda: asyncio.run(hold()))
    holder.start()
    try:
        assert locked.wait(PATIENCE_S)
        yield
    finally:
        ended.set()
        holder.join()


def test_no_page_waits_for_the_sums_of_all_calls(
    postgres: PostgresForTests, tmp_path: Path
) -> None:
    find_browser()
    url = postgres.create_database()
    bottle = {"code": "B-1", "name": "Bottle", "description": "Steel bottle", "weight": 0.3}
    with server_process(url, tmp_path, WEIGHBRIDGE_PACING="continuous") as server:
        headers = {"Content-Type": "application/json"}
        server.call("POST", "/api/products", json.dumps(bottle).encode(), **headers)
        server.until(
            "/api/products/B-1", lambda product: product["aiProcessingStatus"] == "completed"
        )
        with open_browser() as browser:
            page = browser.new_context(base_url=server.base).new_page()
            page.set_default_timeout(PATIENCE_MS)
            expect.set_options(timeout=PATIENCE_MS)
            complaints = Complaints(page)
            spent = page.locator('[data-text="spentInDay"]')
            with unreadable(url, "calls"):
                page.goto("/cost")
                expect(page.get_by_text("Adding up")).to_be_visible()
                assert violations(page) == []
                page.goto("/")
                expect(spent).to_have_text("…")
                expect(page.locator('[data-text="completed"]')).to_have_text("1")
                expect(page.locator("[data-chart] canvas")).to_have_count(0)
                assert violations(page) == []
                other = page.context.new_page()
                other.goto("/cost")
                expect(other.get_by_text("Adding up")).to_be_visible()
            expect(other.get_by_role("table").first).to_be_visible()  # by itself
            expect(spent).to_contain_text("$")  # without a reload
            expect(page.locator("[data-chart] canvas").first).to_be_visible()
            assert complaints.heard == []
