"""A file whose packed rows fit is read once; a larger one twice, with the same outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.catalogues import WRITERS
from weighbridge.ingest import kept
from weighbridge.ingest.catalogue import Catalogue

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [
    {"code": f"P-{i}", "name": "Stool", "description": "Of oak", "weight": f"{i / 4 or 'x'} kg"}
    for i in range(40)
]


def outcome(found: Catalogue) -> list[tuple[list[Any], object, list[Any]]]:
    return [(chunk.products.rows(), chunk.rejected, chunk.notes.rows()) for chunk in found.chunks()]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_small_file_is_not_read_again(tmp_path: Path, kind: str) -> None:
    name, write = WRITERS[kind]
    write(tmp_path / name, RECORDS)
    found = Catalogue(tmp_path / name)
    (tmp_path / name).unlink()
    first = outcome(found)
    assert outcome(found) == first
    assert sum(len(rows) for rows, _, _ in first) == len(RECORDS)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_large_file_comes_out_the_same(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, write = WRITERS[kind]
    write(tmp_path / name, RECORDS)
    first = outcome(Catalogue(tmp_path / name))
    monkeypatch.setattr(kept, "MOST_KEPT_BYTES", 0)
    assert outcome(Catalogue(tmp_path / name)) == first
