"""What rate-limit headers say about a budget."""

from __future__ import annotations

import pytest

from weighbridge.limits.headers import HeaderBudget, read_budget


@pytest.mark.parametrize(
    ("limit", "remaining", "reset_s", "expected"),
    [
        pytest.param(500, 499, 0.12, HeaderBudget(499, 500 / 60, 500), id="a minute's budget"),
        pytest.param(500, 500, 0.0, HeaderBudget(500, 500 / 60, 500), id="full"),
        pytest.param(500, 100, None, HeaderBudget(100, 500 / 60, 500), id="no reset"),
        pytest.param(500, 498, 1.0, HeaderBudget(498, 500 / 60, 500), id="reset in whole seconds"),
        pytest.param(600, 40, 1.0, HeaderBudget(40, 10.0, 50), id="five seconds may burst"),
        pytest.param(10_000, 9_999, 8.64, HeaderBudget(9_999, 1 / 8.64, 10_000), id="a day's"),
        pytest.param(None, 7, 3.0, HeaderBudget(7, 0, 0), id="no limit"),
        pytest.param(0, 7, 3.0, HeaderBudget(7, 0, 0), id="a limit of nothing"),
        pytest.param(500, None, 3.0, None, id="no remaining"),
        pytest.param(500, -1, 3.0, None, id="less than nothing remaining"),
    ],
)
def test_limit_remaining_and_reset_give_rate_and_capacity(
    limit: int | None, remaining: int | None, reset_s: float | None, expected: HeaderBudget | None
) -> None:
    assert read_budget(limit, remaining, reset_s) == expected
