"""Reads request bodies with a size limit: small ones into memory, files into a temporary file.

An uploaded file's name is only shown, never used as a path.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from weighbridge.api.errors import BodyTooLarge, InvalidField, MalformedRequest
from weighbridge.errors import UnsupportedFormat
from weighbridge.service.upkeep.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import Request

JSON_BYTES: Final = 1_000_000
"""The most bytes of a JSON body, unless a route sets another limit."""
LONGEST_INTEGER: Final = 1_000
"""Integers with this many digits or more are read as floats."""
FLUSH_BYTES: Final = 1 << 20
SMALL_FIELD_BYTES: Final = 10_000
"""The most bytes of a form field that is not a file."""
MOST_PARTS: Final = 100
"""How many parts (fields and files) a form may have."""
SHOWN_NAME: Final = 120
"""The most characters of a file name that are shown, counted from its end."""
FILE_TYPES: Final = {
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.apache.parquet": "parquet",
}
"""Format by media type, for a request whose body is the catalogue file itself."""
PICTURE_TYPES: Final = {
    "image/jpeg": "jpeg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
}


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: as soon as the limit is exceeded.
        UnsupportedFormat: the body is compressed.
    """
    parts = [part async for part in _limited(request, limit_bytes)]
    return b"".join(parts)


async def read_json(request: Request, limit_bytes: int = JSON_BYTES) -> Any:
    """The body as JSON. A missing content type counts as JSON.

    Raises:
        BodyTooLarge: it exceeds the limit.
        InvalidField: it is empty, or not valid JSON.
        UnsupportedFormat: its content type is not JSON, or it is compressed.
    """
    media_type = _media_type(request)[0]
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedFormat(
            f"The content type is {media_type[:100]}; send JSON as Content-Type: application/json."
        )
    data = await read_body(request, limit_bytes)
    if not data.strip():
        raise InvalidField("body", "The body is empty; send a JSON object.")
    try:
        return json.loads(data, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        why = str(error)
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    except RecursionError:
        why = "it is nested too deeply"
    raise InvalidField("body", f"The body is not valid JSON: {why}.")


def _integer(digits: str) -> int | float:
    """The number; as a float if it is too long for `int`, so that a later range check refuses
    it.
    """
    return int(digits) if len(digits) < LONGEST_INTEGER else float(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The JSON object. Raises InvalidField for a name that is in it twice, because programs
    disagree on which of the two values counts.
    """
    read = dict(pairs)
    if len(read) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        repeated = next(name for name, count in counts.items() if count > 1)
        raise InvalidField(repeated, f"{repeated} is given more than once; give it once.")
    return read


def _media_type(request: Request) -> tuple[str, dict[bytes, bytes]]:
    """(content type in lower case, its options such as charset or boundary)."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    return kind.decode("latin-1").lower(), options


async def _limited(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body piece by piece.

    Raises:
        BodyTooLarge: its Content-Length or the bytes received exceed the limit.
        UnsupportedFormat: it is compressed.
    """
    encoding = request.headers.get("content-encoding") or "identity"
    if encoding.lower() != "identity":
        raise UnsupportedFormat(
            f"The body has the content encoding {encoding[:40]}; send it uncompressed."
        )
    too_large = BodyTooLarge(
        f"The body is larger than this server's limit of {limit_bytes:,} bytes; send a smaller one."
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit_bytes:
        raise too_large
    received = 0
    async for part in request.stream():
        received += len(part)
        if received > limit_bytes:
            raise too_large
        if part:
            yield part


@dataclass(slots=True)
class ReceivedFile:
    """An uploaded file on disk, with the other fields of its form.

    `name` is the user's name for the file; with `format_name` None its format has to be detected.
    """

    path: Path
    name: str
    format_name: str | None
    fields: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def receive_file(
    request: Request, data_dir: Path, limit_bytes: int, *, pictures: bool = False
) -> AsyncIterator[ReceivedFile]:
    """The uploaded file, in a folder of its own that is deleted at the end.

    Takes multipart/form-data (the first part with a file name) or the file itself as the body.

    Raises:
        BodyTooLarge: it exceeds the limit.
        MalformedRequest: the form is malformed or cut off.
        UnsupportedFormat: its content type is not accepted, or it is compressed.
        InvalidField: the form has no file, more than one, or a field that is too long.
    """
    media_type, options = _media_type(request)
    file_types = PICTURE_TYPES if pictures else FILE_TYPES
    if media_type != "multipart/form-data" and media_type not in file_types:
        raise UnsupportedFormat(
            "Send the file as multipart/form-data (field file), or as the body with one of these "
            f"content types: {', '.join(file_types)}."
        )
    async with scratch_folder(data_dir) as folder:
        path = folder / "upload"
        if media_type == "multipart/form-data":
            boundary = options.get(b"boundary")
            if not boundary or len(boundary) > 256:
                raise MalformedRequest(
                    "The content type multipart/form-data has no boundary, or one of more than 256 "
                    "characters. Let the HTTP client set this header."
                )
            yield await _receive_multipart(request, path, boundary, limit_bytes)
        else:
            with path.open("wb") as file:
                async for piece in _gathered(_limited(request, limit_bytes)):
                    await asyncio.to_thread(file.write, piece)
            yield ReceivedFile(path, "the request body", file_types[media_type])


async def _gathered(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in chunks of about a megabyte, so that fewer thread switches are needed."""
    held = bytearray()
    async for part in parts:
        held += part
        if len(held) >= FLUSH_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _receive_multipart(
    request: Request, path: Path, boundary: bytes, limit_bytes: int
) -> ReceivedFile:
    """Write the form's file to `path`, and return it with the form's other fields.

    Raises:
        MalformedRequest: the body is malformed or cut off.
        InvalidField: there is no file, or more than one.
        BodyTooLarge, UnsupportedFormat: as `_limited`.
    """
    with path.open("wb") as file:
        form = _Form(file)
        parser = MultipartParser(boundary, form.callbacks())
        try:
            async for piece in _gathered(_limited(request, limit_bytes)):
                await asyncio.to_thread(parser.write, piece)
        except FormParserError as error:
            raise MalformedRequest(f"The multipart body is malformed: {error}.") from None
    if not form.is_complete:
        raise MalformedRequest(
            "The multipart body ends before its closing boundary; send it again."
        )
    if form.problem:
        raise InvalidField(form.problem[0], form.problem[1])
    if form.file_name is None:
        raise InvalidField("file", "The form has no file; send it in the field 'file'.")
    fields = {name: value.decode("utf-8", "replace") for name, value in form.fields.items()}
    return ReceivedFile(path, form.file_name, fields.get("format") or None, fields)


class _Form:
    """Receives the parts of a form: writes the first file to disk, keeps small fields in memory.

    `problem` is (field, message) once something is wrong with the form.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.file_name: str | None = None
        self.fields: dict[str, bytearray] = {}
        self.problem: tuple[str, str] | None = None
        self._parts = 0
        self._header = [bytearray(), bytearray()]
        self._headers: dict[bytes, bytes] = {}
        self._target: bytearray | BinaryIO | None = None
        self.is_complete = False

    def callbacks(self) -> Any:
        """The callbacks for `MultipartParser`, by name."""
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_end": self._on_end,
        }

    def _on_end(self) -> None:
        self.is_complete = True

    def _on_part_begin(self) -> None:
        self._parts += 1
        self._headers, self._target = {}, None
        if self._parts > MOST_PARTS:
            self.problem = ("body", f"The form has more than {MOST_PARTS} parts; send fewer.")

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = [bytearray(), bytearray()]

    def _on_headers_finished(self) -> None:
        """Choose where the part goes: the file, a field, or nowhere. A second file is a problem."""
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" in options:
            if self.file_name is None:
                self.file_name = shown_name(options[b"filename"].decode("utf-8", "replace"))
                self._target = self._file
            elif options[b"filename"]:  # browsers send an empty one for a field that was left empty
                self.problem = ("file", "The form has more than one file; send one at a time.")
        elif len(self.fields) < MOST_PARTS:
            name = options.get(b"name", b"").decode("utf-8", "replace")
            self._target = self.fields[name] = bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Store the bytes where the current part goes; too long a field is a problem."""
        target = self._target
        if isinstance(target, bytearray):
            if len(target) + end - start <= SMALL_FIELD_BYTES:
                target += data[start:end]
            else:
                self.problem = (
                    "body",
                    f"A form field is longer than {SMALL_FIELD_BYTES:,} bytes; shorten it.",
                )
        elif target is not None:
            target.write(data[start:end])


def shown_name(name: str) -> str:
    """A file name for messages: the last path component, printable and short."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in last)
    return clean[-SHOWN_NAME:] or "unnamed file"
