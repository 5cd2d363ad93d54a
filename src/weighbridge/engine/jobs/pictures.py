"""Which picture goes with a question: the stored one, the one at the product's address, or none."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.engine.jobs.reports import say_without_picture
from weighbridge.engine.quota.permits import QueueStopped
from weighbridge.errors import PictureRefused, PictureUnreachable
from weighbridge.fetching.source import SourceClosed
from weighbridge.planning.image_tokens import useful_size
from weighbridge.store import products

if TYPE_CHECKING:
    from weighbridge.domain.products import Picture
    from weighbridge.engine.jobs.context import EngineContext
    from weighbridge.engine.jobs.job_products import JobProduct
    from weighbridge.fetching.source import PicturesByAddress


class ShownPicture(NamedTuple):
    """What the provider is sent: an address, or the picture itself as a data: URL."""

    url: str
    size_px: tuple[int, int] | None = None  # None: only the provider will see it


class Pictures:
    """One per process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    async def shown(self, product: JobProduct) -> ShownPicture | None:
        """The product's picture; None when there is none, or none that can be had.

        Raises:
            PictureRefused, PictureUnreachable: there is none to be had, and it is required.
            QueueStopped: this process takes up no more work.
        """
        described = product.stored.product
        if product.without_picture is not None:
            return None
        if described.picture is not None:
            return await self._stored(described.picture)
        if described.image_url is None:
            return None
        source = self._context.pictures
        if source is None:
            return ShownPicture(described.image_url)
        return await self._fetched(source, product, described.image_url)

    async def _stored(self, picture: Picture) -> ShownPicture:
        async def read() -> bytes:
            async with self._context.database.pool.acquire() as connection:
                return await products.load_picture(connection, picture.sha256)

        data = await self._context.database_retry(read)
        size_px = picture.width_px, picture.height_px
        return ShownPicture(_data_url(picture.media_type, data), size_px)

    async def _fetched(
        self, source: PicturesByAddress, product: JobProduct, address: str
    ) -> ShownPicture | None:
        if product.fetched is None:
            try:
                bounds = useful_size(self._context.provider.model)
                product.fetched = await source.picture(address, bounds)
            except SourceClosed:
                raise QueueStopped from None
            except (PictureRefused, PictureUnreachable) as error:
                if self._context.picture_required:
                    raise
                product.without_picture = str(error)
                say_without_picture(product.code, error)
                return None
        size_px = product.fetched.width_px, product.fetched.height_px
        return ShownPicture(_data_url("image/jpeg", product.fetched.data), size_px)


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
