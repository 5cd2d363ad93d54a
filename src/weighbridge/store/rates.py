"""Rates: what contributions are multiplied by, and where that is from. Stored once each; footprints name them.

A rate's number is made of its content: whoever writes a footprint knows it without asking, on whichever machine, and
the same number never means something else. There are a few thousand at most, and none is ever taken away.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from weighbridge.domain.results import Contribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.store.database import Connection

Rate = tuple[Any, ...]
"""The first fields of a contribution: those that are not the product's own."""
StoredContribution = tuple[Any, ...]
"""The number of a rate, and then the fields that are."""

_OWN_FROM: Final = Contribution._fields.index("label")
_REMEMBERED: Final = 16_384


def shorten(contribution: Contribution, rates: dict[int, Rate]) -> StoredContribution:
    """The form in which it is stored. Its rate, which must be stored too, is put into `rates`."""
    rate = contribution[:_OWN_FROM]
    number = _number_of(rate)
    rates[number] = rate
    return (number, *contribution[_OWN_FROM:])


def lengthen(stored: StoredContribution, rates: Mapping[int, Rate]) -> dict[str, Any]:
    """The contribution again, by field."""
    number, *own = stored
    return dict(zip(Contribution._fields, (*rates[number], *own), strict=True))


@lru_cache(_REMEMBERED)
def _number_of(rate: Rate) -> int:
    digest = hashlib.sha256(orjson.dumps(rate)).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def insert_rates(connection: Connection, rates: Mapping[int, Rate]) -> None:
    """Store those that are not there yet: nearly always none, so that only their numbers are sent.

    In order, so that two writers never wait for each other in a circle.
    """
    unknown = await connection.fetch(
        "SELECT number FROM unnest($1::bigint[]) AS number"
        " WHERE NOT EXISTS (SELECT FROM rates WHERE id = number) ORDER BY number",
        list(rates),
    )
    if unknown:
        await connection.execute(
            "INSERT INTO rates (id, kind, factor_key, activity_unit, factor, source, source_id, year, region, licence,"
            " is_proxy) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[],"
            " $7::text[], $8::text[], $9::text[], $10::text[], $11::boolean[]) ON CONFLICT DO NOTHING",
            *zip(*((number, *rates[number]) for (number,) in unknown), strict=True),
        )


async def load_rates(connection: Connection, numbers: Iterable[int]) -> dict[int, Rate]:
    """By number."""
    rows = await connection.fetch(
        "SELECT id, kind, factor_key, activity_unit, factor, source, source_id, year, region, licence, is_proxy"
        " FROM rates WHERE id = ANY($1::bigint[])",
        list(numbers),
    )
    return {row["id"]: tuple(row)[1:] for row in rows}
