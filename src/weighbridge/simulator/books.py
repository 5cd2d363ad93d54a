"""The simulated provider's own counts of what it admitted, refused, answered and billed.

`app.py` writes here; tests and benchmarks read it (or `GET /simulator/books`) to check that no
limit was crossed and nothing was bought twice. Work per call is constant; memory is bounded.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.simulator.quota import MINUTE_S

if TYPE_CHECKING:
    from weighbridge.simulator.prompt_cache import Cached

_REMEMBERED_PROMPTS: Final = 1_000_000
"""The most questions, and the most answers, that `Memory` holds."""


class SlidingMinute:
    """Requests and tokens admitted in the last 60 s, and the most admitted in any 60 s so far."""

    def __init__(self) -> None:
        self._admissions: deque[tuple[float, int]] = deque()
        self._tokens = 0
        self.max_requests = 0
        self.max_tokens = 0

    def record(self, now_s: float, tokens: int) -> None:
        """Count one admitted request with its tokens.

        An admission that is exactly 60 s old is no longer in the window.
        """
        self._forget(now_s)
        self._admissions.append((now_s, tokens))
        self._tokens += tokens
        self.max_requests = max(self.max_requests, len(self._admissions))
        self.max_tokens = max(self.max_tokens, self._tokens)

    def current(self, now_s: float) -> tuple[int, int]:
        """(requests, tokens) of the last 60 s."""
        self._forget(now_s)
        return len(self._admissions), self._tokens

    def _forget(self, now_s: float) -> None:
        admissions, horizon_s = self._admissions, now_s - MINUTE_S
        while admissions and admissions[0][0] <= horizon_s:
            self._tokens -= admissions.popleft()[1]


class Memory:
    """How many times each question was asked, and which were soundly answered, by their keys.

    Holds at most `size` of each; then the oldest go.
    """

    def __init__(self, size: int = _REMEMBERED_PROMPTS) -> None:
        self._size = size
        self._asked: OrderedDict[bytes, int] = OrderedDict()
        self._answered: OrderedDict[bytes, None] = OrderedDict()
        self.answered_twice = 0

    def ask(self, key: bytes) -> int:
        """Count a question; returns how many times it was asked before."""
        before = self._asked.get(key, 0)
        self._asked[key] = before + 1
        if len(self._asked) > self._size:
            self._asked.popitem(last=False)
        return before

    def answer(self, key: bytes) -> None:
        """Note a sound, complete answer; a second one to the same question raises
        `answered_twice`, because it is paid for again.
        """
        if key in self._answered:
            self.answered_twice += 1
            return
        self._answered[key] = None
        if len(self._answered) > self._size:
            self._answered.popitem(last=False)


@dataclass(slots=True)
class _Allowance:
    """How many requests and tokens the limits have allowed up to `since_s`."""

    requests: float = 0.0
    tokens: float = 0.0
    since_s: float | None = None


class Books:
    """Everything the provider counts. Times are seconds of the clock's monotonic time.

    `as_json` gives most counts under the same names. `abandoned` are calls that the client gave
    up, `lookups` and `fetched` requests for stored calls and the calls found by them.
    """

    def __init__(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.minute = SlidingMinute()
        self.prompts = Memory()
        self.products = Memory()
        self.received = 0
        self.admitted = 0
        self.admitted_tokens = 0
        self.completed = 0
        self.abandoned = 0
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.calls_by_schema: Counter[str] = Counter()
        self.tokens_by_schema: Counter[str] = Counter()
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.cache_write_tokens = 0
        self.calls_by_tier: Counter[str] = Counter()
        self.output_tokens = 0
        self.batch_requests = 0
        self.batches = 0
        self.batches_repeated = 0
        self.batch_prompt_tokens = 0
        self.batch_output_tokens = 0
        self.batch_cached_tokens = 0
        self.batch_cache_write_tokens = 0
        self.stored = 0
        self.lookups = 0
        self.fetched = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.first_admitted_at_s: float | None = None
        self.last_admitted_at_s: float | None = None
        self._allowance = _Allowance()

    def admit(self, now_s: float, tokens: int, schema_name: str) -> None:
        """Count a call that the limits have admitted; it is in flight until `leave`."""
        self.minute.record(now_s, tokens)
        self.admitted += 1
        self.admitted_tokens += tokens
        self.calls_by_schema[schema_name] += 1
        self.tokens_by_schema[schema_name] += tokens
        if self.first_admitted_at_s is None:
            self.first_admitted_at_s = self._allowance.since_s = now_s
        self.last_admitted_at_s = now_s
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self) -> None:
        """Count an admitted call as no longer in flight, however it ended."""
        self.in_flight -= 1

    def bill(
        self, prompt_tokens: int, cached: Cached, output_tokens: int, *, in_batch: bool = False
    ) -> None:
        """Count an answer and its tokens, sound or not; those `in_batch` also by themselves."""
        if in_batch:
            self.batch_prompt_tokens += prompt_tokens
            self.batch_output_tokens += output_tokens
            self.batch_cached_tokens += cached.read
            self.batch_cache_write_tokens += cached.written
        self.completed += 1
        self.prompt_tokens += prompt_tokens
        self.cached_tokens += cached.read
        self.cache_write_tokens += cached.written
        self.output_tokens += output_tokens

    def change_limits(
        self, requests_per_minute: int | None, tokens_per_minute: int | None, now_s: float
    ) -> None:
        """Set new limits; utilisation goes on counting what the old ones allowed until now."""
        self._allowance = self._allowed_until(now_s)
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute

    def as_json(self, now_s: float) -> dict[str, Any]:
        """All counts, as `GET /simulator/books` shows them."""
        requests_now, tokens_now = self.minute.current(now_s)
        first_s, last_s = self.first_admitted_at_s, self.last_admitted_at_s
        span_s = 0.0 if first_s is None or last_s is None else last_s - first_s
        allowed = self._allowed_until(first_s if last_s is None else last_s)
        return {
            "simulated": True,
            "received": self.received,
            "admitted": self.admitted,
            "admitted_tokens": self.admitted_tokens,
            "completed": self.completed,
            "abandoned": self.abandoned,
            "rate_limited": sum(self.refused.values()),
            "rate_limited_by": dict(self.refused),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "faults": dict(self.faults),
            "calls_by_schema": dict(self.calls_by_schema),
            "tokens_by_schema": dict(self.tokens_by_schema),
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "calls_by_tier": dict(self.calls_by_tier),
            "output_tokens": self.output_tokens,
            "batch_requests": self.batch_requests,
            "batches": self.batches,
            "batches_repeated": self.batches_repeated,
            "batch_prompt_tokens": self.batch_prompt_tokens,
            "batch_output_tokens": self.batch_output_tokens,
            "batch_cached_tokens": self.batch_cached_tokens,
            "batch_cache_write_tokens": self.batch_cache_write_tokens,
            "stored": self.stored,
            "lookups": self.lookups,
            "fetched": self.fetched,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "last_minute": {"requests": requests_now, "tokens": tokens_now},
            "max_per_minute": {
                "requests": self.minute.max_requests,
                "tokens": self.minute.max_tokens,
            },
            "limits": {"requests": self.requests_per_minute, "tokens": self.tokens_per_minute},
            "span_s": span_s,
            "utilisation": {
                "requests": _share(self.admitted, allowed.requests, self.requests_per_minute),
                "tokens": _share(self.admitted_tokens, allowed.tokens, self.tokens_per_minute),
            },
            "prompts_answered_twice": self.prompts.answered_twice,
            "products_answered_twice": self.products.answered_twice,
        }

    def _allowed_until(self, now_s: float | None) -> _Allowance:
        """The requests and tokens that the limits have allowed up to this moment."""
        past = self._allowance
        if past.since_s is None or now_s is None:
            return past
        minutes = max(0.0, now_s - past.since_s) / MINUTE_S
        return _Allowance(
            past.requests + (self.requests_per_minute or 0) * minutes,
            past.tokens + (self.tokens_per_minute or 0) * minutes,
            now_s,
        )


def _share(used: int, allowed: float, limit: int | None) -> float | None:
    """Used ÷ allowed; None without a limit, and before anything was allowed."""
    return None if limit is None or allowed <= 0 else used / allowed
