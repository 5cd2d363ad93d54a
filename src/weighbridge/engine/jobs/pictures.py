"""Which pictures go with a question: stored ones, those at the product's addresses, or none."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.engine.jobs.reports import say_without_picture
from weighbridge.engine.quota.permits import QueueStopped
from weighbridge.errors import PictureRefused, PictureUnreachable
from weighbridge.fetching.source import SourceClosed
from weighbridge.planning.image_tokens import useful_size
from weighbridge.store import products

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.domain.products import Picture
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.fetching.decoding import DecodedPicture
    from weighbridge.fetching.source import PicturesByAddress


class ShownPicture(NamedTuple):
    """What the provider is sent: an address, or the picture itself as a data: URL."""

    url: str
    size_px: tuple[int, int] | None = None  # None: only the provider will see it


class Pictures:
    """One per process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    async def shown(self, product: JobProduct) -> tuple[ShownPicture, ...]:
        """The product's pictures, without those that cannot be had.

        Raises:
            PictureRefused, PictureUnreachable: one cannot be had, and all are required.
            QueueStopped: this process takes up no more work.
        """
        if product.without_picture is not None:
            return ()
        pictures = product.stored.product.pictures
        source = self._context.pictures
        if source is not None:
            await self._fetch(source, product, [one for one in pictures if isinstance(one, str)])
        if product.without_picture is not None:
            return ()
        shown = []
        for picture in pictures:
            if not isinstance(picture, str):
                shown.append(await self._stored(picture))
            elif source is None:
                shown.append(ShownPicture(picture))
            elif picture in product.fetched:
                shown.append(_fetched(product.fetched[picture]))
        return tuple(shown)

    async def _stored(self, picture: Picture) -> ShownPicture:
        async def read() -> bytes:
            async with self._context.database.pool.acquire() as connection:
                return await products.load_picture(connection, picture.sha256)

        data = await self._context.database_retry(read)
        size_px = picture.width_px, picture.height_px
        return ShownPicture(_data_url(picture.media_type, data), size_px)

    async def _fetch(
        self, source: PicturesByAddress, product: JobProduct, addresses: Sequence[str]
    ) -> None:
        """Fetch all that are not there yet; note those that cannot be had."""
        tried = product.fetched.keys() | product.missing_pictures.keys()
        wanted = [address for address in addresses if address not in tried]
        bounds = useful_size(self._context.provider.model)
        asked = [source.picture(address, bounds) for address in wanted]
        found = await asyncio.gather(*asked, return_exceptions=True)
        for address, picture in zip(wanted, found, strict=True):
            match picture:
                case SourceClosed():
                    raise QueueStopped from None
                case PictureRefused() | PictureUnreachable():
                    if self._context.picture_required:
                        raise picture
                    product.missing_pictures[address] = str(picture)
                    say_without_picture(product.code, picture)
                case BaseException():
                    raise picture
                case _:
                    product.fetched[address] = picture
        missing = product.missing_pictures.values()
        if missing and len(missing) == len(product.stored.product.pictures):
            product.without_picture = "; ".join(dict.fromkeys(missing))


def _fetched(picture: DecodedPicture) -> ShownPicture:
    size_px = picture.width_px, picture.height_px
    return ShownPicture(_data_url("image/jpeg", picture.data), size_px)


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
