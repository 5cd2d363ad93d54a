"""The page at /docs and the files that it brings along."""

from __future__ import annotations

import hashlib
import re

import httpx2
import pytest
from fastapi import FastAPI

from weighbridge.api.routes import docs as docs_page

pytestmark = pytest.mark.anyio

CHECKSUMS = docs_page.ASSETS / "SHA256SUMS"


async def _get(path: str) -> httpx2.Response:
    app = FastAPI(docs_url=None)
    app.include_router(docs_page.router)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


def test_bundled_files_match_their_checksums() -> None:
    lines = [line.split() for line in CHECKSUMS.read_text().splitlines()]
    listed = {name: checksum for checksum, name in lines}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in docs_page.ASSETS.iterdir()
        if path.name not in {CHECKSUMS.name, "README.md"}
    }
    assert found == listed
    assert "LICENSE" in found


async def test_page_loads_only_files_that_this_server_has() -> None:
    page = (await _get("/docs")).text
    addresses = re.findall(r"""(?:src|href)="([^"]+)\"""", page)
    assert len(addresses) == 3
    for address in addresses:
        assert (await _get(address)).status_code == 200, address
    assert "http://" not in page
    assert "https://" not in page


async def test_page_runs_only_its_own_scripts() -> None:
    response = await _get("/docs")
    policy = dict(
        part.strip().split(" ", 1)
        for part in response.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/=]{44}'", policy["script-src"])


@pytest.mark.parametrize("name", ["missing.js", "..%2fapp.py", "%2e%2e/app.py"])
async def test_nothing_else_is_served_as_an_asset(name: str) -> None:
    assert (await _get(f"/docs/assets/{name}")).status_code == 404
