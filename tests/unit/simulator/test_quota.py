"""The simulated account's limit: what it admits in a minute, and what it says about it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.simulator.books import SlidingMinute
from weighbridge.simulator.quota import MINUTE_S, Quota, Refused, format_duration

GAPS_S = st.floats(0, 40, allow_nan=False)


def seconds(text: str) -> float:
    """Read a duration in OpenAI's format back."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    assert "".join(number + unit for number, unit in parts) == text
    return sum(float(number) * units[unit] for number, unit in parts)


@given(
    calls=st.lists(st.tuples(GAPS_S, st.integers(1, 900)), min_size=1, max_size=200),
    burst_s=st.sampled_from([0.5, 5.0, 60.0]),
)
def test_sixty_seconds_never_exceed_burst_plus_refill(
    calls: list[tuple[float, int]], burst_s: float
) -> None:
    quota = Quota(30, 3000, burst_s, 0.0)
    minute, now_s = SlidingMinute(), 0.0
    for gap_s, tokens in calls:
        now_s += gap_s
        if quota.admit(tokens, now_s) is None:
            minute.record(now_s, tokens)
    burst = burst_s / MINUTE_S
    assert minute.max_requests <= max(1, 30 * burst) + 30 + 1e-6
    # A call dearer than a full bucket leaves it in debt by less than itself.
    assert minute.max_tokens <= max(3000 * burst, 900) + 3000 + 1e-6


@given(
    calls=st.lists(st.tuples(GAPS_S, st.integers(1, 3000)), min_size=1, max_size=60),
    burst_s=st.sampled_from([0.5, 5.0, 60.0, 90.0]),
)
def test_the_stated_wait_is_exactly_sufficient(
    calls: list[tuple[float, int]], burst_s: float
) -> None:
    quota = Quota(30, 3000, burst_s, 0.0)
    now_s = 0.0
    for gap_s, tokens in calls:
        now_s += gap_s
        # Both budgets may be short; each is named in turn.
        for _ in range(2):
            refused = quota.admit(tokens, now_s)
            if refused is None:
                break
            assert not refused.too_large
            assert isinstance(quota.admit(tokens, now_s + refused.wait_s * 0.9), Refused)
            now_s += refused.wait_s + 1e-6
        else:
            assert quota.admit(tokens, now_s) is None


def test_a_call_larger_than_the_minute_is_never_admitted() -> None:
    refused = Quota(None, 3000, 60.0, 0.0).admit(3001, 1000.0)
    assert refused is not None
    assert refused.too_large


def test_a_call_above_the_burst_waits_for_a_full_bucket() -> None:
    quota = Quota(None, 6000, 1.0, 0.0)
    assert quota.admit(500, 0.0) is None
    refused = quota.admit(100, 0.0)
    assert refused is not None
    assert refused.wait_s == pytest.approx(5.0)


def test_a_refused_call_costs_nothing() -> None:
    quota = Quota(10, 1000, 60.0, 0.0)
    assert quota.admit(900, 0.0) is None
    for _ in range(50):
        assert quota.admit(900, 0.0) is not None
    headers = dict(quota.headers())
    assert headers[b"x-ratelimit-remaining-requests"] == b"9"
    assert headers[b"x-ratelimit-remaining-tokens"] == b"100"


def test_headers_report_limit_remaining_and_reset() -> None:
    quota = Quota(60, 60_000, 60.0, 0.0)
    quota.admit(30_000, 0.0)
    assert dict(quota.headers()) == {
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"59",
        b"x-ratelimit-reset-requests": b"1s",
        b"x-ratelimit-limit-tokens": b"60000",
        b"x-ratelimit-remaining-tokens": b"30000",
        b"x-ratelimit-reset-tokens": b"30s",
    }


def test_without_a_limit_everything_is_admitted_without_headers() -> None:
    quota = Quota(None, None, 60.0, 0.0)
    assert all(quota.admit(10**9, 0.0) is None for _ in range(1000))
    assert quota.headers() == []


def test_a_half_empty_bucket_stays_half_empty_when_the_limit_changes() -> None:
    quota = Quota(None, 1000, 60.0, 0.0)
    quota.admit(500, 0.0)
    quota.change(None, 4000, 60.0, 0.0)
    assert dict(quota.headers())[b"x-ratelimit-remaining-tokens"] == b"2000"


@pytest.mark.parametrize(
    ("span_s", "text"),
    [
        (0.0, "0ms"),
        (0.0001, "1ms"),
        (0.012, "12ms"),
        (0.9995, "1s"),
        (1.0, "1s"),
        (1.2, "1.2s"),
        (59.9999, "1m0s"),
        (360.0, "6m0s"),
        (61.5, "1m1.5s"),
        (3600.0, "1h0m0s"),
        (86_399.0, "23h59m59s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(span_s: float, text: str) -> None:
    assert format_duration(span_s) == text


@given(st.floats(0, 10**6))
def test_a_duration_read_back_is_the_span_rounded_up_to_a_millisecond(span_s: float) -> None:
    assert -1e-6 <= seconds(format_duration(span_s)) - span_s <= 0.001001
