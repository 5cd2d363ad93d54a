"""Delivers notices as signed POST requests, by the convention of https://www.standardwebhooks.com:
with the headers webhook-id, webhook-timestamp and webhook-signature.

The operator sets the address, so it may be a private one. Redirects are not followed, and only the
status of the response is read. Messages name the host alone: the address may contain a token.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import httpx2
from standardwebhooks import Webhook

from weighbridge.domain.notices import Channel
from weighbridge.notifying.base import NotDelivered

if TYPE_CHECKING:
    from weighbridge.clock import Clock
    from weighbridge.domain.notices import Notice

TIMEOUT_S: Final = 15.0
"""Time limit of a delivery, from looking up the host to the headers of the response."""
GONE: Final = 410


class WebhookCarrier:
    """Posts each notice to the webhook. One per process."""

    channel = Channel.WEBHOOK

    def __init__(self, url: str, secret: str, clock: Clock, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._host = httpx2.URL(url).host
        self._webhook = Webhook(secret)
        self._clock = clock
        self._timeout_s = timeout_s

    async def deliver(self, notice: Notice) -> None:
        """POST the notice; with a status from 200 to 299 it counts as delivered."""
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._post(notice)
        except TimeoutError:
            raise NotDelivered(
                f"{self._host} did not answer within {self._timeout_s:g} s"
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise NotDelivered(f"{self._host}: {type(error).__name__}") from None
        if status == GONE:
            raise NotDelivered(
                f"{self._host} answers 410 Gone: it wants no more notices", for_good=True
            )
        if 300 <= status < 400:
            raise NotDelivered(
                f"{self._host} answers {status}: redirects are not followed; set the final address"
            )
        if not 200 <= status < 300:
            raise NotDelivered(f"{self._host} answers {status}")

    async def _post(self, notice: Notice) -> int:
        """Sign and send the notice; returns the status of the response."""
        now = self._clock.now()
        headers = {
            "content-type": "application/json",
            "user-agent": "weighbridge",
            "webhook-id": f"msg_{notice.id}",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(f"msg_{notice.id}", now, notice.body),
        }
        async with (
            httpx2.AsyncClient(follow_redirects=False, timeout=self._timeout_s) as client,
            client.stream(
                "POST", self._url, content=notice.body.encode(), headers=headers
            ) as response,
        ):
            return response.status_code
