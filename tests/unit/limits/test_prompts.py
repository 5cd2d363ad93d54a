from __future__ import annotations

from weighbridge.limits.prompts import PromptWatch


def said(*calls: tuple[int, int]) -> list[str]:
    watch = PromptWatch()
    return [words for ours, theirs in calls if (words := watch.observe(ours, theirs))]


def test_a_round_count_that_stays_the_same_is_said_once_with_the_remedy() -> None:
    (words,) = said((3000, 2048), (3900, 2048), (5000, 2048), (4100, 2048))
    assert "may cut prompts at 2,048 tokens" in words
    assert "Raise its context" in words


def test_any_other_count_takes_more_calls() -> None:
    calls = [(3000, 2041), (3900, 2041), (5000, 2041)]
    assert said(*calls) == []
    assert len(said(*calls, (4100, 2041))) == 1


def test_short_prompts_between_long_ones_are_no_contradiction() -> None:
    assert len(said((3000, 2048), (2100, 2048), (3900, 2048))) == 1


def test_counts_that_follow_the_prompts_are_fine_however_low() -> None:
    assert said(*((ours, ours // 2) for ours in range(3000, 4000, 100))) == []


def test_the_same_prompt_again_is_no_evidence() -> None:
    assert said(*[(3000, 2048)] * 10) == []


def test_a_count_near_our_own_is_no_evidence() -> None:
    assert said(*((ours, 2048) for ours in range(2000, 2500, 100))) == []


def test_a_server_that_counts_nothing_says_nothing() -> None:
    assert said(*((ours, 0) for ours in range(2000, 2500, 100))) == []
