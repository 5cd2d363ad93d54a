"""Decides what to do when a call or its answer failed: one table from kinds of error to rules.

The engine asks here after each error of `providers/` or `steps/`, and when a job of ours crashed.
Pure: the random number is an argument, and the worker does the waiting. After 429s, timeouts, 5xx
and failed connections the same call is tried again for as long as it takes, without counting
against a product; `circuit_breaker.py` decides when the whole queue should pause.
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
"""Number of retries of a product whose answers are unusable, before it fails."""

BACKOFF_CAP_S: Final = 60.0
"""The longest wait before a retry."""
BACKOFF_FIRST_S: Final = 1.0
"""The longest wait before the first retry; with each further failure the longest wait doubles."""
REFUSAL_FIRST_S: Final = 0.5
"""As `BACKOFF_FIRST_S`, after a 429."""
RETRY_AFTER_MAX_S: Final = 5.0
"""The longest `retry-after` of a 429 that a call obeys: the limiter knows better when there is
quota again.
"""

TIMEOUTS_BEFORE_STUCK: Final = 2
"""Number of timeouts of one call in a row before the worker checks if the server answers other
requests. (A server on this machine is slow rather than down: there the first timeout is enough.)
"""
TIME_FACTOR: Final = 3.0
"""Factor by which the time limit of a call about one product is raised, after timeouts, before that
product fails.
"""
BLOCKED_TRIES: Final = 3
"""Number of calls about one product that a firewall may block before the product fails: some
firewalls block at random.
"""
PICTURE_TRIES: Final = 2
"""Number of retries with the picture, before the product is asked without it."""

REFUSALS_OF_A_GROUP: Final = 10
"""Number of 429s in a row (about two minutes), while only smaller calls succeed, after which a
group is halved.
"""
REFUSALS_OF_ONE: Final = 30
"""As `REFUSALS_OF_A_GROUP`, for a call about one product (about twelve minutes). More are needed,
because the product then fails.
"""
REFUSALS_ABOVE_LIMIT: Final = 3
"""As `REFUSALS_OF_A_GROUP`, where the headers of the 429s state a limit per minute below the call's
tokens.
"""


@dataclass(frozen=True, slots=True)
class Wait:
    """Try the same call again after `delay_s`; it does not count as an attempt."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Split:
    """Ask the two halves of the group separately."""


@dataclass(frozen=True, slots=True)
class AskAlone:
    """Ask about each product in a call of its own; it counts as an attempt."""


@dataclass(frozen=True, slots=True)
class MoreTime:
    """Ask about the same product again, with a longer time limit."""


@dataclass(frozen=True, slots=True)
class DropPicture:
    """Ask about the same product again, without its picture."""


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
    """The rules that an error can fall under. "Alone" means a call about one product."""

    WAIT = auto()  # nobody's fault: backoff, for ever, unless only this call fails
    WAIT_FOR_BUDGET = auto()  # 429: as WAIT, but shorter, and `retry-after` is obeyed
    SPLIT = auto()  # too much for one call: halve the group; alone: give up
    ASK_ALONE = auto()  # one product may spoil the call: find out which; alone: give up
    BLOCKED = auto()  # as ASK_ALONE; alone: a few times more, then give up
    STOP = auto()  # the operator must act
    RETRY_CALL = auto()  # the same call again, MAX_ATTEMPTS times, then as ASK_ALONE
    TOO_SLOW = auto()  # no reply in time: as WAIT; once `is_stuck`, fewer products or more time
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
"""The rule for each kind of error. For any other kind the products fail, with the error's message
as the reason.
"""

_CALL_IS_NOT_REPEATED: Final = frozenset({Policy.SPLIT, Policy.ASK_ALONE, Policy.STOP})


