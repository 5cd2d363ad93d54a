"""What a call counts for that ends without a reply: the provider may have admitted it at its very
end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.application import until
from tests.support.engine_builders import permit_request
from tests.support.governed import ACCOUNT, governed
from weighbridge.domain.calls import Cost
from weighbridge.engine.quota.limiter_feedback import MAX_LAG_S
from weighbridge.limits.limiter import Limiter, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.application import RunningProgram

pytestmark = pytest.mark.anyio

TOKENS = 100
LIMITS = Limits(500, 450_000)


async def _used(running: RunningProgram, at_s: float) -> Cost:
    state = await running.value("SELECT state FROM quota WHERE account = $1", ACCOUNT)
    return Limiter.load(state, LIMITS).used(at_s)


@pytest.mark.parametrize(("took_s", "counts_from_s"), [(6.0, 6.0), (3 * MAX_LAG_S, MAX_LAG_S)])
async def test_call_without_a_reply_is_charged_for_a_minute_from_its_end(
    database_url: str, tmp_path: Path, took_s: float, counts_from_s: float
) -> None:
    """From its end, or from the last moment at which it can have reached the provider."""
    async with governed(database_url, tmp_path, LIMITS) as (governor, job_id, running):
        async with governor.permit(permit_request(job_id, TOKENS)) as lost:
            granted_s = lost.reservation.at_s
            await running.app.clock.sleep(took_s)
        async with governor.permit(permit_request(job_id, TOKENS)):
            pass
        assert await _used(running, granted_s + counts_from_s + 59.9) == Cost(2, 200)


async def test_limiter_feedback_is_shared_even_when_nothing_waits(
    database_url: str, tmp_path: Path
) -> None:
    """They share the quota: two processes with one call each would otherwise count by what each
    believed at first.
    """
    async with governed(database_url, tmp_path, LIMITS) as (governor, job_id, running):
        async with governor.permit(permit_request(job_id, TOKENS)) as lost:
            granted_s = lost.reservation.at_s
            await running.app.clock.sleep(6.0)

        async def is_told() -> bool:
            return await _used(running, granted_s + 65.9) == Cost(1, 100)

        await until(is_told, "its charge is booked six seconds later")
