"""Addresses of pages for links and redirects."""

from __future__ import annotations

from urllib.parse import quote


def product_url(code: str) -> str:
    """The address of a product's page; its code may contain anything."""
    return "/products/" + quote(code, safe="")


def own_page(target: str) -> str:
    """The redirect target if it is on this server, else "/"."""
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_ours and target.isprintable() else "/"
