"""Reads the footer of a Parquet file, which says how large each column of each row group is, before
anything is unpacked.

Read by ourselves because the library does not show it. Thrift's compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md. The structures:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.errors import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

MAX_FOOTER_BYTES: Final = 64 << 20
_MAX_DEPTH: Final = 32
_MAX_VALUES: Final = 5_000_000
_TAIL: Final = struct.Struct("<I4s")
_ROW_GROUPS = 4  # of FileMetaData
_COLUMNS, _NUM_ROWS = 1, 3  # of RowGroup
_META_DATA = 3  # of ColumnChunk
_PATH, _UNCOMPRESSED = 3, 6  # of ColumnMetaData


@dataclass(frozen=True, slots=True)
class RowGroup:
    """The number of rows of a row group, and the bytes that each top-level column unpacks to."""

    rows: int
    unpacked_bytes: dict[str, int]


def read_row_groups(path: Path) -> list[RowGroup]:
    """The row groups as the footer states them. Raises UnreadableFile for a damaged footer."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL.size))
        tail = file.read(_TAIL.size)
        length, magic = _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b"")
        if magic == b"PARE":
            raise UnreadableFile("The Parquet file is encrypted. Save it without encryption.")
        if magic != b"PAR1" or not 0 < length <= size - _TAIL.size - 4:
            raise _damaged("its end is missing")
        if length > MAX_FOOTER_BYTES:
            raise _damaged(f"its footer has more than {MAX_FOOTER_BYTES >> 20} MB")
        file.seek(size - _TAIL.size - length)
        footer = file.read(length)
    try:
        groups = _Compact(footer).structure().get(_ROW_GROUPS, [])
        return [_row_group(group) for group in groups]
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise _damaged("its footer cannot be read") from error


def _row_group(group: dict[int, Any]) -> RowGroup:
    """Rows of a row group and unpacked bytes of each of its columns, from the decoded footer."""
    unpacked: dict[str, int] = {}
    for column in group[_COLUMNS]:
        about = column[_META_DATA]
        name = about[_PATH][0].decode()
        unpacked[name] = unpacked.get(name, 0) + _checked_size(about[_UNCOMPRESSED])
    return RowGroup(_checked_size(group[_NUM_ROWS]), unpacked)


def _checked_size(number: int) -> int:
    """The number; raises UnreadableFile if it cannot be a size."""
    if not 0 <= number < 1 << 62:
        raise _damaged("its footer states an impossible size")
    return number


def _damaged(fault: str) -> UnreadableFile:
    return UnreadableFile(
        f"The Parquet file is damaged or not complete: {fault}. Save it again in the program that "
        "made it."
    )


class _Compact:
    """Decodes Thrift's compact protocol into dictionaries by field number."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._left = _MAX_VALUES

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """The Thrift structure that begins here: number of a field → its value."""
        fields: dict[int, Any] = {}
        number = 0
        while kind_byte := self._byte():
            step, kind = kind_byte >> 4, kind_byte & 15
            number = number + step if step else self._zigzag()
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        """One value of this type (Thrift's number).

        Raises:
            IndexError: the value is cut off, of an unknown type, nested too deeply or one too many.
        """
        self._left -= 1
        if self._left < 0:
            raise IndexError("too many values")
        if depth > _MAX_DEPTH:
            raise IndexError("nested too deeply")
        match kind:
            case 1 | 2:  # a boolean in a list
                return self._byte() == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._varint())
            case 9 | 10:
                return self._list(depth)
            case 11:
                return self._skip_map(depth)
            case 12:
                return self.structure(depth)
            case _:
                raise IndexError(f"no such type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4
        if count == 15:
            count = self._varint()
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _skip_map(self, depth: int) -> None:
        """Skip the map that begins here; we need none."""
        count = self._varint()
        if count:
            kinds = self._byte()
            for _ in range(count):
                self._value(kinds >> 4, depth + 1)
                self._value(kinds & 15, depth + 1)

    def _byte(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        return byte

    def _bytes(self, count: int) -> bytes:
        data = self._data[self._at : self._at + count]
        if len(data) < count:
            raise IndexError("cut off")
        self._at += count
        return data

    def _varint(self) -> int:
        """The next unsigned number: seven bits a byte, lowest first."""
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
            if shift > 63:
                raise IndexError("number too long")

    def _zigzag(self) -> int:
        """The next signed number, zigzag-encoded."""
        number = self._varint()
        return number >> 1 ^ -(number & 1)
