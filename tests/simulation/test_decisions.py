"""Hundreds of runs of the decisions on virtual time; a failing seed is named, and repeats
itself.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation import known_seeds
from tests.simulation.day import Day, Plan
from tests.simulation.model import Fate, World
from tests.support.seeds import new_seed
from weighbridge.limits.retries import MAX_ATTEMPTS

CHUNK = 25
NEW = range(0, 300, CHUNK)


def check(world: World) -> None:
    """What must hold after every run."""
    fate = world.fate
    everybody = set(range(fate.products))
    assert world.completed | world.failed == everybody, fate.repeat
    assert not world.completed & world.failed, fate.repeat
    assert fate.poisoned <= world.failed, fate.repeat
    for product in world.failed:  # only after as many bad answers as it takes
        assert world.bad[product] > MAX_ATTEMPTS, fate.repeat
    for product in world.completed:
        assert {(product, step) for step in range(3)} <= world.answers, fate.repeat
    paid_again = sum(times - 1 for times in world.sound.values())
    assert paid_again <= world.excused, fate.repeat
    requests, tokens = world.provider.busiest_minute()
    assert requests <= fate.requests_per_minute, fate.repeat
    assert tokens <= fate.tokens_per_minute, fate.repeat


@pytest.mark.parametrize("first", NEW)
def test_invariants_hold_in_new_random_runs(first: int) -> None:
    for number in range(first, first + CHUNK):
        check(World(Fate.drawn(new_seed(number))).run())


def test_invariants_hold_for_seeds_that_once_failed() -> None:
    for seed in (*known_seeds.DECISIONS, 0, 1, 2):
        check(World(Fate.drawn(seed)).run())


def test_thousand_workers_share_one_quota() -> None:
    fate = Fate.drawn(1)
    calm = replace(
        fate,
        products=6_000,
        workers=1_000,
        requests_per_minute=3_000,
        tokens_per_minute=9_000_000,
        no_reply=0.01,
        bad_answer=0.01,
        poisoned=frozenset(),
        outage_s=(0.0, 0.0),
        deaths=tuple((float(n), n) for n in range(50)),
        freezes=(),
    )
    world = World(calm).run()
    check(world)
    assert not world.failed


def test_thousand_dying_workers_fill_thirty_thousand_requests_a_minute() -> None:
    """A whole day of it: python -m benchmarks.simulate day."""
    day = Day(Plan(seed=new_seed(0), length_s=130.0, deaths=20)).run()
    day.check()
    assert day.utilisation >= 0.99
    assert day.provider.refused <= day.provider.admitted / 100


@pytest.mark.parametrize("seed", range(5))
def test_ten_hour_outage_is_probed_gently_and_ends_within_a_minute(seed: int) -> None:
    fate = replace(
        Fate.drawn(seed), outage_s=(0.0, 36_000.0), deaths=(), freezes=(), workers=4, no_reply=0.0
    )
    world = World(fate).run()
    check(world)
    assert world.provider.arrivals[0][0] < 36_000 + 60
    # Each of four workers fails with what it had in flight, and then probes four times a minute.
    assert world.asked_in_outage < 4 * (36_000 / 12) + 2 * fate.products
