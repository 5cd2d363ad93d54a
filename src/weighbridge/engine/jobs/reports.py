"""Writes the worker's log lines, whose wording users search for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge import telemetry
from weighbridge.errors import (
    EmptyReply,
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    RateLimited,
    RequestTooLarge,
    WeighbridgeError,
)
from weighbridge.limits.retries import Wait
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.limits.retries import Action
    from weighbridge.store.footprints import StoredFootprint

_HEADLINES: Final = {
    EmptyReply: "Empty reply",
    RateLimited: "Rate limit exceeded",
    ProviderTimeout: "Request timed out",
    ProviderUnreachable: "Provider unreachable",
    ProviderOverloaded: "Provider overloaded",
    RequestTooLarge: "Request too large",
}


def say_begun(job_id: int, group: Sequence[JobProduct]) -> None:
    """Log that work on a group begins. A product with a picture is always alone, and so is not
    called a batch.
    """
    if group[0].stored.product.has_image:
        telemetry.info(
            "product_started",
            f"🔄 Processing product {group[0].code} with its picture",
            job_id=job_id,
            code=group[0].code,
        )
        return
    telemetry.info(
        "batch_started",
        f"🔄 Processing batch of {len(group)} products using batch AI processing",
        job_id=job_id,
        products=len(group),
    )


def say_ended(job_id: int, group: Sequence[JobProduct], tokens: int) -> None:
    """Log that all questions about a group were asked, and the tokens used."""
    with_picture = group[0].stored.product.has_image
    what = "Picture" if with_picture else "Batch"
    telemetry.info(
        "product_ended" if with_picture else "batch_completed",
        f"📊 {what} processing completed. Tokens used: {tokens:,}",
        job_id=job_id,
        tokens=tokens,
    )


def say_failed_call(job_id: int, error: ProviderError, action: Action) -> None:
    """Log a failed call: as a warning if it is only retried later, else as an error."""
    say = telemetry.warning if isinstance(action, Wait) else telemetry.error
    say(
        "group_failed",
        f"❌ Error processing batch group {job_id}: {_HEADLINES.get(type(error), str(error))}",
        job_id=job_id,
        error=type(error).__name__,
        detail=str(error),
        retry_in_s=round(action.delay_s, 1) if isinstance(action, Wait) else None,
    )


def say_lost(job_id: int) -> None:
    """Log that another worker has the job now."""
    telemetry.warning("job_lost", f"⚠️ Job {job_id} was taken over by another worker", job_id=job_id)


def say_crashed(job_id: int, error: Exception) -> None:
    """Log a crash, which is a bug of ours, with its traceback; call this in an except block."""
    telemetry.crashed("job_crashed", f"❌ Job {job_id} crashed: {error!r}", job_id=job_id)


def say_without_picture(code: str, error: WeighbridgeError) -> None:
    """Log that a product is processed without its picture, and why."""
    telemetry.warning(
        "asked_without_picture",
        f"⚠️ Product {code} is processed without its picture: {error}",
        code=code,
        detail=str(error),
    )


def say_stopped(reason: str) -> None:
    """Log that the queue was stopped because the operator must act."""
    telemetry.error("queue_stopped", f"🛑 Queue stopped: {reason}", reason=reason)


def say_broken_off(job_id: int, error: ProviderError) -> None:
    """Log that a connection broke after the request had been sent."""
    telemetry.warning(
        "call_broken_off",
        f"⚠️ Connection lost during the call of group {job_id}; looking for the reply at the provider",
        job_id=job_id,
        detail=str(error),
    )


def say_fetched(job_id: int, products: int) -> None:
    """Log that the reply to an interrupted call was found at the provider."""
    telemetry.info(
        "reply_fetched",
        f"📥 Recovered a paid reply about {counted(products, 'product')} from the provider",
        job_id=job_id,
        products=products,
    )


def say_not_fetched(job_id: int) -> None:
    """Log that the provider has no stored reply to an interrupted call."""
    telemetry.info(
        "reply_not_stored",
        f"📭 The provider has no reply to the interrupted call of group {job_id}; retrying it",
        job_id=job_id,
    )


def say_nothing_kept(provider: str) -> None:
    """Log that this provider does not store replies, although the option asks for it."""
    telemetry.warning(
        "replies_not_kept",
        f"⚠️ {provider} does not store replies, although WEIGHBRIDGE_STORE_AT_PROVIDER asks for it: "
        "calls in flight during a crash will be paid for twice",
        provider=provider,
    )


def say_what_happened(
    group: Sequence[JobProduct],
    finished: Sequence[StoredFootprint] = (),
    asked_alone: Mapping[int, tuple[str, str]] | None = None,
    given_up: Mapping[int, tuple[str, str]] | None = None,
) -> None:
    """Log the result of each product of a group: completed, failed or retried alone."""
    done = {footprint.product_id for footprint in finished}
    for product in group:
        if product.id in done:
            telemetry.info(
                "product_completed",
                f"✅ Successfully {'' if product.stored.product.has_image else 'batch '}processed product {product.code}",
                code=product.code,
            )
        elif given_up and product.id in given_up:
            kind, reason = given_up[product.id]
            telemetry.error(
                "product_failed",
                f"❌ Product {product.code} failed: {reason}",
                code=product.code,
                error=kind,
            )
        elif asked_alone and product.id in asked_alone:
            kind, reason = asked_alone[product.id]
            telemetry.warning(
                "product_asked_alone",
                f"⚠️ Retrying product {product.code} alone: {reason}",
                code=product.code,
                error=kind,
            )
