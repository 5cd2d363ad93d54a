"""Rules for all templates."""

from __future__ import annotations

import pytest

from weighbridge.dashboard.rendering import TEMPLATES

NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))


@pytest.mark.parametrize("name", NAMES)
def test_no_page_reloads_itself_by_the_clock(name: str) -> None:
    """It would take a reader's focus and place away, which axe-core calls critical."""
    assert 'http-equiv="refresh"' not in (TEMPLATES / name).read_text(encoding="utf-8")
