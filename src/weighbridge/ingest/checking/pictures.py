"""The pictures of each row: up to four addresses, or files beside the catalogue."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.domain.products import MOST_PICTURES, picture_as_stored
from weighbridge.errors import InputError
from weighbridge.ingest.checking.optional import ReadColumn, by_distinct
from weighbridge.ingest.checking.required import length_reason
from weighbridge.ingest.values.lists import listed_texts
from weighbridge.ingest.values.nothing import placeholder_note
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.ingest.values.pictures import PictureFile, PictureFolder

BETWEEN_PICTURES: Final = "\n"
"""Separates the pictures of one product in a cell; no address contains it."""
MOST_BYTES: Final = 30_000_000
"""The most bytes that the picture files of one product may have together.

A provider takes 50 MB in a request, in which a file's bytes grow by a third.
"""
HTTP_URL: Final = r"^(?i:https?)://(?:[^\s/?#@:\\\[\]\"<>]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][^\s\"<>\\]*)?$"
_URL: Final = re.compile(HTTP_URL)
_HTTP_WITH_USER: Final = re.compile(r"(?i:https?)://[^/?#]*@")
_OTHER_ADDRESS: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+:|//)")
_INLINE: Final = re.compile(r"\s*data:", re.IGNORECASE)
_INLINE_REASON: Final = (
    "the picture itself stands in the cell (data:…); save it as a file beside the catalogue, or "
    "write its http(s) address"
)
_SEVERAL: Final = re.compile(
    r"[|;\n]|::(?=https?://)|,\s*(?=https?://)|\s(?=https?://)|,\s*(?=[^\s,]+\.(?:jpe?g|png|webp|gif)\b)",
    re.IGNORECASE,
)


def read_pictures(
    cells: pl.Series, limit: int, folder: PictureFolder | None
) -> tuple[ReadColumn, dict[str, PictureFile]]:
    """(the pictures of each row, the files among them by the path that the cell gives).

    The pictures of a row are addresses or paths, separated by BETWEEN_PICTURES. `folder` is where
    relative paths lead; None refuses them.
    """
    plain = (
        cells.str.contains(HTTP_URL)
        & (cells.str.len_bytes() <= limit)
        & ~cells.str.contains(r",https?://|[|;]https?://|::https?://|[,;|]$")
    )
    files: dict[str, PictureFile] = {}

    def usable_and_problems(cell: str) -> tuple[str | None, str | None]:
        """(the usable pictures of a cell, what is wrong with the others)."""
        placeholder = placeholder_note(cell)
        if placeholder is not None:
            return None, placeholder or None
        if _INLINE.match(cell):
            return None, _INLINE_REASON
        parts = listed_texts(cell) or [part.strip(" ,") for part in _SEVERAL.split(cell)]
        cleaned = (part for part in parts if part and placeholder_note(part) is None)
        named = tuple(dict.fromkeys(cleaned)) or (cell,)
        used, problems = _usable_pictures(named, limit, folder, files)
        if len(named) > 1 and len(used) < len(named):
            problems = [f"{len(used)} of {len(named)} pictures used", *problems]
        return BETWEEN_PICTURES.join(used) or None, "; ".join(problems) or None

    frame = pl.DataFrame({"cell": cells, "plain": plain})
    others = frame.select(pl.when(~pl.col("plain")).then("cell")).to_series()
    slow = by_distinct(others, usable_and_problems, pl.String())
    both = frame.with_columns(slow=slow.values)
    values = both.select(pl.when("plain").then("cell").otherwise("slow")).to_series()
    return ReadColumn(values, slow.problems), files


def _usable_pictures(
    named: tuple[str, ...], limit: int, folder: PictureFolder | None, files: dict[str, PictureFile]
) -> tuple[list[str], list[str]]:
    """(the pictures that can be used, at most MOST_PICTURES; what is wrong with the others).

    Files that are used are added to `files`.
    """
    used: list[str] = []
    problems: list[str] = []
    size_bytes = 0
    for text in named:
        if len(used) == MOST_PICTURES:
            break
        problem = _address_problem(text, limit)
        if problem is None and not _URL.match(text):
            try:
                file = _find_picture(text, folder)
            except InputError as error:
                problem = f"{quote(text)}: {error}"
            else:
                size_bytes += file.picture.size_bytes
                if used and size_bytes > MOST_BYTES:
                    problem = f"{quote(text)}: the pictures of the product have more than {MOST_BYTES // 1_000_000} MB together; use smaller ones"
                else:
                    files[text] = file
        if problem is None:
            used.append(text)
        else:
            problems.append(problem)
    return used, problems


def further_as_json(values: pl.Series, files: Mapping[str, PictureFile]) -> pl.Series:
    """All pictures of each row but the first, as JSON for `products.more_pictures`; null if
    none.
    """

    def further(text: str) -> tuple[str, None]:
        names = text.split(BETWEEN_PICTURES)[1:]
        pictures = (files[name].picture if name in files else name for name in names)
        return json.dumps([picture_as_stored(picture) for picture in pictures]), None

    several = values.str.contains(BETWEEN_PICTURES, literal=True)
    frame = pl.DataFrame({"text": values, "several": several})
    with_several = frame.select(pl.when("several").then("text")).to_series()
    return by_distinct(with_several, further, pl.String()).values


def _address_problem(text: str, limit: int) -> str | None:
    """Why the address cannot be used; None if it can, or if it is a path beside the catalogue."""
    if len(text) > limit:
        return length_reason(limit)(text)
    if _HTTP_WITH_USER.match(text):
        return "the address contains a user name or password; use an address that works without"
    if not _URL.match(text) and (
        _OTHER_ADDRESS.match(text) or re.search(r"[\x00-\x1f\x7f-\x9f\ufffd]", text)
    ):
        return f"{quote(text)} is not an address that can be fetched; use http(s)://…, with %20 for a space, or a path beside the catalogue"
    return None


def _find_picture(path: str, folder: PictureFolder | None) -> PictureFile:
    """The file at a path in the folder; raises InputError if it cannot be used, or in uploads."""
    if folder is None:
        raise InputError(
            "paths of files are not followed in uploads; use an http(s) address, or upload the "
            "picture to the product"
        )
    return folder.find(path)
