"""Headers become numbers, and garbage becomes None."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.calls import Remaining
from weighbridge.providers.faults.rate_limit_headers import (
    LONGEST_SPAN_S,
    read_processing_s,
    read_remaining,
    read_retry_after_s,
    span_s,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("1d1h", 90_000.0),
        ("850µs", 0.00085),
        ("0s", 0.0),
        ("7", 7.0),
        ("0.25", 0.25),
        (" 3 ", 3.0),
    ],
)
def test_spans_are_read_as_openai_writes_them(text: str, seconds: float) -> None:
    assert span_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "soon",
        "s",
        "1",
        "-1s",
        "1s later",
        "1 s",
        "nan",
        "inf",
        "1e3",
        "٣s",
        "1y",
        "1790000000000",
    ],
)
def test_garbage_is_not_a_duration(text: str | None) -> None:
    assert span_s(text) == (1.0 if text == "1" else None)


@given(st.integers(0, 150), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_any_duration_is_read_exactly(hours: int, minutes: int, seconds: int, ms: int) -> None:
    text = f"{hours}h{minutes}m{seconds}.{ms:03}s"
    assert span_s(text) == pytest.approx(hours * 3600 + minutes * 60 + seconds + ms / 1000)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_cleanly(text: str) -> None:
    seconds = span_s(text)
    assert seconds is None or 0 <= seconds <= LONGEST_SPAN_S
    read_remaining({"x-ratelimit-limit-requests": text, "x-ratelimit-reset-tokens": text})
    read_retry_after_s({"retry-after": text, "retry-after-ms": text, "date": text}, text)


def test_header_names_ignore_case() -> None:
    headers = httpx2.Headers(
        {"X-RateLimit-Limit-Requests": "500", "X-RATELIMIT-RESET-TOKENS": "12ms"}
    )
    assert read_remaining(headers) == Remaining(requests_limit=500, tokens_reset_s=0.012)


@pytest.mark.parametrize("text", ["-1", "many", "1,000", "", "٣", "0x10"])
def test_unreadable_counts_are_unknown(text: str) -> None:
    assert read_remaining({"x-ratelimit-remaining-requests": text}) == Remaining()


@pytest.mark.parametrize(
    ("headers", "retry_after_s"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "garbage", "retry-after": "2"}, 2.0),
        ({"retry-after": "20s"}, 20.0),
        (
            {
                "retry-after": "Sat, 01 Aug 2026 10:01:00 GMT",
                "date": "Sat, 01 Aug 2026 10:00:00 GMT",
            },
            60.0,
        ),
        (
            {
                "retry-after": "Sat, 01 Aug 2026 09:00:00 GMT",
                "date": "Sat, 01 Aug 2026 10:00:00 GMT",
            },
            0.0,
        ),
        ({"retry-after": "Sat, 01 Aug 2026 10:01:00 GMT"}, None),
        (
            {
                "retry-after": "Sat, 01 Aug 2099 10:01:00 GMT",
                "date": "Sat, 01 Aug 2026 10:00:00 GMT",
            },
            None,
        ),
        ({"retry-after": "never"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(
    headers: dict[str, str], retry_after_s: float | None
) -> None:
    assert read_retry_after_s(headers) == retry_after_s


@pytest.mark.parametrize(
    ("message", "retry_after_s"),
    [
        (
            (
                "Limit 500, Used 500, Requested 1. Please try again in 120ms. Visit "
                "https://example.org."
            ),
            0.12,
        ),
        ("Please try again in 7m12s.", 432.0),
        ("Please try again in 1.2s", 1.2),
        ("Try again in a moment", None),
    ],
)
def test_without_a_header_the_message_is_believed(
    message: str, retry_after_s: float | None
) -> None:
    assert read_retry_after_s({}, message) == retry_after_s


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        (None, None),
        ("812", 0.812),
        (" 4000.5 ", 4.0005),
        ("soon", None),
        ("-3", None),
        ("9e9", None),
    ],
)
def test_reads_the_providers_processing_time(text: str | None, expected_s: float | None) -> None:
    headers = {} if text is None else {"openai-processing-ms": text}
    assert read_processing_s(headers) == expected_s
