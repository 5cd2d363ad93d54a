"""A bad answer costs only the product concerned; its neighbours keep theirs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.simulation.trials import poison
from tests.support.application import AMPLE, RunningProgram, program
from weighbridge.simulator.config import Fault, FaultPlan
from weighbridge.simulator.models import KNOWN_MODELS, ModelLimits

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.anyio


async def _add_poisoned(running: RunningProgram, groups: int, marker: str) -> None:
    """`groups` groups of five; the third of each is poisoned."""
    await running.add(
        *(
            {
                "code": f"P-{n:03}",
                "description": f"A steel bottle, edition {n} {marker if n % 5 == 2 else ''}",
            }
            for n in range(groups * 5)
        )
    )


async def test_poisoned_products_fail_alone_after_three_more_calls(
    database_url: str, tmp_path: Path
) -> None:
    found = await poison(database_url, tmp_path, groups=100)
    assert (found.completed, found.failed) == (400, 100)
    assert found.poisoned_and_failed == found.failed_with_a_reason == 100
    assert found.calls == 100 * (3 + 3)
    assert found.most_extra_calls == 3


@pytest.mark.parametrize("mode", ["POISON-TRUNCATE", "POISON-REFUSE"])
async def test_product_that_spoils_whole_calls_fails_alone(
    database_url: str, tmp_path: Path, mode: str
) -> None:
    async with program(database_url, tmp_path) as running:
        await _add_poisoned(running, 4, mode)
        await running.start()
        await running.until(completed=16, failed=4)
        await running.stop()
        await running.assert_sound()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.TRUNCATE,
        Fault.FILTER,
        Fault.REFUSE,
        Fault.MALFORMED,
        Fault.MISSING,
        Fault.FOREIGN,
        Fault.DOUBLED,
        Fault.IMPLAUSIBLE,
    ],
)
async def test_occasional_bad_answers_fail_no_product(
    database_url: str, tmp_path: Path, fault: Fault
) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(30)
        _strike_first_bills(running, fault, times=3)
        await running.start()
        await running.until(completed=30)
        assert running.simulator.books.faults[fault.value] == 3
        assert await running.value("SELECT max(attempts) FROM products") == 0
        await running.stop()
        # A product that was good in a damaged reply is kept, never asked again.
        await running.assert_sound()


def _strike_first_bills(running: RunningProgram, fault: Fault, times: int) -> None:
    """The first so many questions for bills of materials get a damaged answer, the others a good
    one.
    """
    account = running.simulator.account

    def strike(request: httpx2.Request) -> None:
        is_struck = (
            b'"bill_of_materials"' in request.content and account.books.faults[fault] < times
        )
        plan = FaultPlan({fault: 1.0} if is_struck else {})
        account.config = replace(account.config, faults=plan)

    running.wire.instead = strike


async def test_attempts_are_counted_per_question(database_url: str, tmp_path: Path) -> None:
    """Two bad answers to the second question and two to the third are no four bad answers in a
    row.
    """
    async with program(database_url, tmp_path) as running:
        await running.add_many(1)
        account = running.simulator.account
        struck: Counter[bytes] = Counter()

        def strike(request: httpx2.Request) -> None:
            if request.method != "POST":
                return  # what the server says of the model, which is no question
            step = next(s for s in STEPS if s in request.content)
            struck[step] += 1
            plan = FaultPlan({Fault.MALFORMED: 1.0} if struck[step] <= 3 else {})
            account.config = replace(account.config, faults=plan)

        running.wire.instead = strike
        await running.start()
        await running.until(completed=1)
        assert set(struck.values()) == {4}
        await running.stop()
        await running.assert_sound()


STEPS = (b'"classification"', b'"bill_of_materials"', b'"manufacturing"')


async def test_group_above_the_models_context_is_split_until_it_fits(
    database_url: str, tmp_path: Path
) -> None:
    models = {**KNOWN_MODELS, "gpt-4.1-mini": ModelLimits(6_000, 2_000)}
    async with program(database_url, tmp_path, replace(AMPLE, models=models)) as running:
        text = " ".join(f"word{n}" for n in range(600))
        await running.add_many(5, name=f"Bottle {text}")
        await running.start()
        await running.until(completed=5)
        assert await running.value(
            "SELECT count(*) > 0 FROM calls WHERE outcome = 'RequestTooLarge'"
        )


async def test_call_above_a_minutes_quota_is_split_and_never_sent_whole(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path, tokens_per_minute=5_000) as running:
        text = " ".join(f"word{n}" for n in range(1_600))
        await running.add({"code": "LONG-1", "name": text}, {"code": "LONG-2", "name": text})
        await running.start()
        await running.until(failed=2)
        assert running.simulator.books.received == 0
        reasons = await running.fetch("SELECT error FROM products")
        assert all("5,000" in row["error"] for row in reasons), reasons
