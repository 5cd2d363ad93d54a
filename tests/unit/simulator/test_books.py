"""The provider's books: their maxima are true, and double payment is seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.simulator.books import Books, Memory, SlidingMinute


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 7.25, 59.5, 60.0, 61.0]), st.integers(0, 5000)),
        max_size=80,
    )
)
def test_the_peak_minute_matches_brute_force(
    calls: list[tuple[float, int]],
) -> None:
    minute, now_s = SlidingMinute(), 0.0
    admitted: list[tuple[float, int]] = []
    for gap_s, tokens in calls:
        now_s += gap_s
        minute.record(now_s, tokens)
        admitted.append((now_s, tokens))
    windows = [
        [tokens for at_s, tokens in admitted if end_s - 60 < at_s <= end_s] for end_s, _ in admitted
    ]
    assert minute.max_requests == max((len(window) for window in windows), default=0)
    assert minute.max_tokens == max((sum(window) for window in windows), default=0)


def test_the_last_minute_empties_by_itself() -> None:
    minute = SlidingMinute()
    minute.record(0.0, 100)
    assert minute.current(59.9) == (1, 100)
    assert minute.current(60.0) == (0, 0)


def test_a_second_valid_answer_to_a_prompt_is_counted() -> None:
    memory = Memory()
    assert [memory.ask(b"a"), memory.ask(b"a"), memory.ask(b"b")] == [0, 1, 0]
    memory.answer(b"a")
    assert memory.answered_twice == 0
    memory.answer(b"a")
    memory.answer(b"b")
    assert memory.answered_twice == 1


def test_memory_is_bounded() -> None:
    memory = Memory(size=3)
    for number in range(10):
        memory.ask(b"%d" % number)
        memory.answer(b"%d" % number)
    assert memory.ask(b"9") == 1
    assert memory.ask(b"0") == 0


def test_utilisation_counts_what_the_limits_allowed_at_the_time() -> None:
    books = Books(60, None)
    for second in range(61):
        books.admit(float(second), 10, "step")
    books.change_limits(120, None, 60.0)
    books.admit(120.0, 10, "step")
    page = books.as_json(120.0)
    # One minute at 60 and one at 120 requests: 180 allowed, 62 used.
    assert page["utilisation"]["requests"] == 62 / 180
    assert page["utilisation"]["tokens"] is None
    assert page["calls_by_schema"] == {"step": 62}


def test_calls_in_flight_are_counted_with_their_maximum() -> None:
    books = Books(None, None)
    for _ in range(3):
        books.admit(0.0, 1, "step")
    books.leave()
    books.admit(0.0, 1, "step")
    assert (books.in_flight, books.max_in_flight) == (3, 3)
