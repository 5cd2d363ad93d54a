"""Keeps a file's rows in memory between the survey and the checks, so that it is read only once.

Reading a row takes longer than checking it, by far in a workbook. The rows are compressed: the
texts of real files repeat, and shrink to a third or a fifth of their size.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.ingest.base import RawChunk

MOST_KEPT_BYTES: Final = 32 << 20
_RECORD_BYTES: Final = 500
"""About how much memory a rejected row or a remark takes."""


class KeptRows:
    """The chunks of a file in their order, until they are too large to be kept; then none."""

    def __init__(self) -> None:
        self._chunks: list[tuple[RawChunk, bytes]] = []
        self._size = 0

    @property
    def overflowed(self) -> bool:
        """Whether the chunks were too large and were dropped: the file must be read again."""
        return self._size > MOST_KEPT_BYTES

    def add(self, chunk: RawChunk) -> None:
        """Keep a chunk; if all of them are now too large together, drop them all."""
        if self.overflowed:
            return
        packed = io.BytesIO()
        chunk.frame.write_ipc(packed, compression="zstd")
        records = len(chunk.rejected) + len(chunk.remarks) + len(chunk.hidden)
        self._size += packed.tell() + _RECORD_BYTES * records
        self._chunks.append((replace(chunk, frame=pl.DataFrame()), packed.getvalue()))
        if self.overflowed:
            self._chunks.clear()

    def __iter__(self) -> Iterator[RawChunk]:
        for chunk, packed in self._chunks:
            yield replace(chunk, frame=pl.read_ipc(io.BytesIO(packed)))
