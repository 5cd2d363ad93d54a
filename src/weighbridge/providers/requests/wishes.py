"""What the user has set about calls, and what follows from it where nothing is set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.calls import CallRequest, Price

CONNECT_TIMEOUT_S: Final = 10.0
STANDARD_TIMEOUT_S: Final = 120.0
FLEX_TIMEOUT_S: Final = 900.0
"""What the provider recommends for flex: https://developers.openai.com/api/docs/guides/flex-
processing
"""
LOCAL_TIMEOUT_S: Final = 600.0
"""For a server on this machine: a processor writes some 5 to 50 tokens a second."""
SECONDS_PER_TOKEN: Final = 1 / 50
"""On top, for each token that the answer may have; no hosted model is slower for long."""
PACE_FACTOR: Final = 2.0
"""A server is given twice the time that it has needed for each token so far."""
LEAST_TOKENS: Final = 20
"""Shorter replies tell the speed of reading, not of writing."""
PACE_MEMORY: Final = 0.7
"""The weight of what was known, against the last reply."""
MOST_TIMES: Final = 2.0
"""The allowance at most doubles the limit."""

FLEX_OR_DEFAULT: Final = "flex-or-default"


class WritingPace:
    """How long the server needs for each token of an answer, with all that comes before it."""

    def __init__(self) -> None:
        self.seconds_per_token = 0.0

    def observe(self, seconds: float, output_tokens: int) -> None:
        """Learn from a reply."""
        if output_tokens < LEAST_TOKENS:
            return
        now = seconds / output_tokens
        known = self.seconds_per_token or now
        self.seconds_per_token = max(now, known * PACE_MEMORY + now * (1 - PACE_MEMORY))


@dataclass(frozen=True, slots=True)
class Wishes:
    """None: nobody chose. `prices` are the user's own, by model and provider."""

    effort: str | None = None
    tier: str | None = None
    form: str | None = None
    timeout_s: float | None = None
    prices: Mapping[tuple[str, str | None], Price] | None = None

    @property
    def sent_tier(self) -> str | None:
        """The value of `service_tier`."""
        return "flex" if self.tier == FLEX_OR_DEFAULT else self.tier

    def base_timeout_s(self, *, is_local: bool) -> float:
        """How long a call with a short answer may take."""
        if self.timeout_s is not None:
            return self.timeout_s
        if is_local:
            return LOCAL_TIMEOUT_S
        return FLEX_TIMEOUT_S if self.sent_tier == "flex" else STANDARD_TIMEOUT_S

    def timeout_s_for(self, request: CallRequest, *, is_local: bool, pace_s: float = 0.0) -> float:
        """How long this call may take. What the user set holds for each call, whatever its size.

        `pace_s`: what a token has taken so far; it lengthens the limit, up to a bound.
        """
        base_s = self.base_timeout_s(is_local=is_local)
        if self.timeout_s is None:
            base_s = max(base_s, FLEX_TIMEOUT_S) if request.tier == "flex" else base_s
            longer_s = base_s + request.max_output_tokens * SECONDS_PER_TOKEN
            fitted_s = request.max_output_tokens * pace_s * PACE_FACTOR
            base_s = min(max(longer_s, fitted_s), base_s * MOST_TIMES)
        return base_s * request.time_factor

    def longest_s(self, *, is_local: bool) -> float:
        """How long any call may take before it is tried with more time."""
        base_s = self.base_timeout_s(is_local=is_local)
        return base_s if self.timeout_s is not None else base_s * MOST_TIMES
