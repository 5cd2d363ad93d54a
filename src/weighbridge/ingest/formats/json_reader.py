"""Reads JSON: an array of objects, an object with one list of objects somewhere inside
({"products": [...]}, {"data": {"items": [...]}}), products by their code ({"A-1": {...}}), or JSONL
(one object a line).

Arrays and JSONL are streamed; an object around the list is read as a whole, up to a limit.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TextIO

from typing_extensions import override

from weighbridge.domain.products import RejectedRow
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.base import (
    NO_CHOICES,
    CatalogueFormat,
    Choices,
    RawChunk,
    Reader,
    Source,
)
from weighbridge.ingest.formats.json_attributes import without_scopes
from weighbridge.ingest.formats.json_keyed import is_product, keyed_products
from weighbridge.ingest.formats.json_records import ChunkEnd, NumberText, chunks_of_records
from weighbridge.ingest.formats.json_variants import one_for_each_variant
from weighbridge.ingest.formats.text_encoding import find_encoding
from weighbridge.ingest.values.wording import quote_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from weighbridge.ingest.columns.matching import Wanted
    from weighbridge.ingest.formats.json_records import Entry

MAX_OBJECT_FILE_BYTES: Final = 64 << 20
MAX_RECORD_CHARACTERS: Final = 1 << 20
LIST_KEY: Final = "products"
_DEEPEST_LIST: Final = 4

CHUNK_CHARACTERS: Final = 4 << 20
"""A chunk ends after this many characters, however few records they hold."""
_BLOCK_CHARACTERS: Final = 1 << 20
_SPACE: Final = re.compile(r"[ \t\r\n]*")


def _float_text(literal: str) -> str:
    """A number as it is written, without a needless ".0"."""
    return NumberText(literal.removesuffix(".0"))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object as a dictionary; a key that has several different values gets a list of them.

    The json module would keep the last one without telling.
    """
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    values: dict[str, list[object]] = {}
    for key, value in pairs:
        same = values.setdefault(key, [])
        if value not in same:
            same.append(value)
    return {key: same[0] if len(same) == 1 else same for key, same in values.items()}


# Numbers stay as they were written: 1.50 is not turned into 1.5, and no number is too long to
# convert.
_DECODER: Final = json.JSONDecoder(
    parse_float=_float_text,
    parse_int=NumberText,
    parse_constant=str,
    object_pairs_hook=_object,
)


class JsonReader(Reader):
    """A JSON or JSONL file. The first record, or the first line of JSONL, is row 1."""

    def __init__(self, path: Path, choices: Choices = NO_CHOICES) -> None:
        self._path = path
        self._found = find_encoding(path, choices.encoding)
        self._encoding = self._found.codec
        self._kind = CatalogueFormat.JSON

    @override
    def source(self, wanted: Wanted) -> Source:
        next(self.chunks(wanted), None)
        return Source(self._kind, self._found.name, self._found.certainty)

    @override
    def chunks(self, wanted: Wanted) -> Iterator[RawChunk]:
        with self._path.open(encoding=self._encoding, errors="replace") as file:
            records = one_for_each_variant(without_scopes(self._records(file)))
            yield from chunks_of_records(records, wanted)

    def _records(self, file: TextIO) -> Iterator[Entry]:
        """The entries, read as an array, JSONL or one object, whichever the first line shows.

        Raises:
            UnreadableFile: the file is empty.
        """
        first_line = ""
        while not first_line.strip():
            first_line = file.readline(MAX_RECORD_CHARACTERS)
            if not first_line:
                raise UnreadableFile("The file is empty.")
        file.seek(0)
        if first_line.lstrip().startswith("["):
            return _unwrapped(_array(file))
        try:
            first = _decode(first_line)
        except ValueError:
            return self._object(file)
        if isinstance(first, dict) and LIST_KEY not in first and not _products_by_path(first):
            self._kind = CatalogueFormat.JSONL
            return _lines(file)
        return self._object(file)

    def _object(self, file: TextIO) -> Iterator[Entry]:
        """The entries of a file that is one object: those of the list in it, or the object
        itself.
        """
        if self._path.stat().st_size > MAX_OBJECT_FILE_BYTES:
            raise UnreadableFile(
                f"A JSON file of more than {MAX_OBJECT_FILE_BYTES >> 20} MB must be an array of "
                "objects or JSONL (one object a line)."
            )
        try:
            whole = _decode(file.read())
        except json.JSONDecodeError as error:
            raise UnreadableFile(
                f"The JSON is damaged at line {error.lineno:,}, column {error.colno:,}: "
                f"{error.msg}. Correct it, or export it again."
            ) from error
        except ValueError as error:
            raise UnreadableFile(f"The JSON cannot be read: {error}. Export it again.") from error
        if not isinstance(whole, dict):
            raise UnreadableFile("The JSON holds a single value; expected an array of objects.")
        products = whole.get(LIST_KEY) if LIST_KEY in whole else whole
        if isinstance(products, dict):
            products = _records_in(products)
        if not isinstance(products, list):
            raise UnreadableFile(
                f'"{LIST_KEY}" in the JSON is not a list; expected an array of objects.'
            )
        yield from _unwrapped(enumerate(products, start=1))


