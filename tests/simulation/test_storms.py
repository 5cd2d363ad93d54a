"""A few storms over the whole program; `benchmarks/reliability.py` runs as many as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.storms import storm

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(4))
async def test_whole_program_keeps_its_promises_in_a_storm(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    report = await storm(database_url, tmp_path, seed)
    assert report.failed == report.poisoned
    assert report.paid_twice <= report.excused
    assert report.most_requests <= report.allowed_requests
