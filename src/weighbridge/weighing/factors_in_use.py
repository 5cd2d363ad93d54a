"""The factors that this process computes with: those of its settings, overridden by the newest
upload, whoever made it.
"""

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
    """A table of factors, and the questions whose answers choose from it. `upload` is the id of the
    upload in it, 0 for none.
    """

    table: FactorTable
    questions: Questions
    upload: int = 0


class FactorsInUse:
    """The factors of this process; one object per process. `load` gives the factors of the
    settings, with an uploaded file over them.
    """

    def __init__(self, load: Callable[[UploadedFile | None], LoadedFactors]) -> None:
        self.load = load
        self._now: LoadedFactors | None = None

    @property
    def now(self) -> LoadedFactors:
        """The factors as `refresh` found them last."""
        assert self._now is not None  # noqa: S101 - whoever makes one refreshes it first
        return self._now

    async def refresh(self, connection: Connection) -> LoadedFactors:
        """The factors that count now; they are read again only where there is a newer upload.

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
        """The factors with the uploaded file. The error for a file that does not fit says what to
        do.
        """
        try:
            return self.load(file)
        except FactorTableInvalid as error:
            if file is None:
                raise
            raise FactorTableInvalid(
                f"The uploaded factors do not fit this version of Weighbridge:\n{error}\n"
                "Take them back with `weighbridge factors --take-back`, or upload a corrected file with `weighbridge "
                "factors FILE`.",
                error.rows,
            ) from error