def final_errors() -> frozenset[str]:
    """The class names of the errors after which the same call is never made again."""
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
    unanswered: StuckHistory | None = None,
) -> Action:
    """What to do about `error`.

    `attempt` is the number of failures of this kind before this one (of the call, or of the product
    whose answer is unusable); `jitter` is a random number in [0, 1). `refused` is the history of a
    call that was answered with 429, `unanswered` that of a call without a usable reply. `is_stuck`:
    the server answers other requests, and this call times out again and again. `had_more_time`: it
    had the longer time limit.
    """
    in_company = group_size > 1
    if reason := _why_never_accepted(error, refused, unanswered, in_company=in_company):
        return Split() if in_company else GiveUp(reason)
    match policy_of(error):
        case Policy.TOO_SLOW if is_stuck:
            return _after_timeouts(error, attempt, had_more_time, in_company=in_company)
        case Policy.WAIT | Policy.TOO_SLOW:
            return Wait(backoff_s(attempt, jitter))
        case Policy.RETRY_CALL | Policy.BLOCKED as policy if _may_repeat_call(
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


def _may_repeat_call(policy: Policy, attempt: int, *, in_company: bool) -> bool:
    """Whether the same call is tried again under `RETRY_CALL` or `BLOCKED`."""
    if policy is Policy.BLOCKED:
        return not in_company and attempt + 1 < BLOCKED_TRIES
    return attempt < MAX_ATTEMPTS


def _why_never_accepted(
    error: WeighbridgeError,
    refused: RefusalHistory | None,
    unanswered: StuckHistory | None,
    *,
    in_company: bool,
) -> str | None:
    """Why this call can never succeed while others do, for the operator; None while it may."""
    if refused:
        return _why_too_large(refused, in_company=in_company)
    if unanswered is None or not unanswered.is_stuck(in_company=in_company):
        return None
    others = counted(unanswered.passed or unanswered.passed_ever, "other call")
    return (
        f"{error} This happened {unanswered.times} times in a row for this product alone, while "
        f"{others} succeeded. Look at the product's texts and picture, or at the server's log."
    )


def _after_timeouts(
    error: WeighbridgeError, attempt: int, had_more_time: bool, *, in_company: bool
) -> Action:
    """What to do with a call that cannot be answered in time: halve the group; then give a single
    product more time; then give up.
    """
    if in_company:
        return Split()
    if not had_more_time:
        return MoreTime()
    times = "once" if attempt == 0 else f"{attempt + 1} times"
    return GiveUp(
        f"{str(error).rstrip('.')}. This happened {times} for this product alone, the last time with "
        f"{TIME_FACTOR:.0f} times the time limit. Raise WEIGHBRIDGE_CALL_TIMEOUT_S, or use a "
        "faster server or a smaller model."
    )


def _why_too_large(refused: RefusalHistory, *, in_company: bool) -> str | None:
    """Why the provider will never accept a call of this size, for the operator; None while it may.

    A 429 alone says only "not now". A call is too large when all calls that succeed are smaller; if
    one as large succeeded, this one only has to wait.
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
            f"the provider refused this call {refused.times} times in a row, while "
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
    """The rule for this error's class, or for the nearest base class; None where there is none."""
    for kind in type(error).__mro__:
        if kind in POLICIES:
            return POLICIES[kind]
    return None


def backoff_s(attempt: int, jitter: float, first_s: float = BACKOFF_FIRST_S) -> float:
    """Seconds to wait before a retry: `jitter` (0 to 1) times a bound that doubles with every
    attempt ("full jitter").
    """
    return min(BACKOFF_CAP_S, first_s * 2.0 ** min(attempt, 30)) * jitter


def _refusal_delay_s(error: WeighbridgeError, attempt: int, jitter: float) -> float:
    """Seconds to wait after a 429: by `retry-after` or by backoff, whichever is longer."""
    retry_after_s = (error.retry_after_s or 0.0) if isinstance(error, RateLimited) else 0.0
    obeyed_s = min(max(retry_after_s, 0.0), RETRY_AFTER_MAX_S) * jitter
    return max(obeyed_s, backoff_s(attempt, jitter, REFUSAL_FIRST_S))
