"""Loads the pictures that are sent with a question: stored ones, and those at the product's
addresses.
"""

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
    """A picture as it is sent to the provider: its address, or the picture itself as a
    data: URL.
    """

    url: str
    size_px: tuple[int, int] | None = None  # None: unknown, as only the provider fetches it


class Pictures:
    """Loads pictures; one per process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    async def shown(self, product: JobProduct) -> tuple[ShownPicture, ...]:
        """The product's pictures, without those that cannot be fetched.

        Raises:
            PictureRefused, PictureUnreachable: one cannot be fetched, and all are required.
            QueueStopped: the queue was stopped, or this process is draining.
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
                shown.append(await self._load(picture))
            elif source is None:
                shown.append(ShownPicture(picture))
            elif picture in product.fetched:
                shown.append(_as_data_url(product.fetched[picture]))
        return tuple(shown)

    async def _load(self, picture: Picture) -> ShownPicture:
        """A picture from the database."""

        async def read_picture() -> bytes:
            async with self._context.database.pool.acquire() as connection:
                return await products.load_picture(connection, picture.sha256)

        data = await self._context.database_retry(read_picture)
        size_px = picture.width_px, picture.height_px
        return ShownPicture(_data_url(picture.media_type, data), size_px)

    async def _fetch(
        self, source: PicturesByAddress, product: JobProduct, addresses: Sequence[str]
    ) -> None:
        """Fetch the pictures that were not tried yet into `product.fetched`; note why others cannot
        be fetched.
        """
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


def _as_data_url(picture: DecodedPicture) -> ShownPicture:
    size_px = picture.width_px, picture.height_px
    return ShownPicture(_data_url("image/jpeg", picture.data), size_px)


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
