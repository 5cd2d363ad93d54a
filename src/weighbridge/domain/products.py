"""A product, the states it passes through, and a row of a catalogue that could not become a
product.

First stop of the flow: `ingest/` makes these, everything else takes them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.facts import NO_FACTS, ProductFacts

if TYPE_CHECKING:
    from collections.abc import Mapping


class ProcessingStatus(StrEnum):
    """Where a product stands. The values are part of the HTTP contract (`aiProcessingStatus`)."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class ProductEvent(StrEnum):
    """What can happen to a product."""

    CHANGED = "changed"  # an upload changed something that matters to the result
    ENQUEUED = "enqueued"  # a job was made for its group
    RELEASED = "released"  # the queue stopped, or its job is gone
    CALCULATED = "calculated"  # all steps answered, footprint stored
    GAVE_UP = "gave up"  # no attempt left, or nothing can be done
    RESET = "reset"  # a person asked for another try of what failed
    REDONE = "redone"  # a person asked for everything again
    REOPENED = "reopened"  # its footprint came from the simulator, and a real provider takes over


_PENDING, _PROCESSING = ProcessingStatus.PENDING, ProcessingStatus.PROCESSING
_COMPLETED, _FAILED = ProcessingStatus.COMPLETED, ProcessingStatus.FAILED

TRANSITIONS: Final[dict[tuple[ProcessingStatus, ProductEvent], ProcessingStatus]] = {
    (_PENDING, ProductEvent.CHANGED): _PENDING,
    (_PROCESSING, ProductEvent.CHANGED): _PENDING,
    (_COMPLETED, ProductEvent.CHANGED): _PENDING,
    (_FAILED, ProductEvent.CHANGED): _PENDING,
    (_PENDING, ProductEvent.ENQUEUED): _PROCESSING,
    (_PROCESSING, ProductEvent.RELEASED): _PENDING,
    (_PROCESSING, ProductEvent.CALCULATED): _COMPLETED,
    (_PROCESSING, ProductEvent.GAVE_UP): _FAILED,
    (_FAILED, ProductEvent.RESET): _PENDING,
    (_COMPLETED, ProductEvent.REDONE): _PENDING,
    (_FAILED, ProductEvent.REDONE): _PENDING,
    (_COMPLETED, ProductEvent.REOPENED): _PENDING,
}
"""The whole state machine. What is not in this table cannot happen: `store/transitions.py` writes
the SQL of every change of state from it.
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A checked image file, named by its content. The bytes are stored once per content."""

    sha256: str  # hex
    media_type: str  # image/jpeg, image/png, image/webp or image/gif
    width_px: int
    height_px: int
    size_bytes: int


MOST_PICTURES: Final = 4
"""How many pictures one product may have, and one call may show, at most."""


def picture_as_stored(picture: Picture | str) -> dict[str, Any]:
    """A picture as the column `products.more_pictures` has it: {"url": its address}, or the fields
    of a `Picture` that we hold.
    """
    return {"url": picture} if isinstance(picture, str) else asdict(picture)


def picture_from_stored(stored: Mapping[str, Any]) -> Picture | str:
    """Reads what `picture_as_stored` wrote. Names that a newer program added are passed over."""
    if "url" in stored:
        return str(stored["url"])
    return Picture(**{one.name: stored[one.name] for one in fields(Picture)})


@dataclass(frozen=True, slots=True)
class Product:
    """One record of a catalogue, as its owner describes it.

    `image_url` is an http(s) address that goes to the provider as it is; `picture` is an image
    whose bytes we hold. At most one of the two is set. `more_pictures` are further ones of either
    kind. `weight_kg` None means that nobody told us.
    """

    code: str
    name: str
    description: str
    weight_kg: float | None = None
    image_url: str | None = None
    picture: Picture | None = None
    country_of_origin: str | None = None  # ISO 3166-1 alpha-2
    facts: ProductFacts = NO_FACTS
    more_pictures: tuple[Picture | str, ...] = ()

    @property
    def pictures(self) -> tuple[Picture | str, ...]:
        """All pictures, each an address or one that we hold; the best first."""
        first = self.picture or self.image_url
        return self.more_pictures if first is None else (first, *self.more_pictures)

    @property
    def has_image(self) -> bool:
        """Whether a call for this product carries an image (such calls are not shared)."""
        return bool(self.pictures)

    def question_fingerprint(self) -> str:
        """A hash of everything that the model is shown: an answer is valid while it is unchanged.

        The country is left out: it changes the electricity factor, not the question.
        """
        return hashlib.sha256(_encoded([self.code, *self._shown()]).encode()).hexdigest()[:32]

    def content(self) -> str:
        """Everything that the model is shown of the product but its code, as JSON: two products
        with the same content get the same answer.
        """
        return _encoded(self._shown())

    def _shown(self) -> list[Any]:
        """What the model is shown of the product but its code."""
        image = self.picture.sha256 if self.picture else self.image_url
        shown: list[Any] = [self.name, self.description, self.weight_kg, image]
        if facts := self.facts.shown():
            shown.append(facts)
        if self.more_pictures:  # absent where there are none, as before there could be any
            names = [one if isinstance(one, str) else one.sha256 for one in self.more_pictures]
            shown.append({"more_pictures": names})
        return shown


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""Writes JSON. Made once: `json.dumps` makes a new encoder for every call with these options."""


def _encoded(shown: list[Any]) -> str:
    return _ENCODER.encode(shown)


@dataclass(frozen=True, slots=True)
class FieldLimits:
    """How long the text fields of a product may be, in characters: in files and in API requests
    alike.

    These are the defaults of the settings `WEIGHBRIDGE_MAX_…_CHARACTERS`.
    """

    code: int = 200
    name: int = 500
    description: int = 20_000
    image_url: int = 2_000


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that could not become a product, and what to do about it.

    `row` counts as a person does in the file: the header is row 1 in CSV and XLSX, and the first
    record of JSON, JSONL and Parquet is row 1.
    """

    row: int
    field: str  # our name of the field, such as weight or imageUrl; "row" for all of it
    reason: str
    code: str | None = None  # the product code in that row, where one could be read
    sheet: str | None = None  # of a workbook
    column: str | None = None  # the header of the file


@dataclass(frozen=True, slots=True)
class RowNote:
    """A remark on a cell that was left out, or whose meaning is doubtful; its product was kept.

    Numbered like a RejectedRow. `reason` says what was found and what to do.
    """

    row: int
    field: str
    reason: str
    code: str | None = None
    sheet: str | None = None
    column: str | None = None
    found: str | None = None  # the cell, shortened

    def as_stored(self) -> dict[str, Any]:
        """The fields that are known, for `products.notes`; without the code, which the
        product has.
        """
        known = {
            "row": self.row,
            "sheet": self.sheet,
            "column": self.column,
            "field": self.field,
            "found": self.found,
            "reason": self.reason,
        }
        return {name: value for name, value in known.items() if value is not None}
