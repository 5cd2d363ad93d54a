"""Reads the `x-ratelimit-*` and `retry-after` headers of a reply into numbers for the governor.

A header that is missing or unreadable gives None, never an error. All functions are pure; an HTTP
date is compared with the reply's own `date` header, so that a wrong clock does not matter.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import Remaining

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_SPAN_S: Final = 7 * 86_400.0
"""A span of time longer than this counts as unreadable: some servers send a point in time instead.
"""

_COUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]*)?")
_SECONDS: Final = re.compile(r"[0-9]{1,15}(\.[0-9]*)?|\.[0-9]+")
_PART: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]*)?)(ns|us|µs|ms|s|m|h|d)")
_UNIT_S: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0,
}  # fmt: skip
_TRY_AGAIN: Final = re.compile(
    r"(?:try again|retry|wait|available|resets?) (?:in|after|for)(?: about)? ([0-9][0-9.a-zµ]*[a-zµ]|[0-9.]+(?= ?(?:seconds?|minutes?|hours?)))"
    r"(?: ?(seconds?|minutes?|hours?))?"
)
_WRITTEN_OUT: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0}


def read_remaining(headers: Mapping[str, str]) -> Remaining:
    """What the headers say of requests and tokens that are left. `headers` must ignore case."""
    return Remaining(
        requests_limit=_count(headers.get("x-ratelimit-limit-requests")),
        requests_remaining=_count(headers.get("x-ratelimit-remaining-requests")),
        requests_reset_s=span_s(headers.get("x-ratelimit-reset-requests")),
        tokens_limit=_count(headers.get("x-ratelimit-limit-tokens")),
        tokens_remaining=_count(headers.get("x-ratelimit-remaining-tokens")),
        tokens_reset_s=span_s(headers.get("x-ratelimit-reset-tokens")),
    )


def read_retry_after_s(headers: Mapping[str, str], message: str = "") -> float | None:
    """Seconds that the provider asks us to wait: by the most exact header, else by its message;
    None if neither says so.

    OpenAI writes "Please try again in 1.2s" into the message, and not always a header:
    https://platform.openai.com/docs/guides/rate-limits
    """
    in_ms = headers.get("retry-after-ms")
    if in_ms is not None and _SECONDS.fullmatch(in_ms.strip()):
        return _plausible_s(float(in_ms) / 1000)
    stated = headers.get("retry-after")
    if stated is not None:
        delay_s = span_s(stated)
        return delay_s if delay_s is not None else _until_s(stated, headers.get("date"))
    found = _TRY_AGAIN.search(message.lower())
    if not found:
        return None
    span = span_s(found[1])
    unit_s = _WRITTEN_OUT[found[2].rstrip("s")] if found[2] else 1.0
    return None if span is None else _plausible_s(span * unit_s)


def read_processing_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider worked on the call; None if it does not say. OpenAI does."""
    text = headers.get("openai-processing-ms")
    if text is None or not _SECONDS.fullmatch(text.strip()):
        return None
    return _plausible_s(float(text) / 1000)


def span_s(text: str | None) -> float | None:
    """Seconds in "12ms", "1s", "6m0s", "1h2m3.5s" or a bare number (of seconds); None for other
    text.
    """
    stripped = (text or "").strip()
    if _SECONDS.fullmatch(stripped):
        return _plausible_s(float(stripped))
    parts = _PART.findall(stripped)
    if not parts or "".join(number + unit for number, unit in parts) != stripped:
        return None
    return _plausible_s(sum(float(number) * _UNIT_S[unit] for number, unit in parts))


def _count(text: str | None) -> int | None:
    """The whole number in a header's text; None for anything else."""
    stripped = (text or "").strip()
    return int(float(stripped)) if _COUNT.fullmatch(stripped) else None


def _plausible_s(seconds: float) -> float | None:
    """The seconds; None above `LONGEST_SPAN_S`."""
    return seconds if seconds <= LONGEST_SPAN_S else None


def _until_s(then: str, now: str | None) -> float | None:
    """Seconds from the HTTP date `now` to `then`, at least 0; None if either cannot be read."""
    moment, reference = _http_date(then), _http_date(now)
    if moment is None or reference is None:
        return None
    return _plausible_s(max(0.0, (moment - reference).total_seconds()))


def _http_date(text: str | None) -> datetime | None:
    """The moment of an HTTP date, UTC if it names no zone; None for other text."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
