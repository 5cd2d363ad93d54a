"""The limiter against a provider with its own books, on virtual time: full use, few refusals, quick
learning.
"""

from __future__ import annotations

import pytest

from tests.support.provider_bucket import ProviderBucket, Rush, least_time_s
from weighbridge.limits.limiter import Limiter, Limits

TOKENS = 900
CALLS = 2_000


def rush(
    requests_per_minute: int = 500,
    burst_s: float = 60.0,
    headers: str = "level",
    seed: int = 1,
    calls: int = CALLS,
    **how: float,
) -> Rush:
    provider = ProviderBucket(requests_per_minute, 450_000, burst_s, headers)
    limiter = Limiter(Limits(requests_per_minute, 450_000))
    return Rush(limiter, provider, calls, TOKENS, seed=seed, **how)  # type: ignore[arg-type]


def utilisation(done: Rush, requests_per_minute: int, burst_s: float) -> float:
    untouched = ProviderBucket(requests_per_minute, 450_000, burst_s)
    least_s = least_time_s(CALLS, TOKENS, untouched, requests_per_minute, 450_000)
    return least_s / done.provider.admitted_at()[-1]


SCENARIOS = {
    "A, a minute may burst": (500, 60.0, 0.0),
    "T, tokens are what is scarce": (2_000, 60.0, 0.0),
    "S, five seconds may burst": (500, 5.0, 0.01),
    "two seconds may burst": (500, 2.0, 0.01),
    "ten seconds may burst": (500, 10.0, 0.015),
}
"""Requests a minute, burst, and the share of calls that may be refused while the burst is being
found out.
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("headers", ["level", "none"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_uses_the_full_quota_with_hardly_a_refusal(scenario: str, headers: str, seed: int) -> None:
    requests_per_minute, burst_s, refused_share = SCENARIOS[scenario]
    done = rush(requests_per_minute, burst_s, headers, seed)
    done.run()
    assert len(done.provider.admitted_at()) == CALLS
    assert utilisation(done, requests_per_minute, burst_s) >= 0.99
    assert done.provider.refusals() <= CALLS * refused_share
    requests, tokens = done.provider.busiest_minute()
    assert requests <= requests_per_minute
    assert tokens <= 450_000


@pytest.mark.parametrize("seed", [1, 2])
def test_headers_hiding_a_small_burst_do_little_harm(seed: int) -> None:
    done = rush(burst_s=5.0, headers="minute", seed=seed)
    done.run()
    assert utilisation(done, 500, 5.0) >= 0.99
    assert done.provider.refusals() < CALLS / 100


@pytest.mark.parametrize("burst_s", [60.0, 5.0])
def test_slow_replies_do_not_reduce_utilisation(burst_s: float) -> None:
    done = rush(burst_s=burst_s, median_latency_s=20.0)
    done.run()
    assert utilisation(done, 500, burst_s) >= 0.99
    assert done.provider.refusals() < CALLS / 100


@pytest.mark.parametrize("start_up_s", [0.1, 0.5, 3.0])
@pytest.mark.parametrize("headers", ["level", "none"])
def test_a_slow_start_does_not_grow_the_burst(start_up_s: float, headers: str) -> None:
    """Calls are granted at once, but none leaves before the process is ready to send it."""
    done = rush(burst_s=5.0, headers=headers, start_up_s=start_up_s)
    done.run()
    assert done.provider.refusals() < CALLS / 100


def admitted(done: Rush, from_s: float, to_s: float) -> int:
    return sum(from_s <= at_s < to_s for at_s in done.provider.admitted_at())


def refused(done: Rush, from_s: float, to_s: float) -> int:
    return sum(from_s <= at_s < to_s and not tokens for at_s, tokens in done.provider.arrivals)


@pytest.mark.parametrize("burst_s", [60.0, 5.0])
def test_a_halved_limit_and_its_restoration_are_detected(burst_s: float) -> None:
    done = rush(burst_s=burst_s, calls=20_000)
    done.at(130.0, lambda: done.provider.change(250, 225_000))
    done.at(310.0, lambda: done.provider.change(500, 450_000))
    done.run(490.0)
    assert admitted(done, 190, 310) >= 0.95 * 250 * 2
    assert refused(done, 190, 310) <= 5
    assert admitted(done, 370, 490) >= 0.95 * 500 * 2
    assert refused(done, 370, 490) <= 5


def test_without_headers_refusals_reveal_a_halved_limit() -> None:
    done = rush(headers="none", burst_s=5.0, calls=20_000)
    done.at(130.0, lambda: done.provider.change(250, 225_000))
    done.at(310.0, lambda: done.provider.change(500, 450_000))
    done.run(550.0)
    assert admitted(done, 190, 310) >= 0.95 * 250 * 2
    assert refused(done, 190, 310) <= 0.05 * 250 * 2
    assert admitted(done, 430, 550) >= 0.95 * 500 * 2


@pytest.mark.parametrize("burst_s", [60.0, 5.0])
def test_leaves_room_for_a_second_program_on_the_same_key(burst_s: float) -> None:
    done = rush(burst_s=burst_s, calls=20_000)
    done.second_program(250, 130.0, 310.0)
    done.run(490.0)
    provider = done.provider
    elsewhere = sum(190 <= at_s < 310 for at_s in provider.admitted_elsewhere)
    assert admitted(done, 190, 310) >= 0.95 * (500 * 2 - elsewhere)
    assert refused(done, 190, 310) < 0.1 * admitted(done, 190, 310)
    assert admitted(done, 370, 490) >= 0.95 * 500 * 2


def test_underestimated_calls_do_not_overrun_the_limit() -> None:
    done = rush(actual_tokens=950)
    done.run()
    # The first burst cannot know; from then on every minute keeps to the limit that the provider
    # counts.
    after_first = [at_s for at_s in done.provider.admitted_at() if at_s > 30]
    busiest = max(sum(at <= x < at + 60 for x in after_first) for at in after_first)
    assert busiest * 950 <= 450_000 * 1.06
