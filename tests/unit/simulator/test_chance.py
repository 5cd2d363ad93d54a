"""The dice: repeatable, and as frequent as asked for."""

from __future__ import annotations

from collections import Counter
from statistics import median

import pytest

from weighbridge.simulator.chance import fault_for, latency_s, throw_dice
from weighbridge.simulator.config import Fault, parse_faults

THROWS = [throw_dice(7, b"prompt %d" % number, 0) for number in range(4000)]


def test_same_seed_prompt_and_turn_give_same_chance() -> None:
    assert throw_dice(7, b"prompt 0", 0) == THROWS[0]
    others = {
        throw_dice(8, b"prompt 0", 0),
        throw_dice(7, b"prompt 0", 1),
        throw_dice(7, b"prompt 1", 0),
    }
    assert THROWS[0] not in others
    assert len(others) == 3


def test_faults_occur_at_the_configured_rate() -> None:
    plan = parse_faults("rate=0.1,drop=0.3")
    found = Counter(fault_for(plan, dice) for dice in THROWS)
    assert found[Fault.RATE] / len(THROWS) == pytest.approx(0.1, abs=0.02)
    assert found[Fault.DROP] / len(THROWS) == pytest.approx(0.3, abs=0.03)


def test_a_share_of_one_hits_every_call() -> None:
    plan = parse_faults("refuse=1")
    assert {fault_for(plan, dice) for dice in THROWS} == {Fault.REFUSE}


def test_latencies_have_the_configured_median() -> None:
    found = [latency_s(2.0, 0.5, dice) for dice in THROWS]
    assert median(found) == pytest.approx(2.0, rel=0.05)
    assert min(found) > 0


def test_no_latency_answers_at_once() -> None:
    assert latency_s(0.0, 0.5, THROWS[0]) == 0.0
