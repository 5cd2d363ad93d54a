"""Writes the log lines about batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge import telemetry
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from weighbridge.engine.batches.results import Flaws
    from weighbridge.errors import ProviderError
    from weighbridge.store.batches import StoredBatch


def say_submitted(batch: StoredBatch, name: str) -> None:
    """Log that the batch was submitted."""
    telemetry.info(
        "batch_submitted",
        f"📤 Submitted batch {name} with {counted(batch.requests, 'request')}; "
        "the provider may take up to 24 hours",
        batch=name,
        requests=batch.requests,
    )


def say_adopted(batch: StoredBatch, name: str) -> None:
    """Log that a batch which was submitted before an interruption was found at the provider."""
    telemetry.info(
        "batch_adopted",
        f"📎 Found batch {name} of {counted(batch.requests, 'request')} at the provider, submitted "
        "before an interruption; its results will be collected",
        batch=name,
        requests=batch.requests,
    )


def say_collected(batch: StoredBatch, status: str, unanswered: int) -> None:
    """Log that all results of a batch are recorded, and how many requests have no reply."""
    answered = batch.requests - unanswered
    telemetry.info(
        "batch_collected",
        f"📥 Collected batch {batch.batch_id} ({status}): {counted(answered, 'reply', 'replies')}, "
        f"{counted(unanswered, 'request')} without a reply",
        batch=batch.batch_id,
        status=status,
        replies=answered,
        unanswered=unanswered,
    )


def say_flaws(batch: StoredBatch, flaws: Flaws) -> None:
    """Log what is wrong with the result files of a batch, if anything."""
    found = [
        (flaws.unreadable, "unreadable lines"),
        (flaws.strangers, "result lines for requests that are not in the batch"),
        (flaws.missing_files, "missing files"),
        (
            flaws.lost,
            "requests without a readable result line, to be sent again",
        ),
    ]
    details = ", ".join(f"{flaw}: {count:,}" for count, flaw in found if count)
    if details:
        telemetry.warning(
            "batch_results_flawed",
            f"⚠️ The result files of batch {batch.batch_id} are faulty ({details})",
            batch=batch.batch_id,
            **flaws._asdict(),
        )


def say_refused(batch: StoredBatch, why: str) -> None:
    """Log that the provider refused the batch, and why."""
    telemetry.warning(
        "batch_refused",
        f"⚠️ The provider refused batch {batch.batch_id or batch.id}: {why}",
        batch=batch.batch_id,
        detail=why,
    )


def say_gone(batch: StoredBatch) -> None:
    """Log that the provider does not know the batch any more."""
    telemetry.error(
        "batch_gone",
        f"❌ The provider no longer knows batch {batch.batch_id}; "
        f"{counted(batch.requests, 'request')} of it will go into another batch",
        batch=batch.batch_id,
        requests=batch.requests,
    )


def say_finishing_online(products: int) -> None:
    """Log how many products will be asked about online, as batches cannot bring a reply."""
    if products:
        telemetry.warning(
            "batch_rest_online",
            f"⚠️ Asking about {counted(products, 'product')} online, one call at a time at the standard price: "
            "batches brought no reply, or cannot carry the request",
            products=products,
        )


def say_trouble(error: ProviderError, pause_s: float) -> None:
    """Log that a request to the Batch API failed, and when it is tried again."""
    telemetry.warning(
        "batch_api_trouble",
        f"⚠️ The Batch API failed; trying again in {pause_s:.0f} s: {error}",
        error=type(error).__name__,
        detail=str(error),
        retry_in_s=round(pause_s, 1),
    )
