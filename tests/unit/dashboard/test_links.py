"""Addresses of pages."""

from __future__ import annotations

import pytest

from weighbridge.dashboard.links import own_page, product_url


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "", "/a\nb"],
)
def test_login_never_redirects_to_another_server(target: str) -> None:
    assert own_page(target) == "/"


def test_login_redirects_to_the_requested_page() -> None:
    assert own_page("/docs") == "/docs"


def test_any_code_has_a_page() -> None:
    assert product_url("A/B ?#%") == "/products/A%2FB%20%3F%23%25"
