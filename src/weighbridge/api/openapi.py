"""Writes the OpenAPI document to a file: `python -m weighbridge.api.openapi docs/openapi.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from weighbridge.api.app import make_documented_app


def write_document(path: Path) -> None:
    """Write the OpenAPI document of the API as JSON to this file; no database is needed."""
    document = make_documented_app().openapi()
    text = json.dumps(document, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_document(Path(sys.argv[1]))
