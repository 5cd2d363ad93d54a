"""What an operator wants to be told about: the work is finished, the queue has paused, a budget is
used up.

`compare` decides from two looks at the database what has happened between them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.products import ProcessingStatus

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for "never" where a time is compared."""


class Channel(StrEnum):
    """How a notice goes out."""

    WEBHOOK = "webhook"
    COMMAND = "command"


class NoticeKind(StrEnum):
    """What has happened: the `type` of the webhook."""

    FINISHED = "queue.finished"
    PAUSED = "queue.paused"
    BUDGET_REACHED = "queue.budget_reached"
    TEST = "test"


class Halt(StrEnum):
    """Why nothing is sent."""

    NONE = ""
    PAUSED = "paused"
    STOPPED = "stopped"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Look:
    """What is found in the database at one moment.

    `idle`: nothing waits and nothing is in progress among the products that this process works on.
    `last_call` is the id of the newest call, `last_result` the time of the newest result.
    """

    idle: bool
    last_call: int
    last_result: datetime
    halt: Halt
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What notices have been made for so far: one row of the database, shared by all processes. Its
    fields are those of the last `Look`; `busy` is the opposite of `idle`.
    """

    busy: bool
    last_call: int
    last_result: datetime
    halt: Halt


@dataclass(frozen=True, slots=True)
class Notice:
    """One message for one channel. `body` is sent byte for byte in every try."""

    id: str
    channel: Channel
    kind: NoticeKind
    body: str
    happened_at: datetime
    attempts: int = 0


def compare(told: Told, look: Look) -> tuple[list[NoticeKind], Told]:
    """The kinds of notice that are due now, and the `Told` to store with them."""
    has_worked = look.last_call > told.last_call or look.last_result > told.last_result
    happened = [NoticeKind.FINISHED] if look.idle and (told.busy or has_worked) else []
    if look.halt not in (Halt.NONE, told.halt):
        is_budget = look.halt is Halt.BUDGET
        happened.append(NoticeKind.BUDGET_REACHED if is_budget else NoticeKind.PAUSED)
    after = Told(not look.idle, told.last_call, told.last_result, look.halt)
    if look.idle:
        after = replace(after, last_call=look.last_call, last_result=look.last_result)
    return happened, after


def body_of(
    kind: NoticeKind,
    happened_at: datetime,
    counts: Mapping[ProcessingStatus, int],
    *,
    reason: str = "",
    halt: Halt = Halt.NONE,
    simulated: bool = False,
) -> str:
    """The JSON of a notice, in the form of Standard Webhooks: type, timestamp and data."""
    data: dict[str, object] = {"message": message_of(kind, counts, reason, simulated=simulated)}
    data["products"] = {status.value: number for status, number in counts.items()}
    data["simulated"] = simulated
    if reason:
        data["reason"] = reason
        data["resumesByItself"] = halt is not Halt.STOPPED
    document = {"type": kind.value, "timestamp": happened_at.isoformat(), "data": data}
    return json.dumps(document, ensure_ascii=False)


def message_of(
    kind: NoticeKind, counts: Mapping[ProcessingStatus, int], reason: str, *, simulated: bool
) -> str:
    """What has happened, in one line for people."""
    said = {status.value: number for status, number in counts.items()}
    match kind:
        case NoticeKind.FINISHED:
            line = f"Finished: {counted(said['completed'], 'product')} completed, {said['failed']:,} failed"
            line += " (answers of the simulator)." if simulated else "."
            remedy = " The page Failures of the dashboard says why; `weighbridge reset-failed` retries them."
            return line + (remedy if said["failed"] else "")
        case NoticeKind.BUDGET_REACHED:
            return f"Budget reached: {reason}"
        case NoticeKind.PAUSED:
            return f"Paused: {reason}"
        case NoticeKind.TEST:
            return "This is a test notice from Weighbridge."


_BACKOFF: Final = tuple(
    timedelta(seconds=s)
    for s in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 21_600, 14_400)
)
"""The waits between the twelve tries to send a notice, which all fall within a day."""


def next_try(attempts: int) -> timedelta | None:
    """How long to wait after so many tries; None: give up."""
    return _BACKOFF[attempts - 1] if attempts <= len(_BACKOFF) else None
