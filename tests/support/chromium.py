"""A real browser: Debian's Chromium (or a Chrome), driven by Playwright.

A machine without one skips these tests and says so; continuous integration (CI=true) fails instead.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Response

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 60_000
"""Ends a test that hangs; browsers are slow on a busy machine."""


def find_browser() -> str:
    """The browser's path; without one the test is skipped, or fails in continuous integration."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    said = "no Chromium is installed: apt-get install chromium"
    if os.environ.get("CI") == "true":  # noqa: TID251 - what the test run is told
        pytest.fail(said)
    pytest.skip(said)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """One browser without a window."""
    path = find_browser()
    as_root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*OPTIONS, *as_root])
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What the browser complained about: script errors, blocked styles and scripts, answers of 500
    and above.
    """

    def __init__(self, page: Page) -> None:
        self.heard: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.heard.append(f"script: {error}"))
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        is_refused = "Failed to load resource" in message.text
        if message.type == "error" and not is_refused:
            self.heard.append(f"console: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self.heard.append(f"{response.status}: {response.url}")


AXE = Path(__file__).with_name("axe") / "axe.min.js"
_RULES = "axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations)"


def violations(page: Page) -> list[str]:
    """Serious and critical violations of accessibility on the page as it is, by axe-core."""
    # Through the debugger, not as a script of the page: the page's own policy allows no such
    # script.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return [
        f"{one['id']}: {one['help']} ({one['nodes'][0]['html'][:200]}, {len(one['nodes'])} times)"
        for one in page.evaluate(_RULES)
        if one["impact"] in {"serious", "critical"}
    ]
