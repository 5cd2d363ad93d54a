"""What each family of models takes."""

from __future__ import annotations

import pytest

from weighbridge.planning.models import PROFILES, UNKNOWN, profile_of


@pytest.mark.parametrize("name", ["gpt-6-luna", "openai/gpt-6-luna", "gpt-6-luna-2026-09-22"])
def test_the_default_model_is_asked_not_to_reason_and_may_have_a_temperature(name: str) -> None:
    profile = profile_of(name)
    assert profile.effort_for(None) == "none"
    assert profile.accepts_temperature("none")
    assert profile.marks_cached_prefix


def test_with_reasoning_no_temperature_is_sent() -> None:
    assert not profile_of("gpt-6-luna").accepts_temperature("low")


def test_a_model_that_reasons_unasked_is_always_told_how_much() -> None:
    for name, profile in PROFILES.items():
        assert not profile.reasons_unasked or profile.effort in profile.efforts, name


@pytest.mark.parametrize("name", ["gpt-5.1", "gpt-5.2", "gpt-5.4", "gpt-5.4-nano", "gpt-6.1-terra"])
def test_a_model_that_can_do_without_reasoning_is_asked_to(name: str) -> None:
    assert profile_of(name).effort_for(None) == "none"


@pytest.mark.parametrize("name", ["gpt-5.5", "gpt-5.6-sol", "gpt-6-luna", "gpt-6.2-sol"])
def test_a_model_that_would_take_pictures_as_they_are_is_asked_for_high_detail(name: str) -> None:
    assert profile_of(name).image_detail == "high"


def test_an_unknown_model_is_sent_little() -> None:
    assert profile_of("llama-3.3-70b-versatile") is UNKNOWN
    assert UNKNOWN.effort_for(None) is None
    assert UNKNOWN.image_detail is None
