"""Every error has an action, and the action is right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge import errors
from weighbridge.limits import retries
from weighbridge.limits.refusals import RefusalHistory
from weighbridge.limits.retries import (
    BACKOFF_CAP_S,
    MAX_ATTEMPTS,
    POLICIES,
    REFUSALS_ABOVE_LIMIT,
    REFUSALS_OF_A_GROUP,
    REFUSALS_OF_ONE,
    AskAlone,
    GiveUp,
    MoreTime,
    Policy,
    Split,
    StopQueue,
    Wait,
    decide,
    final_errors,
    policy_of,
)


def leaves(kind: type[errors.WeighbridgeError]) -> set[type[errors.WeighbridgeError]]:
    """All kinds below `kind` that have none below them."""
    below = kind.__subclasses__()
    return {leaf for child in below for leaf in leaves(child)} if below else {kind}


def test_the_table_holds_every_kind_of_provider_and_answer_error() -> None:
    expected = leaves(errors.ProviderError) | leaves(errors.AnswerError)
    ours = {kind for kind in expected if kind.__module__ == errors.__name__}
    assert len(ours) >= 13
    assert ours <= set(POLICIES)


ALONE = 1
GROUP = 5

TABLE = [
    (errors.ProviderUnreachable("x"), GROUP, Wait(0.5)),
    (errors.ProviderTimeout("x"), ALONE, Wait(0.5)),
    (errors.ProviderOverloaded("x"), GROUP, Wait(0.5)),
    (errors.RateLimited("x", 2.0), GROUP, Wait(1.0)),
    (errors.RateLimited("x", 300.0), ALONE, Wait(2.5)),
    (errors.RateLimited("x", None), ALONE, Wait(0.25)),
    (errors.RateLimited("x", -1.0), ALONE, Wait(0.25)),
    (errors.RequestTooLarge("big"), GROUP, Split()),
    (errors.RequestTooLarge("big"), ALONE, GiveUp("big")),
    (errors.RequestRefused("no"), GROUP, AskAlone()),
    (errors.RequestRefused("no"), ALONE, GiveUp("no")),
    (errors.EmptyReply("nothing"), GROUP, Wait(0.5)),
    (errors.EmptyReply("nothing"), ALONE, Wait(0.5)),
    (errors.RequestBlocked("a firewall"), GROUP, AskAlone()),
    (errors.RequestBlocked("a firewall"), ALONE, Wait(0.5)),
    (errors.QuotaExhausted("pay"), GROUP, StopQueue("pay")),
    (errors.AuthenticationFailed("key"), ALONE, StopQueue("key")),
    (errors.ModelUnknown("model"), ALONE, StopQueue("model")),
    (errors.AnswerTruncated("cut"), GROUP, AskAlone()),
    (errors.AnswerTruncated("cut"), ALONE, AskAlone()),
    (errors.AnswerMalformed("x"), GROUP, AskAlone()),
    (errors.AnswerMalformed("x"), ALONE, AskAlone()),
    (errors.WrongProducts("x"), GROUP, AskAlone()),
    (errors.WrongProducts("x"), ALONE, AskAlone()),
    (errors.ImplausibleAnswer("x"), GROUP, AskAlone()),
    (errors.ImplausibleAnswer("x"), ALONE, AskAlone()),
    (errors.InternalError("bug"), GROUP, AskAlone()),
    (errors.NotFound("what"), GROUP, GiveUp("what")),
]


@pytest.mark.parametrize(
    ("error", "group_size", "action"),
    TABLE,
    ids=[f"{row}: {type(TABLE[row][0]).__name__}" for row in range(len(TABLE))],
)
def test_the_first_failure_follows_the_table(
    error: errors.WeighbridgeError, group_size: int, action: object
) -> None:
    assert decide(error, 0, group_size, 0.5) == action


@pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.__name__)
def test_without_its_row_an_error_is_treated_differently(
    kind: type[errors.WeighbridgeError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decided() -> list[object]:
        error = kind("x")
        return [policy_of(error), decide(error, 0, GROUP, 0.5), decide(error, 0, ALONE, 0.5)]

    before = decided(), final_errors()
    monkeypatch.setattr(retries, "POLICIES", {k: p for k, p in POLICIES.items() if k is not kind})
    assert (decided(), final_errors()) != before


def test_calls_are_not_repeated_after_errors_that_another_try_cannot_cure() -> None:
    assert final_errors() == {
        "RequestRefused",
        "RequestTooLarge",
        "QuotaExhausted",
        "AuthenticationFailed",
        "ModelUnknown",
        "NoBatchApi",
    }


def test_an_unlisted_error_is_treated_like_its_parent() -> None:
    class Teapot(errors.ProviderOverloaded):
        pass

    assert policy_of(Teapot("I am")) is Policy.WAIT


def test_a_call_that_is_stuck_gets_smaller_then_longer_then_ends() -> None:
    error = errors.ProviderTimeout("did not answer in time")
    assert decide(error, 0, GROUP, 0.5, is_stuck=True) == Split()
    assert decide(error, 0, ALONE, 0.5, is_stuck=True) == MoreTime()
    end = decide(error, 0, ALONE, 0.5, is_stuck=True, had_more_time=True)
    assert isinstance(end, GiveUp)
    assert "WEIGHBRIDGE_CALL_TIMEOUT_S" in end.reason


@pytest.mark.parametrize(
    "error", [errors.AnswerTruncated("cut off"), errors.ImplausibleAnswer("cut off")]
)
def test_unusable_answers_fail_after_three_retries(error: errors.AnswerError) -> None:
    actions = [decide(error, attempt, ALONE, 0.5) for attempt in range(MAX_ATTEMPTS + 1)]
    assert all(isinstance(action, AskAlone) for action in actions[:MAX_ATTEMPTS])
    assert actions[MAX_ATTEMPTS] == GiveUp(
        "No usable answer in 4 attempts. The last error: cut off"
    )


waited_out = st.sampled_from(
    [
        errors.ProviderUnreachable("x"),
        errors.ProviderTimeout("x"),
        errors.ProviderOverloaded("x"),
        errors.RateLimited("x", 20.0),
        errors.RateLimited("x"),
    ]
)


@given(waited_out, st.integers(0, 10_000), st.integers(1, 5), st.floats(0, 1, exclude_max=True))
def test_outages_never_fail_a_product(
    error: errors.ProviderError, attempt: int, group_size: int, jitter: float
) -> None:
    action = decide(error, attempt, group_size, jitter)
    assert isinstance(action, Wait)
    assert 0 <= action.delay_s <= BACKOFF_CAP_S


@given(waited_out, st.integers(0, 50), st.floats(0.01, 1))
def test_waits_grow_with_full_jitter(
    error: errors.ProviderError, attempt: int, jitter: float
) -> None:
    now = decide(error, attempt, 1, jitter)
    later = decide(error, attempt + 1, 1, jitter)
    sooner = decide(error, attempt, 1, jitter / 2)
    assert isinstance(now, Wait)
    assert isinstance(later, Wait)
    assert isinstance(sooner, Wait)
    assert later.delay_s >= now.delay_s
    assert sooner.delay_s == pytest.approx(now.delay_s / 2)


LARGE = 9_000


def after(refused: RefusalHistory, group_size: int) -> object:
    return decide(errors.RateLimited("x"), refused.times - 1, group_size, 0.5, refused)


def test_a_group_refused_while_smaller_calls_pass_is_halved() -> None:
    assert isinstance(after(RefusalHistory(LARGE, REFUSALS_OF_A_GROUP - 1, 50, 4_000), GROUP), Wait)
    assert after(RefusalHistory(LARGE, REFUSALS_OF_A_GROUP, 50, 4_000), GROUP) == Split()


def test_a_product_that_never_fits_fails_late_with_advice() -> None:
    assert isinstance(after(RefusalHistory(LARGE, REFUSALS_OF_ONE - 1, 50, 4_000), ALONE), Wait)
    action = after(RefusalHistory(LARGE, REFUSALS_OF_ONE, 50, 4_000), ALONE)
    assert isinstance(action, GiveUp)
    for part in (
        "9,000 tokens",
        "30 times",
        "50 smaller calls",
        "4,000",
        "Raise the account's limits",
    ):
        assert part in action.reason


def test_a_call_above_the_stated_limit_fails_early() -> None:
    stated = RefusalHistory(LARGE, REFUSALS_ABOVE_LIMIT, stated_limit_tokens=8_000)
    assert after(stated, GROUP) == Split()
    action = after(stated, ALONE)
    assert isinstance(action, GiveUp)
    assert "8,000 tokens per minute" in action.reason


@given(
    st.integers(1, 10**6),
    st.integers(1, 10_000),
    st.integers(0, 10_000),
    st.integers(1, 5),
    st.data(),
)
def test_refusals_prove_nothing_without_smaller_calls_passing(
    tokens: int, times: int, passed: int, group_size: int, data: st.DataObject
) -> None:
    largest = data.draw(st.integers(tokens, 10**7)) if passed else 0
    limit = data.draw(st.none() | st.integers(tokens, 10**7))
    assert isinstance(
        after(RefusalHistory(tokens, times, passed, largest, limit), group_size), Wait
    )
