"""What the user has set about calls (effort, tier, form, timeout, prices), and the timeouts that
follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.calls import CallRequest, Price

CONNECT_TIMEOUT_S: Final = 10.0
STANDARD_TIMEOUT_S: Final = 120.0
"""Base time limit of a call to a hosted model in the standard tier."""
FLEX_TIMEOUT_S: Final = 900.0
"""Base time limit of a call in the flex tier, as the provider recommends:
https://developers.openai.com/api/docs/guides/flex- processing
"""
LOCAL_TIMEOUT_S: Final = 600.0
"""Base time limit of a call to a server on this machine: on a CPU it writes some 5 to 50 tokens a
second.
"""
SECONDS_PER_TOKEN: Final = 1 / 50
"""Added to the time limit for each token of the output allowance; no hosted model is slower than
that for long.
"""
PACE_FACTOR: Final = 2.0
"""The time limit gives each token that is still expected this many times the time that tokens have
taken on average so far.
"""
LEAST_TOKENS: Final = 20
"""Replies with fewer tokens are not used to measure the time per token: their time is mostly that
of reading the prompt.
"""
PACE_MEMORY: Final = 0.7
"""The weight, from 0 to 1, of the earlier average time per token in the new average; the last reply
has the rest.
"""
MOST_TIMES: Final = 2.0
"""The output allowance lengthens the time limit to at most this multiple of the base limit."""

FLEX_OR_DEFAULT: Final = "flex-or-default"


class WritingPace:
    """Average seconds that the server takes for each output token, waiting and reading the prompt
    included; 0 before the first reply.
    """

    def __init__(self) -> None:
        self.seconds_per_token = 0.0

    def observe(self, seconds: float, output_tokens: int) -> None:
        """Count in a reply that took `seconds`. A slower reply counts at once, a faster one in
        part.
        """
        if output_tokens < LEAST_TOKENS:
            return
        now = seconds / output_tokens
        known = self.seconds_per_token or now
        self.seconds_per_token = max(now, known * PACE_MEMORY + now * (1 - PACE_MEMORY))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user has set; None where nothing is set. `prices` are by (model, provider)."""

    effort: str | None = None
    tier: str | None = None
    form: str | None = None
    timeout_s: float | None = None
    prices: Mapping[tuple[str, str | None], Price] | None = None

    @property
    def sent_tier(self) -> str | None:
        """The value of `service_tier` in a request; None: the parameter is not sent."""
        return "flex" if self.tier == FLEX_OR_DEFAULT else self.tier

    def base_timeout_s(self, *, is_local: bool) -> float:
        """Seconds that a call with a short answer may take."""
        if self.timeout_s is not None:
            return self.timeout_s
        if is_local:
            return LOCAL_TIMEOUT_S
        return FLEX_TIMEOUT_S if self.sent_tier == "flex" else STANDARD_TIMEOUT_S

    def timeout_s_for(self, request: CallRequest, *, is_local: bool, pace_s: float = 0.0) -> float:
        """Seconds that this call may take. A timeout that the user set holds for every size.

        `pace_s`: seconds that an output token has taken so far; may lengthen the limit, up to
        `MOST_TIMES`.
        """
        base_s = self.base_timeout_s(is_local=is_local)
        if self.timeout_s is None:
            base_s = max(base_s, FLEX_TIMEOUT_S) if request.tier == "flex" else base_s
            longer_s = base_s + request.max_output_tokens * SECONDS_PER_TOKEN
            fitted_s = request.max_output_tokens * pace_s * PACE_FACTOR
            base_s = min(max(longer_s, fitted_s), base_s * MOST_TIMES)
        return base_s * request.time_factor

    def longest_s(self, *, is_local: bool) -> float:
        """Seconds that the largest call may take in its first try."""
        base_s = self.base_timeout_s(is_local=is_local)
        return base_s if self.timeout_s is not None else base_s * MOST_TIMES
