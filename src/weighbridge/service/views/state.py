"""The state of the queue in one sentence, and what to do about it.

Pure. A sentence may contain `{done}` (a time of day) and `{wait}` (a countdown): the page fills
them in from `done_at` and `wait_until`, in the reader's own time zone and anew every second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from weighbridge.domain.budgets import is_budget_reason
from weighbridge.domain.products import ProcessingStatus

if TYPE_CHECKING:
    from weighbridge.service.queue import QueueStatus

NEARLY_USED: Final = 0.97
"""If more than this share of a limit is in use, the limit is said to hold processing back."""


class Situation(StrEnum):
    """What the queue is doing, in one word."""

    EMPTY = "empty"
    WORKING = "working"
    HELD = "held"
    WAITING = "waiting"
    PAUSED = "paused"
    STOPPED = "stopped"
    UNATTENDED = "unattended"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the overview says first: a sentence, and what to do ("" for nothing)."""

    situation: Situation
    sentence: str
    remedy: str = ""
    done_at: datetime | None = None
    wait_until: datetime | None = None


def outlook(look: QueueStatus, *, products_per_hour: float, live_workers: int) -> Outlook:
    """The state of the queue in a sentence, and what to do about it."""
    counts = look.counts
    failed = counts[ProcessingStatus.FAILED]
    finished = counts[ProcessingStatus.COMPLETED] + failed
    left = counts[ProcessingStatus.PENDING] + counts[ProcessingStatus.PROCESSING]
    if look.total_products == 0:
        return Outlook(
            Situation.EMPTY,
            "No products yet.",
            "Upload a catalogue: processing starts by itself.",
        )
    if not look.state.running:
        return _stopped(left, look.state.paused_reason)
    if look.state.paused_reason:
        why, _ = _first_sentence(look.state.paused_reason)
        remedy = _remedy_while_paused(look.state.paused_reason)
        return Outlook(Situation.PAUSED, f"Paused: {why}", remedy)
    if left == 0:
        return Outlook(Situation.FINISHED, _all_done(finished, failed), _hint_at_failures(failed))
    if live_workers == 0:
        return Outlook(
            Situation.UNATTENDED,
            f"{_products(left)} {_verb(left, 'wait')}, and no worker is running.",
            "Start one with: weighbridge worker",
        )
    waits = look.state.next_batch_at
    if waits is not None and waits > look.as_of and not counts[ProcessingStatus.PROCESSING]:
        return Outlook(
            Situation.WAITING,
            f"Waiting {{wait}} for the next batch; {_products(left)} to go.",
            wait_until=waits,
        )
    return _working(look, finished, left, products_per_hour)


def _remedy_while_paused(reason: str) -> str:
    """What people read they can do while the queue is paused for this reason."""
    if is_budget_reason(reason):
        return "Raise the budget under Settings to resume at once; otherwise processing resumes when the next day or month begins."
    _, rest = _first_sentence(reason)
    return f"{rest} Weighbridge tries again by itself. Press Start to try at once.".strip()


def _first_sentence(reason: str) -> tuple[str, str]:
    """(the first sentence of a reason, the rest of it)."""
    first, _, rest = reason.partition(". ")
    return (f"{first}." if rest else first), rest


def _stopped(left: int, reason: str | None) -> Outlook:
    """The outlook while the queue is stopped; `left` products wait."""
    if reason:
        why, rest = _first_sentence(reason)
        waits = f"{_products(left)} {_verb(left, 'wait')}. Press Start once the cause is fixed."
        return Outlook(Situation.STOPPED, f"Stopped: {why}", f"{rest} {waits}".strip())
    if left == 0:
        return Outlook(
            Situation.STOPPED, "Stopped. Nothing waits.", "New uploads wait until you press Start."
        )
    return Outlook(
        Situation.STOPPED,
        f"Stopped. {_products(left)} {_verb(left, 'wait')}.",
        "Press Start to resume.",
    )


def _working(look: QueueStatus, finished: int, left: int, products_per_hour: float) -> Outlook:
    """The outlook while products are processed."""
    sentence = f"Processing {finished + 1:,} of {_products(look.total_products)}"
    done_at = None
    if products_per_hour >= 1:
        done_at = look.as_of + timedelta(hours=left / products_per_hour)
        sentence += f", {products_per_hour:,.0f} an hour, done at {{done}}"
    limit = limiting(look)
    if limit:
        return Outlook(
            Situation.HELD,
            f"{sentence}. Slowed down by the limit of {limit}s per minute.",
            "If your account allows more, raise the limit in Settings.",
            done_at=done_at,
        )
    return Outlook(Situation.WORKING, f"{sentence}.", done_at=done_at)


def limiting(look: QueueStatus) -> str:
    """Which limit is nearly used up: "token", "request", or "" for none."""
    if look.used.tokens >= NEARLY_USED * look.limits.tokens_per_minute:
        return "token"
    if look.used.requests >= NEARLY_USED * look.limits.requests_per_minute:
        return "request"
    return ""


def batches_at_provider(look: QueueStatus) -> str:
    """A sentence on the batches in flight at the Batch API; "" if there are none."""
    batches = look.batches
    if not batches.batches:
        return ""
    batches_are = "1 batch is" if batches.batches == 1 else f"{batches.batches:,} batches are"
    return (
        f"{batches_are} at the provider at half price: {batches.answered:,} of {batches.requests:,} "
        "requests answered. The rest may take up to a day."
    )


def _all_done(finished: int, failed: int) -> str:
    if failed == 0:
        return (
            f"All {_products(finished)} processed." if finished > 1 else "The product is processed."
        )
    return f"{finished - failed:,} of {_products(finished)} completed; {failed:,} failed."


def _hint_at_failures(failed: int) -> str:
    return "The page Failures shows why, and lets you retry them." if failed else ""


def _products(count: int) -> str:
    return "1 product" if count == 1 else f"{count:,} products"


def _verb(count: int, plural: str) -> str:
    """The verb for so many: "waits" for one, else as given, such as "wait"."""
    return f"{plural}s" if count == 1 else plural