def _products_by_path(value: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The lists of objects within an object, and its objects of products by code, by their path
    (`data.items`).

    Only those of the uppermost level that has any; {} if the object is a product itself.
    """
    if is_product(value):
        return {}
    level: list[tuple[str, Any]] = [("", value)]
    for _ in range(_DEEPEST_LIST + 1):
        found = {at: products for at, part in level if (products := _products_of(part))}
        if found:
            return found
        level = [
            (f"{at}.{key}".lstrip("."), inner)
            for at, part in level
            if isinstance(part, dict)
            for key, inner in part.items()
        ]
    return {}


def _products_of(part: object) -> list[Any] | None:
    """The objects of a list, or the products that an object holds by code; None for all else."""
    if isinstance(part, dict):
        return keyed_products(part)
    if isinstance(part, list) and part and all(isinstance(one, dict) for one in part):
        return part
    return None


def _records_in(whole: Mapping[str, Any]) -> list[Any]:
    """The products in an object: those of the only list or object of products, or itself."""
    lists = _products_by_path(whole)
    if len(lists) > 1:
        raise UnreadableFile(
            f"The JSON holds several lists of objects: {quote_all(lists)}. Keep only the list "
            f'with the products, or name it "{LIST_KEY}".'
        )
    return next(iter(lists.values()), [whole])


def _unwrapped(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, each record without an object around it."""
    for entry in entries:
        if isinstance(entry, ChunkEnd | RejectedRow):
            yield entry
        else:
            yield entry[0], _without_wrapper(entry[1])


def _without_wrapper(record: Any) -> Any:
    """The object inside a record such as {"product": {…}} or GraphQL's {"node": {…}}.

    Any other record as it is.
    """
    if isinstance(record, dict) and len(record) <= 2:
        inner = [part for part in record.values() if isinstance(part, dict)]
        if len(inner) == 1 and (len(record) == 1 or "node" in record):
            return inner[0]
    return record


def _decode(text: str) -> object:
    """Like `json.loads`, with numbers as text; too deep nesting is a ValueError too."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _lines(file: TextIO) -> Iterator[Entry]:
    """One entry a line, counted from 1. Blank lines are skipped, unreadable ones rejected."""
    row = characters = 0
    while line := file.readline(MAX_RECORD_CHARACTERS):
        row += 1
        characters += len(line)
        if characters > CHUNK_CHARACTERS:
            yield ChunkEnd.HERE
            characters = len(line)
        if len(line) == MAX_RECORD_CHARACTERS and not line.endswith("\n"):
            yield RejectedRow(
                row,
                "row",
                f"the line is longer than {MAX_RECORD_CHARACTERS:,} characters; shorten it",
            )
            while line and not line.endswith("\n"):
                line = file.readline(MAX_RECORD_CHARACTERS)
        elif line.strip():
            try:
                yield row, _decode(line)
            except json.JSONDecodeError as error:
                yield RejectedRow(
                    row,
                    "row",
                    f"the line is not valid JSON at column {error.colno:,}: {error.msg}; correct it",
                )
            except ValueError as error:
                yield RejectedRow(row, "row", f"the line cannot be read: {error}")


def _array(file: TextIO) -> Iterator[Entry]:
    """The elements of a JSON array, decoded one by one as the file is read."""
    window = _Window(file)
    window.take("[")
    row = 0
    if window.peek() == "]":
        window.take("]")
    else:
        while True:
            row += 1
            yield row, window.value(row)
            if window.is_full:
                yield ChunkEnd.HERE
            if window.peek() == "]":
                window.take("]")
                break
            window.take(",")
    if window.peek():
        raise UnreadableFile(
            f"The JSON goes on behind the end of its array, after record {row:,}. Put all products "
            "into one array."
        )


class _Window:
    """Decodes the JSON values of a text file one after the other, reading it block by block."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._more = True
        self._blocks = 0

    @property
    def is_full(self) -> bool:
        """Whether a chunk's worth of text was read since this was last true."""
        if self._blocks * _BLOCK_CHARACTERS < CHUNK_CHARACTERS:
            return False
        self._blocks = 0
        return True

    def peek(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or not self._read():
                return self._text[self._at : self._at + 1]

    def take(self, expected: str) -> None:
        """Moves past the next character, which must be this one."""
        found = self.peek()
        if found != expected:
            instead = f"{found!r}" if found else "the end of the file"
            raise UnreadableFile(
                f"The JSON is damaged or not complete: expected {expected!r} and found {instead}. "
                f"Export it again."
            )
        self._at += 1

    def value(self, row: int) -> object:
        """Decodes the next value, reading on as long as it might only be cut off."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise UnreadableFile(
                    f"Record {row:,} of the JSON is nested too deeply. Write it without nesting."
                ) from None
            except json.JSONDecodeError as error:
                too_long = len(self._text) - self._at > MAX_RECORD_CHARACTERS
                if too_long or not self._read():
                    raise UnreadableFile(
                        f"The JSON is damaged in record {row:,}: {error.msg}. Correct it, or "
                        f"export it again."
                    ) from error
            else:
                if (
                    end < len(self._text) or not self._read()
                ):  # a number at the very end might go on
                    self._at = end
                    return value

    def _read(self) -> bool:
        """Read the next block and drop what was decoded; False at the end of the file."""
        block = self._file.read(_BLOCK_CHARACTERS) if self._more else ""
        self._more = bool(block)
        self._blocks += 1
        self._text = self._text[self._at :] + block
        self._at = 0
        return bool(block)
