"""Serves scripts, styles and icons, which are kept in memory and compressed once.

Browsers keep them for a year: their address contains a hash of their content, so a new version has
a new address.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from weighbridge.errors import NotFound

FOLDER: Final = Path(__file__).with_name("static")
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
SMALL_BYTES: Final = 600
"""Files up to this size are not compressed, because that saves nothing."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; `compressed` is None for a small one."""

    media_type: str
    plain: bytes
    compressed: bytes | None
    version: str


@lru_cache(maxsize=64)
def load_asset(name: str) -> Asset:
    """A file of the static folder.

    Raises:
        NotFound: there is none of that name, or it is not for browsers.
    """
    path = FOLDER / name
    if FOLDER not in path.resolve().parents or path.suffix not in MEDIA_TYPES or not path.is_file():
        raise NotFound(f"There is no file {name[:80]}.")
    plain = path.read_bytes()
    compressed = gzip.compress(plain, 9, mtime=0) if len(plain) > SMALL_BYTES else None
    version = hashlib.sha256(plain).hexdigest()[:12]
    return Asset(MEDIA_TYPES[path.suffix], plain, compressed, version)


def asset_url(name: str) -> str:
    """The address of a file of the static folder, with its version."""
    return f"/static/{name}?v={load_asset(name).version}"


@router.get("/static/{name:path}", name="asset")
async def send_asset(name: str, request: Request) -> Response:
    """The file, which the browser may keep for a year."""
    asset = load_asset(name)  # usually in memory already, since a page has its address
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    body = asset.plain
    if asset.compressed and "gzip" in request.headers.get("accept-encoding", ""):
        body = asset.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=asset.media_type, headers=headers)
