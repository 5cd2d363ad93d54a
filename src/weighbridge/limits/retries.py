"""What to do when a call or its answer failed: one table over the error tree.

The engine asks here whenever `providers/` or `steps/` said no, and when a job of ours crashed.
Pure: the random number is an argument, the worker does the waiting. What is nobody's fault (429,
timeouts, 5xx, no connection) is waited out for as long as it takes and never counts against a
product; `circuit_breaker.py` decides when the whole queue should pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from weighbridge.errors import (
    AnswerMalformed,
    AnswerTruncated,
    AuthenticationFailed,
    EmptyReply,
    GenerationFailed,
    ImageRefused,
    ImplausibleAnswer,
    InternalError,
    ModelUnknown,
    NoBatchApi,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExhausted,
    RateLimited,
    RequestBlocked,
    RequestRefused,
    RequestTooLarge,
    WeighbridgeError,
    WrongProducts,
)
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from weighbridge.limits.refusals import RefusalHistory
    from weighbridge.limits.stuck_calls import StuckHistory

MAX_ATTEMPTS: Final = 3
"""Retries of a product whose answers are unusable, before it fails."""

BACKOFF_CAP_S: Final = 60.0
BACKOFF_FIRST_S: Final = 1.0
REFUSAL_FIRST_S: Final = 0.5
RETRY_AFTER_MAX_S: Final = 5.0
"""How much of a `retry-after` one call honours: the limiter knows better when there is quota again.
"""

TIMEOUTS_BEFORE_STUCK: Final = 2
"""In a row, of one call, before it is looked whether the server answers others. A server on this
machine is slow rather than away: there the first timeout is a matter of size.
"""
TIME_FACTOR: Final = 3.0
"""Factor by which the time limit is raised for a product alone."""
BLOCKED_TRIES: Final = 3
"""Calls about one product that a firewall may block before the product fails: some block at random.
"""
PICTURE_TRIES: Final = 2
"""Failures before the model is asked about a product without its picture."""

REFUSALS_OF_A_GROUP: Final = 10
"""In a row (some two minutes), while only smaller calls go through: then the group is halved."""
REFUSALS_OF_ONE: Final = 30
"""The same for a product alone, some twelve minutes: it fails, so there must be no doubt."""
REFUSALS_ABOVE_LIMIT: Final = 3
"""Refusals that are enough if they say that a minute's limit is smaller than the call."""


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
class MoreTime:
    """Ask the same product again, with a longer time limit."""


