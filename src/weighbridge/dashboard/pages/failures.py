"""The page with failed products and calls by cause, which can retry the products of a cause."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from weighbridge.dashboard.context import Pages, Visitor, note_action
from weighbridge.dashboard.forms import read_form
from weighbridge.dashboard.rendering import page, redirect
from weighbridge.plain_text import counted
from weighbridge.service.views.failures import failure_groups
from weighbridge.service.views.listing import Filter, retry

router = APIRouter(include_in_schema=False)

REMEDIES: Final = {
    "AnswerTruncated": "The answer was cut off at its length limit. A retry allows a longer answer; if it fails too, shorten a very long description.",
    "AnswerMalformed": "The model's answer had the wrong format. A retry often helps; a larger model nearly always does.",
    "WrongProducts": "The model mixed up the products of one call. A retry asks about this product alone.",
    "ImplausibleAnswer": "The answer contradicts the product, such as materials that weigh more than the product. Check its weight and description.",
    "RequestRefused": "The provider refused the text or picture. Look at the product, change it, and upload it again.",
    "RequestTooLarge": "The call was too large, even with this product alone. Shorten its description.",
    "CalculationError": "A material or process has no factor. This is a fault of the factor table: please report it.",
    "RateLimited": "Weighbridge waits and retries by itself. If this happens often, lower the limits in Settings to those of your account.",
    "ProviderTimeout": "Weighbridge waits and retries by itself. If this happens often, allow fewer calls at once in Settings.",
    "ProviderOverloaded": "Weighbridge waits and retries by itself.",
    "EmptyReply": "The provider's answer was empty; a content filter often causes this. Check the product's texts, or use another model.",
    "RequestBlocked": "A firewall in front of the provider blocked the request. Look for HTML, script or SQL in the product's texts, or have the firewall let it through.",
    "ProviderUnreachable": "Weighbridge waits and retries by itself. Check the network between this server and the provider.",
    "QuotaExhausted": "The account has no credit left. Add some, then press Start.",
    "AuthenticationFailed": "The provider does not accept the key. Set OPENAI_API_KEY, restart, then press Start.",
    "ModelUnknown": "The account has no such model. Set WEIGHBRIDGE_MODEL and restart.",
}
"""Kind of error → what to do about it, in words for the page."""


@router.get("/failures")
async def failures(request: Request, dashboard: Pages, visitor: Visitor) -> Response:
    """Failed products by cause, failed calls by step."""
    groups = await failure_groups(dashboard.server.database, dashboard.server.clock.now())
    return page(
        request,
        "failures/page.html",
        principal=visitor,
        marks=await dashboard.marks(),
        groups=groups,
        total=sum(group.count for group in groups.products),
        remedies=REMEDIES,
    )


@router.post("/failures/retry")
async def retry_group(request: Request, dashboard: Pages) -> Response:
    """Retry every failed product whose error is of this kind."""
    kind = (await read_form(request)).text("kind")
    count = await retry(dashboard.server.database, Filter(error_kind=kind))
    note_action(request, "retried failed products", kind, {"count": count})
    return redirect("/failures", f"{counted(count, 'product')} put back in the queue.")
