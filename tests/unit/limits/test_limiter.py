"""What must hold for every limiter, whatever happens to it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.domain.calls import Cost, Remaining
from weighbridge.errors import RequestTooLarge, SchemaTooNew
from weighbridge.limits.limiter import Limiter, Limits, NotBefore, Reservation

START_S = 1_700_000_000.0
LIMITS = Limits(500, 450_000)

counts = st.integers(0, 600)
tokens = st.integers(0, 500_000)
resets = st.floats(0, 120)
remainings = st.builds(
    Remaining,
    requests_limit=st.none() | counts,
    requests_remaining=st.none() | counts,
    requests_reset_s=st.none() | resets,
    tokens_limit=st.none() | tokens,
    tokens_remaining=st.none() | tokens,
    tokens_reset_s=st.none() | resets,
)


@dataclass
class Reserve:
    tokens: int
    times: int


@dataclass
class Settle:
    which: int
    share: float


@dataclass
class Observe:
    remaining: Remaining
    which: int | None


@dataclass
class Refuse:
    retry_after_s: float | None
    which: int | None


@dataclass
class Depart:
    pass


@dataclass
class Pass:
    seconds: float


@dataclass
class Reconfigure:
    limits: Limits


@dataclass
class Reload:
    pass


which = st.integers(0, 1_000)
calls = st.builds(Reserve, st.integers(1, 20_000), st.integers(1, 120))
passing = st.builds(Pass, st.floats(0, 1) | st.floats(0, 70))
happenings = st.lists(
    calls
    | passing
    | st.builds(Settle, which, st.floats(0, 1))
    | st.builds(Observe, remainings, st.none() | which)
    | st.builds(Refuse, st.none() | st.floats(-1, 100), st.none() | which)
    | st.builds(Depart)
    | st.builds(Reload),
    max_size=25,
)
reconfigurations = st.builds(
    Reconfigure, st.builds(Limits, st.integers(1, 1_000), st.integers(20_000, 1_000_000))
)


@dataclass
class Story:
    """Lets things happen to a limiter and keeps its own record of what was granted."""

    limiter: Limiter = field(default_factory=lambda: Limiter(LIMITS, START_S))
    now_s: float = START_S
    granted: list[Reservation] = field(default_factory=list)
    charged: list[list[float]] = field(default_factory=list)  # when, requests, tokens
    last_answer: NotBefore | None = None

    def tell(self, happening: object) -> None:
        match happening:
            case Reserve(size, times):
                for _ in range(times):
                    if not self._reserve(Cost(1, size)):
                        break
            case Settle(index, share) if self.granted:
                index %= len(self.granted)
                granted = self.granted[index]
                actual = Cost(1, int(granted.cost.tokens * share))
                self.limiter.settle(granted, actual, self.now_s)
                self.charged[index][2] = actual.tokens
                self.granted[index] = granted._replace(cost=actual)
            case Observe(remaining, index):
                self.limiter.observe(remaining, self.now_s, self._pick(index))
            case Refuse(retry_after_s, index):
                refused = self._pick(index)
                self.limiter.refused(retry_after_s, self.now_s, refused)
                if refused is not None:
                    index = self.granted.index(refused)
                    self.charged[index] = [refused.at_s, 0, 0]
                    self.granted[index] = refused._replace(cost=Cost(0, 0))
            case Depart():
                self.limiter.departed(self.now_s)
            case Pass(seconds):
                self.now_s += seconds
            case Reconfigure(limits):
                self.limiter.reconfigure(limits, self.now_s)
            case Reload():
                self.limiter = Limiter.load(self.limiter.dump(), self.limiter.limits)
            case _:
                pass

    def _pick(self, index: int | None) -> Reservation | None:
        return (
            self.granted[index % len(self.granted)] if self.granted and index is not None else None
        )

    def _reserve(self, cost: Cost) -> bool:
        answer = self.limiter.reserve(cost, self.now_s)
        if isinstance(answer, NotBefore):
            self.last_answer = answer
            return False
        self.granted.append(answer)
        self.charged.append([answer.at_s, cost.requests, cost.tokens])
        return True

    def busiest_minute(self) -> tuple[float, float]:
        """The most requests and tokens in any 60 s, the ends included, by the final charges."""
        requests = used = 0.0
        for at_s, _, _ in self.charged:
            inside = [c for c in self.charged if at_s <= c[0] <= at_s + 60]
            requests = max(requests, sum(c[1] for c in inside))
            used = max(used, sum(c[2] for c in inside))
        return requests, used


@given(happenings)
@settings(deadline=None)
def test_no_sliding_minute_holds_more_than_the_limits(story: list[object]) -> None:
    told = Story()
    for happening in story:
        told.tell(happening)
    requests, used = told.busiest_minute()
    assert requests <= LIMITS.requests_per_minute
    assert used <= LIMITS.tokens_per_minute


@given(happenings, reconfigurations, st.integers(1, 20_000))
@settings(deadline=None)
def test_a_wait_estimate_is_in_the_future_and_holds(
    story: list[object], reconfiguration: Reconfigure, size: int
) -> None:
    told = Story()
    for happening in [*story, reconfiguration]:
        told.tell(happening)
    answer = told.limiter.reserve(Cost(1, size), told.now_s)
    if isinstance(answer, NotBefore):
        assert answer.at_s > told.now_s
        assert isinstance(told.limiter.reserve(Cost(1, size), answer.at_s), Reservation)


@given(happenings, happenings)
@settings(deadline=None)
def test_a_restored_limiter_behaves_the_same(before: list[object], after: list[object]) -> None:
    one, other = Story(), Story()
    for happening in before:
        one.tell(happening)
        other.tell(happening)
    other.limiter = Limiter.load(other.limiter.dump(), LIMITS)
    for happening in after:
        one.tell(happening)
        other.tell(happening)
    assert one.granted == other.granted
    assert one.limiter.dump() == other.limiter.dump()


@given(happenings)
@settings(deadline=None)
def test_a_waiting_call_gets_a_permit_after_bounded_waits(story: list[object]) -> None:
    told = Story()
    for happening in story:
        told.tell(happening)
    cost, now_s = Cost(1, LIMITS.tokens_per_minute), told.now_s
    promises = 0
    while isinstance(answer := told.limiter.reserve(cost, now_s), NotBefore):
        now_s = answer.at_s
        promises += 1
        assert promises <= 2


def fill(limiter: Limiter, cost: Cost, now_s: float) -> list[Reservation]:
    """Everything that is granted within a second, when each call leaves at once."""
    granted: list[Reservation] = []
    end_s = now_s + 1.0
    while now_s <= end_s:
        answer = limiter.reserve(cost, now_s)
        if isinstance(answer, Reservation):
            granted.append(answer)
            limiter.departed(now_s)
        else:
            now_s = answer.at_s
    return granted


def test_a_full_minutes_quota_can_go_within_a_second() -> None:
    limiter = Limiter(LIMITS, START_S)
    assert len(fill(limiter, Cost(1, 900), START_S)) == 500
    assert limiter.used(START_S + 1) == Cost(500, 450_000)
    answer = limiter.reserve(Cost(1, 900), START_S + 1)
    assert isinstance(answer, NotBefore)
    assert START_S + 60.2 < answer.at_s < START_S + 60.5


def test_the_quota_is_reused_within_one_percent() -> None:
    limiter = Limiter(LIMITS, START_S)
    fill(limiter, Cost(1, 900), START_S)
    assert len(fill(limiter, Cost(1, 900), START_S + 60.4)) == 500


def test_settling_below_the_estimate_frees_budget_at_once() -> None:
    limiter = Limiter(Limits(100, 1_000), START_S)
    first = limiter.reserve(Cost(1, 1_000), START_S)
    assert isinstance(first, Reservation)
    limiter.settle(first, Cost(1, 100), START_S + 3)
    assert limiter.used(START_S + 3) == Cost(1, 100)
    assert isinstance(limiter.reserve(Cost(1, 900), START_S + 63), Reservation)


def test_settling_above_the_estimate_is_charged() -> None:
    limiter = Limiter(LIMITS, START_S)
    first = limiter.reserve(Cost(1, 1_000), START_S)
    assert isinstance(first, Reservation)
    limiter.settle(first, Cost(1, 450_000), START_S + 1)
    answer = limiter.reserve(Cost(1, 1), START_S + 10)
    assert isinstance(answer, NotBefore)
    assert answer.at_s > START_S + 60


def test_a_call_that_ends_after_more_than_a_minute_settles_nothing() -> None:
    limiter = Limiter(LIMITS, START_S)
    first = limiter.reserve(Cost(1, 1_000), START_S)
    assert isinstance(first, Reservation)
    limiter.reserve(Cost(1, 7), START_S + 65)
    limiter.settle(first, Cost(1, 5), START_S + 70)
    assert limiter.used(START_S + 70) == Cost(1, 7)


def test_a_call_as_large_as_the_minute_waits_for_an_empty_window() -> None:
    limiter = Limiter(LIMITS, START_S)
    limiter.reserve(Cost(1, 10), START_S)
    answer = limiter.reserve(Cost(1, 450_000), START_S + 5)
    assert isinstance(answer, NotBefore)
    assert isinstance(limiter.reserve(Cost(1, 450_000), answer.at_s), Reservation)


def test_a_call_larger_than_the_minute_is_refused_at_once() -> None:
    limiter = Limiter(LIMITS, START_S)
    with pytest.raises(RequestTooLarge, match="450,001 tokens does not fit"):
        limiter.reserve(Cost(1, 450_001), START_S)
    with pytest.raises(RequestTooLarge):
        limiter.reserve(Cost(501, 1), START_S)


def test_a_429_pauses_permits_briefly() -> None:
    limiter = Limiter(LIMITS, START_S)
    granted = limiter.reserve(Cost(1, 900), START_S)
    assert isinstance(granted, Reservation)
    limiter.observe(Remaining(500, 499, 0.12, 450_000, 449_100, 0.12), START_S + 0.1, granted)
    limiter.refused(300.0, START_S + 0.2, granted)
    answer = limiter.reserve(Cost(1, 900), START_S + 0.2)
    assert isinstance(answer, NotBefore)
    assert START_S + 3 < answer.at_s < START_S + 3.3


def test_a_429_on_a_small_quota_pauses_at_most_half_a_refill() -> None:
    limiter = Limiter(LIMITS, START_S)
    granted = limiter.reserve(Cost(1, 900), START_S)
    assert isinstance(granted, Reservation)
    limiter.refused(300.0, START_S + 0.1, granted)
    answer = limiter.reserve(Cost(1, 900), START_S + 0.1)
    assert isinstance(answer, NotBefore)
    assert START_S + 0.3 < answer.at_s < START_S + 2.2


def test_a_refused_call_is_not_charged() -> None:
    limiter = Limiter(LIMITS, START_S)
    granted = limiter.reserve(Cost(1, 900), START_S)
    assert isinstance(granted, Reservation)
    limiter.refused(None, START_S + 0.1, granted)
    assert limiter.used(START_S + 1) == Cost(0, 0)


def test_raised_limits_apply_at_once() -> None:
    limiter = Limiter(Limits(10, 450_000), START_S)
    assert len(fill(limiter, Cost(1, 1), START_S)) == 10
    limiter.reconfigure(Limits(500, 450_000), START_S + 2)
    assert isinstance(limiter.reserve(Cost(1, 1), START_S + 2), Reservation)


def test_lowered_limits_count_earlier_permits() -> None:
    limiter = Limiter(LIMITS, START_S)
    fill(limiter, Cost(1, 1), START_S)
    limiter.reconfigure(Limits(10, 450_000), START_S + 2)
    answer = limiter.reserve(Cost(1, 1), START_S + 2)
    assert isinstance(answer, NotBefore)
    assert answer.at_s > START_S + 60


def test_new_limits_apply_to_a_restored_limiter() -> None:
    stored = Limiter(LIMITS, START_S).dump()
    assert isinstance(Limiter.load(stored, Limits(1, 5)).reserve(Cost(1, 5), START_S), Reservation)
    with pytest.raises(RequestTooLarge):
        Limiter.load(stored, Limits(1, 5)).reserve(Cost(1, 6), START_S)


def test_without_stored_state_a_new_limiter_is_made() -> None:
    assert isinstance(Limiter.load(b"", LIMITS).reserve(Cost(1, 900), START_S), Reservation)


WRITTEN_BY_VERSION_1 = base64.b64decode(
    "AQAAwED8VNlBAADgQPxU2UGrqqqqqqogQAAAAAAAAAAAAAAAAABAb0AAAMBA/FTZQQAAAAAAQH9AAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMBA/FTZQQAAAAAAQG9AAAAAAAAAAAAAAGBA/FTZQQAAAAAATL1AAAAA"
    "AAAAAAAAAAAAQHcLQQAAwED8VNlBAAAAAEB3G0EAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwED8"
    "VNlBAAAAAEB3C0EAAAAAAAAAAAAAYED8VNlBAgAAaOXPiwEAAAAAAADcBQAAAQAAAAAAAAC8AgAAAAAAAA=="
)


def test_state_of_an_older_version_round_trips() -> None:
    """If this fails, a program of the version before cannot work beside this one: put what is new
    behind the rest.
    """
    limiter = Limiter.load(WRITTEN_BY_VERSION_1, LIMITS)
    assert limiter.dump() == WRITTEN_BY_VERSION_1
    assert limiter.used(START_S + 3) == Cost(1, 700)


def test_extra_state_of_a_newer_version_is_ignored() -> None:
    limiter = Limiter.load(WRITTEN_BY_VERSION_1 + b"something new", LIMITS)
    assert limiter.dump() == WRITTEN_BY_VERSION_1


def test_a_state_of_another_version_is_not_misread() -> None:
    stored = bytearray(Limiter(LIMITS, START_S).dump())
    stored[0] += 1
    with pytest.raises(SchemaTooNew, match="another version"):
        Limiter.load(bytes(stored), LIMITS)


def test_the_state_stays_small_in_the_busiest_minute() -> None:
    limiter = Limiter(Limits(1_000_000, 4_000_000_000), START_S)
    for tick in range(1_300):
        limiter.reserve(Cost(1, 900), START_S + tick * 0.05)
    assert len(limiter.dump()) < 3_900


def test_a_jumping_clock_grants_nothing_twice() -> None:
    limiter = Limiter(Limits(10, 1_000), START_S)
    fill(limiter, Cost(1, 1), START_S)
    answer = limiter.reserve(Cost(1, 1), START_S + 0.5)
    assert isinstance(answer, NotBefore)
    assert answer.at_s > START_S + 60


def test_a_clock_set_back_an_hour_does_not_stall_the_queue() -> None:
    limiter = Limiter(Limits(10, 1_000), START_S)
    granted = fill(limiter, Cost(1, 1), START_S)
    limiter.observe(Remaining(10, 5, 30.0), START_S + 1, granted[-1])
    limiter.refused(2.0, START_S + 2)
    answer = limiter.reserve(Cost(1, 1), START_S - 3_600)
    assert isinstance(answer, NotBefore)
    assert answer.at_s < START_S - 3_600 + 61
    assert isinstance(limiter.reserve(Cost(1, 1), answer.at_s + 10), Reservation)


@pytest.mark.parametrize("limits", [(0, 1), (1, 0)])
def test_zero_limits_are_refused(limits: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Limits(*limits)


def test_limits_of_a_process_travel_with_the_state() -> None:
    limiter = Limiter(Limits(7, 900), 1_000.0)
    assert Limiter.dumped_limits(limiter.dump(with_limits=True)) == Limits(7, 900)
    assert Limiter.dumped_limits(limiter.dump()) is None


def test_waiting_names_its_limit() -> None:
    by_requests = Limiter(Limits(1, 1_000_000), 1_000.0)
    by_tokens = Limiter(Limits(1_000, 1_000), 1_000.0)
    answers = []
    for limiter in (by_requests, by_tokens):
        now_s = 1_000.0
        while not isinstance(first := limiter.reserve(Cost(1, 900), now_s), Reservation):
            now_s = first.at_s
        answers.append(limiter.reserve(Cost(1, 900), now_s + 1.0))
    assert [isinstance(one, NotBefore) and one.limit for one in answers] == [
        "request limit",
        "token limit",
    ]
