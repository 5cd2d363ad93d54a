"""Addresses that pages point to."""

from __future__ import annotations

from urllib.parse import quote


def product_url(code: str) -> str:
    """The page of a product, whatever its code contains."""
    return "/products/" + quote(code, safe="")


def own_page(target: str) -> str:
    """The redirect target, unless it is on another server."""
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_ours and target.isprintable() else "/"