@dataclass(frozen=True, slots=True)
class DropPicture:
    """Ask the same product again, from its text alone."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The products of this call fail, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class StopQueue:
    """No call can succeed until a person has acted."""

    reason: str


Action = Wait | Split | AskAlone | MoreTime | DropPicture | GiveUp | StopQueue


class Policy(Enum):
    """The rules that an error can fall under."""

    WAIT = auto()  # nobody's fault: backoff, for ever, unless only this call fails
    WAIT_FOR_BUDGET = auto()  # 429: as WAIT, but shorter, and `retry-after` is heard
    SPLIT = auto()  # too much for one call: halve the group; alone: give up
    ASK_ALONE = auto()  # one product may spoil the call: find out which; alone: give up
    BLOCKED = auto()  # as ASK_ALONE; alone: a few times more, then give up
    STOP = auto()  # the operator must act
    RETRY_CALL = (
        auto()
    )  # this try failed: the same call again, MAX_ATTEMPTS times, then as ASK_ALONE
    TOO_SLOW = auto()  # no reply in time: as WAIT, but a fault of its size once `is_stuck`
    WITHOUT_PICTURE = auto()  # the same call again, then without the picture
    RETRY_ALONE = auto()  # unusable answer: ask alone, with a larger allowance, MAX_ATTEMPTS times


POLICIES: Final[dict[type[WeighbridgeError], Policy]] = {
    ProviderUnreachable: Policy.WAIT,
    ProviderTimeout: Policy.TOO_SLOW,
    ProviderOverloaded: Policy.WAIT,
    EmptyReply: Policy.WAIT,
    RateLimited: Policy.WAIT_FOR_BUDGET,
    RequestTooLarge: Policy.SPLIT,
    RequestRefused: Policy.ASK_ALONE,
    RequestBlocked: Policy.BLOCKED,
    ImageRefused: Policy.WITHOUT_PICTURE,
    GenerationFailed: Policy.RETRY_CALL,
    QuotaExhausted: Policy.STOP,
    AuthenticationFailed: Policy.STOP,
    ModelUnknown: Policy.STOP,
    NoBatchApi: Policy.STOP,
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
    *,
    is_stuck: bool = False,
    had_more_time: bool = False,
    alone: StuckHistory | None = None,
) -> Action:
    """What to do about `error`.

    `attempt` counts the failures of this kind before this one (of the call, or of the product whose
    answer is unusable), `jitter` is a random number in [0, 1). `refused` is what is known about a
    call that was answered with 429. `is_stuck`: the server answers other requests, and this call
    times out again and again; `had_more_time`: it had a longer limit. `alone` is what is known
    about a call that never gets a reply.
    """
    in_company = group_size > 1
    if reason := _fault_of_its_own(error, refused, alone, in_company=in_company):
        return Split() if in_company else GiveUp(reason)
    match policy_of(error):
        case Policy.TOO_SLOW if is_stuck:
            return _with_less_to_do(error, attempt, had_more_time, in_company=in_company)
        case Policy.WAIT | Policy.TOO_SLOW:
            return Wait(backoff_s(attempt, jitter))
        case Policy.RETRY_CALL | Policy.BLOCKED as policy if _is_repeated(
            policy, attempt, in_company=in_company
        ):
            return Wait(backoff_s(attempt, jitter))
        case Policy.WITHOUT_PICTURE:
            return Wait(backoff_s(attempt, jitter)) if attempt < PICTURE_TRIES else DropPicture()
        case Policy.WAIT_FOR_BUDGET:
            return Wait(_refusal_delay_s(error, attempt, jitter))
        case Policy.SPLIT:
            return Split() if in_company else GiveUp(str(error))
        case Policy.ASK_ALONE | Policy.BLOCKED | Policy.RETRY_CALL:
            return AskAlone() if in_company else GiveUp(str(error))
        case Policy.STOP:
            return StopQueue(str(error))
        case Policy.RETRY_ALONE if attempt < MAX_ATTEMPTS:
            return AskAlone()
        case Policy.RETRY_ALONE:
            return GiveUp(f"No usable answer in {attempt + 1} attempts. The last error: {error}")
        case _:
            return GiveUp(str(error))


def _is_repeated(policy: Policy, attempt: int, *, in_company: bool) -> bool:
    if policy is Policy.BLOCKED:
        return not in_company and attempt + 1 < BLOCKED_TRIES
    return attempt < MAX_ATTEMPTS


def _fault_of_its_own(
    error: WeighbridgeError,
    refused: RefusalHistory | None,
    alone: StuckHistory | None,
    *,
    in_company: bool,
) -> str | None:
    """Why this call can never succeed, where others do; None while it may."""
    if refused:
        return _never_fits(refused, in_company=in_company)
    if alone is None or not alone.is_stuck(in_company=in_company):
        return None
    return (
        f"{error} This happened {alone.times} times in a row for this product alone, while "
        f"{counted(alone.passed or alone.passed_ever, 'other call')} succeeded. Look at the product's texts and picture, or at the server's log."
    )


def _with_less_to_do(
    error: WeighbridgeError, attempt: int, had_more_time: bool, *, in_company: bool
) -> Action:
    """For a call that cannot be answered in time: fewer products, then more time, then no more."""
    if in_company:
        return Split()
    if not had_more_time:
        return MoreTime()
    times = "once" if attempt == 0 else f"{attempt + 1} times"
    return GiveUp(
        f"{str(error).rstrip('.')}. This happened {times} for this product alone, at last with "
        f"{TIME_FACTOR:.0f} times the time limit. Raise WEIGHBRIDGE_CALL_TIMEOUT_S, or use a "
        "faster server or a smaller model."
    )


def _never_fits(refused: RefusalHistory, *, in_company: bool) -> str | None:
    """Why the provider will never accept this call, in words for the operator; None while it may.

    A 429 alone says only "not now". A call is too large when everything that goes through is
    smaller; if one as large went through, this one only has to wait its turn.
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
            f"the provider refused it {refused.times} times in a row, while "
            f"{counted(refused.passed, 'smaller call')} succeeded, the largest of "
            f"{refused.largest_passed_tokens:,} tokens"
        )
    else:
        return None
    return (
        f"A call of {refused.tokens:,} tokens is more than the account allows at once: {why}. "
        "Raise the account's limits at the provider, or shorten the description (or use a smaller "
        "image)."
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
