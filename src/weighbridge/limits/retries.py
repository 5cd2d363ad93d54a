"""What to do when a call or its answer failed: one table over the error tree.

The engine asks here whenever `providers/` or `steps/` said no, and when a job of ours crashed. Pure: the
random number is an argument, the worker does the waiting. What is nobody's fault (429, timeouts, 5xx,
no connection) is waited out for as long as it takes and never counts against a product;
`circuit_breaker.py` decides when the whole queue should pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from weighbridge.errors import (
    AnswerMalformed,
    AnswerTruncated,
    AuthenticationFailed,
    ImplausibleAnswer,
    InternalError,
    ModelUnknown,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    RequestTooLarge,
    WeighbridgeError,
    WrongProducts,
)

if TYPE_CHECKING:
    from weighbridge.limits.refusals import RefusalHistory

MAX_ATTEMPTS: Final = 3
"""Retries of a product whose answers are unusable; then it is failed."""

BACKOFF_CAP_S: Final = 60.0
BACKOFF_FIRST_S: Final = 1.0
REFUSAL_FIRST_S: Final = 0.5
RETRY_AFTER_MAX_S: Final = 5.0
"""How much of a `retry-after` one call honours: the limiter knows better when there is quota again."""

REFUSALS_OF_A_GROUP: Final = 10
"""In a row (some two minutes), while only smaller calls go through: then the group is halved."""
REFUSALS_OF_ONE: Final = 30
"""The same for a product alone, some twelve minutes: it fails, so there must be no doubt."""
REFUSALS_ABOVE_LIMIT: Final = 3
"""Enough where the refusal itself says that a whole minute's limit is smaller than the call."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Try the same call again after `delay_s`; it does not count as an attempt."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Split:
    """Ask the two halves of the group separately."""


@dataclass(frozen=True, slots=True)
class AskAlone:
    """Ask each product in a call of its own; it counts as an attempt."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The products of this call fail, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class StopQueue:
    """No call can succeed until a person has acted."""

    reason: str


Action = Wait | Split | AskAlone | GiveUp | StopQueue


class Policy(Enum):
    """The rules that an error can fall under."""

    WAIT = auto()  # nobody's fault: backoff, for ever
    WAIT_FOR_BUDGET = auto()  # 429: as WAIT, but shorter, and `retry-after` is heard
    SPLIT = auto()  # too much for one call: halve the group; alone: give up
    ASK_ALONE = auto()  # one product may spoil the call: find out which; alone: give up
    STOP = auto()  # the operator must act
    RETRY_ALONE = auto()  # unusable answer: ask alone, with a larger allowance, MAX_ATTEMPTS times


POLICIES: Final[dict[type[WeighbridgeError], Policy]] = {
    ProviderUnreachable: Policy.WAIT,
    ProviderTimeout: Policy.WAIT,
    ProviderOverloaded: Policy.WAIT,
    RateLimited: Policy.WAIT_FOR_BUDGET,
    RequestTooLarge: Policy.SPLIT,
    RequestRefused: Policy.ASK_ALONE,
    QuotaExhausted: Policy.STOP,
    AuthenticationFailed: Policy.STOP,
    ModelUnknown: Policy.STOP,
    AnswerTruncated: Policy.RETRY_ALONE,
    AnswerMalformed: Policy.RETRY_ALONE,
    WrongProducts: Policy.RETRY_ALONE,
    ImplausibleAnswer: Policy.RETRY_ALONE,
    InternalError: Policy.RETRY_ALONE,
}
"""The whole table. An error of a kind that is not here gives up, with its message as the reason."""

_CALL_IS_NOT_REPEATED: Final = frozenset({Policy.SPLIT, Policy.ASK_ALONE, Policy.STOP})


def final_errors() -> frozenset[str]:
    """The kinds of error, by name, after which the same call is not made again."""
    return frozenset(
        kind.__name__ for kind, policy in POLICIES.items() if policy in _CALL_IS_NOT_REPEATED
    )


def decide(
    error: WeighbridgeError,
    attempt: int,
    group_size: int,
    jitter: float,
    refused: RefusalHistory | None = None,
) -> Action:
    """What to do about `error`.

    `attempt` counts the failures before this one (of the call, or of the product whose answer is
    unusable), `jitter` is a random number in [0, 1). `refused` is what is known about a call that was
    answered with 429.
    """
    in_company = group_size > 1
    if refused and (reason := _never_fits(refused, in_company=in_company)):
        return Split() if in_company else GiveUp(reason)
    match policy_of(error):
        case Policy.WAIT:
            return Wait(backoff_s(attempt, jitter))
        case Policy.WAIT_FOR_BUDGET:
            return Wait(_refusal_delay_s(error, attempt, jitter))
        case Policy.SPLIT:
            return Split() if in_company else GiveUp(str(error))
        case Policy.ASK_ALONE:
            return AskAlone() if in_company else GiveUp(str(error))
        case Policy.STOP:
            return StopQueue(str(error))
        case Policy.RETRY_ALONE if attempt < MAX_ATTEMPTS:
            return AskAlone()
        case Policy.RETRY_ALONE:
            return GiveUp(f"No usable answer in {attempt + 1} attempts. The last one: {error}")
        case _:
            return GiveUp(str(error))


def _never_fits(refused: RefusalHistory, *, in_company: bool) -> str | None:
    """Why the provider will never accept this call, in words for the operator; None while it may.

    A 429 alone says only "not now". A call is too large when everything that goes through is smaller; if one as
    large went through, this one only has to wait its turn.
    """
    limit = refused.stated_limit_tokens
    if limit is not None and limit < refused.tokens and refused.times >= REFUSALS_ABOVE_LIMIT:
        why = f"the provider states a limit of {limit:,} tokens per minute"
    elif (
        refused.times >= (REFUSALS_OF_A_GROUP if in_company else REFUSALS_OF_ONE)
        and refused.passed
        and refused.largest_passed_tokens < refused.tokens
    ):
        why = (
            f"the provider refused it {refused.times} times in a row, while {refused.passed} others went through, "
            f"the largest of {refused.largest_passed_tokens:,} tokens"
        )
    else:
        return None
    return (
        f"A call of {refused.tokens:,} tokens is more than the account takes at once: {why}. "
        "Raise the account's limits at the provider, or shorten the description (or use a smaller image)."
    )


def policy_of(error: WeighbridgeError) -> Policy | None:
    """The rule for this error or the nearest kind above it."""
    for kind in type(error).__mro__:
        if kind in POLICIES:
            return POLICIES[kind]
    return None


def backoff_s(attempt: int, jitter: float, first_s: float = BACKOFF_FIRST_S) -> float:
    """Full jitter: anything between nothing and a bound that doubles with every attempt."""
    return min(BACKOFF_CAP_S, first_s * 2.0 ** min(attempt, 30)) * jitter


def _refusal_delay_s(error: WeighbridgeError, attempt: int, jitter: float) -> float:
    retry_after_s = (error.retry_after_s or 0.0) if isinstance(error, RateLimited) else 0.0
    heard_s = min(max(retry_after_s, 0.0), RETRY_AFTER_MAX_S) * jitter
    return max(heard_s, backoff_s(attempt, jitter, REFUSAL_FIRST_S))
