"""The factors that this process computes with. They follow what anybody uploads."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import FactorTableInvalid
from weighbridge.factor_sources.own_factors import UploadedFile
from weighbridge.store import factor_uploads

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.steps import Questions
    from weighbridge.store.database import Connection


@dataclass(frozen=True, slots=True)
class LoadedFactors:
    """One table, and the questions over its lists. `upload` is the id of the uploaded part."""

    table: FactorTable
    questions: Questions
    upload: int = 0


class FactorsInUse:
    """One per process; `load` gives the factors of the settings over an upload."""

    def __init__(self, load: Callable[[UploadedFile | None], LoadedFactors]) -> None:
        self.load = load
        self._now: LoadedFactors | None = None

    @property
    def now(self) -> LoadedFactors:
        """The factors as they were at the last look."""
        assert self._now is not None  # noqa: S101 - whoever makes one refreshes it first
        return self._now

    async def refresh(self, connection: Connection) -> LoadedFactors:
        """The factors that count now, read again only where there is another upload.

        Raises:
            FactorTableInvalid: an upload does not fit this version of the program.
        """
        newest = await factor_uploads.newest_id(connection)
        if self._now is None or self._now.upload != newest:
            found = await factor_uploads.load(connection, newest)
            file = UploadedFile(found.name, found.content) if found and found.content else None
            loaded = await asyncio.to_thread(self._load, file)
            self._now = LoadedFactors(loaded.table, loaded.questions, newest)
        return self._now

    def _load(self, file: UploadedFile | None) -> LoadedFactors:
        """The table with the uploaded file; an error says how to get out of it."""
        try:
            return self.load(file)
        except FactorTableInvalid as error:
            if file is None:
                raise
            raise FactorTableInvalid(
                f"The uploaded factors do not fit this version:\n{error}\nTake them back with "
                "`weighbridge factors --take-back`, or upload a mended file with `weighbridge "
                "factors FILE`.",
                error.rows,
            ) from error
