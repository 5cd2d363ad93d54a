"""Lists the uploads that are received but not yet stored."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True, eq=False)
class StoringUpload:
    """A file that this server is storing: since when, by whom, and its name."""

    at: datetime
    actor: str
    file: str


class StoringUploads:
    """The uploads that this server is storing, oldest first."""

    def __init__(self) -> None:
        self._uploads: list[StoringUpload] = []

    @property
    def now(self) -> tuple[StoringUpload, ...]:
        """The uploads that are being stored at this moment."""
        return tuple(self._uploads)

    @contextmanager
    def note(self, upload: StoringUpload) -> Iterator[None]:
        """Context manager that lists the upload while the block stores it."""
        self._uploads.append(upload)
        try:
            yield
        finally:
            self._uploads.remove(upload)
