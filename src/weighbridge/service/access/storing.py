"""Uploads that are being stored: received, and not yet part of the catalogue."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True, eq=False)
class StoringUpload:
    """A file that this server is storing."""

    at: datetime
    actor: str
    file: str


class StoringUploads:
    """Those of this server, oldest first."""

    def __init__(self) -> None:
        self._uploads: list[StoringUpload] = []

    @property
    def now(self) -> tuple[StoringUpload, ...]:
        """Those that are being stored at this moment."""
        return tuple(self._uploads)

    @contextmanager
    def note(self, upload: StoringUpload) -> Iterator[None]:
        """List the upload until it is stored or refused."""
        self._uploads.append(upload)
        try:
            yield
        finally:
            self._uploads.remove(upload)
