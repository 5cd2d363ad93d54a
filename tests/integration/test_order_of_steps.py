"""Whose call goes first when the quota is short: what is nearly done, and at the end what has most
to do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.engine_builders import permit_request
from tests.support.governed import governed
from weighbridge.limits.limiter import Limits

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ONE_A_MINUTE = Limits(1, 1_000)
TOKENS = 10


@pytest.mark.parametrize(
    ("products_wait", "order"), [(True, [1, 2, 3]), (False, [3, 2, 1])], ids=["more", "the last"]
)
async def test_groups_finish_early_and_the_last_run_in_parallel(
    database_url: str, tmp_path: Path, products_wait: bool, order: list[int]
) -> None:
    """Results come early; and the quota does not lie idle while a few groups go through all their
    steps.
    """
    async with governed(database_url, tmp_path, ONE_A_MINUTE) as (governor, job_id, running):
        if products_wait:
            await running.add_many(1)
        went: list[int] = []

        async def ask(steps_left: int) -> None:
            async with governor.permit(permit_request(job_id, TOKENS, steps_left)):
                went.append(steps_left)

        async with governor.permit(permit_request(job_id, TOKENS)):
            pass  # the minute is used up
        await asyncio.gather(*(ask(steps_left) for steps_left in (2, 3, 1)))
        assert went == order
