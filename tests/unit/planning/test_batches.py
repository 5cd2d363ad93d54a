"""How much goes into a batch file, and what a refusal teaches."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.batches import BatchStatus, RemoteBatch
from weighbridge.planning.batches import (
    FileRoom,
    Packing,
    RequestLoad,
    exceeds_tokens,
    learned_limit,
    why_refused,
)

AMPLE = FileRoom(50_000, 2**26, math.inf, math.inf)
SAID = (
    "Enqueued token limit reached for gpt-4o-mini in organization org-1. Limit: 2,000,000 enqueued "
    "tokens. Please try again once some in_progress batches have been completed."
)


def refused(*problems: tuple[str, str]) -> RemoteBatch:
    return RemoteBatch("batch_1", BatchStatus.FAILED, problems=problems)


loads = st.lists(
    st.builds(
        RequestLoad, st.integers(1, 1000), st.integers(1, 1000), st.floats(0, 1, allow_nan=False)
    ),
    max_size=30,
)
rooms = st.builds(
    FileRoom, st.integers(0, 20), st.integers(0, 5000), st.integers(0, 5000), st.floats(0, 5)
)


@given(loads, rooms)
def test_a_file_never_takes_more_than_there_is_room_for(
    requests: list[RequestLoad], room: FileRoom
) -> None:
    packing = Packing(room)
    taken = [load for load in requests if packing.take(load)]
    assert packing.requests == len(taken) <= room.requests
    assert sum(load.size_bytes + 1 for load in taken) == packing.size_bytes <= room.size_bytes
    assert sum(load.tokens for load in taken) == packing.tokens <= room.tokens
    assert sum(load.usd for load in taken) == pytest.approx(packing.usd)
    assert packing.usd <= room.usd


@given(loads)
def test_a_file_with_room_takes_everything(requests: list[RequestLoad]) -> None:
    packing = Packing(AMPLE)
    assert all(packing.take(load) for load in requests)


def test_only_a_refusal_about_tokens_is_one() -> None:
    assert exceeds_tokens(refused(("token_limit_exceeded", SAID)))
    assert not exceeds_tokens(refused(("invalid_json_line", "This line is not JSON.")))
    assert not exceeds_tokens(refused())


@pytest.mark.parametrize(
    ("message", "enqueued", "learned"),
    [
        (SAID, 5_000_000, 2_000_000),  # far above: the stated limit
        (SAID, 2_000_100, 1_800_090),  # just above by our count: the provider counts more
        (SAID, 100, 200_000),  # others use the account: never less than a tenth
        ("Too many tokens.", 1_000, 900),  # nothing stated
        ("", 0, 1),
    ],
)
def test_a_refusal_teaches_the_limit(message: str, enqueued: int, learned: int) -> None:
    batch = refused(("token_limit_exceeded", message))
    assert learned_limit(batch, enqueued) == learned


def test_a_refusal_is_quoted() -> None:
    assert why_refused(refused(("a", "First."), ("b", ""))) == "First.; b"
    assert why_refused(refused()) == "no explanation was given"
