"""Whether the provider's prompt cache pays is measured, and shown."""

from __future__ import annotations

import json

import pytest

from weighbridge.domain.calls import CallRequest, Usage
from weighbridge.providers.cache_watch import TRIAL_REPLIES, CacheWatch
from weighbridge.providers.prices import price_of
from weighbridge.providers.requests.bodies import encoded_body
from weighbridge.providers.requests.capabilities import capabilities_of

LUNA = price_of("gpt-6-luna", "openai")
WRITTEN = Usage(3_000, 200, cache_write_tokens=2_500)
READ = Usage(3_000, 200, cached_input_tokens=2_500)


@pytest.mark.parametrize(("replies", "pays"), [
    ([WRITTEN] * TRIAL_REPLIES, False),
    ([WRITTEN] + [READ] * TRIAL_REPLIES, True),
    ([WRITTEN] * (TRIAL_REPLIES - 1), True),
    ([Usage(3_000, 200)] * (2 * TRIAL_REPLIES), True),
])  # fmt: skip
def test_a_cache_that_is_only_written_does_not_pay(replies: list[Usage], *, pays: bool) -> None:
    watch = CacheWatch()
    for usage in replies:
        watch.observe(usage, LUNA)
    assert watch.does_not_pay is not pays


def test_the_saving_is_what_reading_spared_less_what_writing_cost() -> None:
    watch = CacheWatch()
    watch.observe(WRITTEN, LUNA)
    watch.observe(READ, LUNA)
    assert watch.saving_usd == pytest.approx(2_500 * (0.09 - 0.025) / 1e6)


def test_a_cache_that_does_not_pay_is_no_longer_written() -> None:
    request = CallRequest("Instructions", "content", "classification", {}, 100)
    capabilities = capabilities_of("gpt-6-luna", is_openai=True)
    assert b"prompt_cache_breakpoint" in encoded_body(request, "gpt-6-luna", capabilities)
    off = capabilities.recalled({**capabilities.dump(), "writes_cache": False})
    body = json.loads(encoded_body(request, "gpt-6-luna", off))
    assert "prompt_cache_breakpoint" not in json.dumps(body)
    assert body["prompt_cache_options"] == {"mode": "explicit"}, "or the provider writes by itself"
