"""Rates: what contributions are multiplied by, and where that is from. Stored once each; footprints
name them.

A rate's number is made of its content: whoever writes a footprint knows it without asking, on
whichever machine, and the same number never means something else. There are a few thousand at most,
and none is ever taken away.

A field of `Contribution` that is not a column of `rates` is stored with each footprint, under its
name: a new field needs nothing here.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.domain.results import Contribution
    from weighbridge.store.database import Connection

Rate = tuple[Any, ...]
"""The values of `RATE_FIELDS`."""

RATE_FIELDS: Final = (
    "kind",
    "factor_key",
    "activity_unit",
    "factor",
    "source",
    "source_id",
    "year",
    "region",
    "licence",
    "is_proxy",
)
"""The columns of the table beside its number, and the fields of a contribution that it holds for
all products.
"""

_COLUMNS: Final = ", ".join(RATE_FIELDS)
_REMEMBERED: Final = 16_384
_rate_of: Final = attrgetter(*RATE_FIELDS)


def number_rate(contribution: Contribution, rates: dict[int, Rate]) -> int:
    """The number of its rate, which must be stored too and is put into `rates`."""
    rate: Rate = _rate_of(contribution)
    number = _number_of(rate)
    rates[number] = rate
    return number


@lru_cache(_REMEMBERED)
def _number_of(rate: Rate) -> int:
    digest = hashlib.sha256(orjson.dumps(rate)).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def insert_rates(connection: Connection, rates: Mapping[int, Rate]) -> None:
    """Store those that are not there yet: nearly always none, so that only their numbers are sent.

    In order, so that two writers never wait for each other in a circle.
    """
    unknown = await connection.fetch(
        "SELECT number FROM unnest($1::bigint[]) AS number WHERE NOT EXISTS (SELECT FROM rates "
        "WHERE id = number) ORDER BY number",
        list(rates),
    )
    if unknown:
        await connection.execute(
            f"INSERT INTO rates (id, {_COLUMNS}) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[],"  # noqa: S608
            " $5::float8[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], "
            "$11::boolean[]) ON CONFLICT DO NOTHING",
            *zip(*((number, *rates[number]) for (number,) in unknown), strict=True),
        )


async def load_rates(connection: Connection, numbers: Iterable[int]) -> dict[int, Rate]:
    """By number."""
    rows = await connection.fetch(
        f"SELECT id, {_COLUMNS} FROM rates WHERE id = ANY($1::bigint[])",  # noqa: S608
        list(numbers),
    )
    return {row["id"]: tuple(row[name] for name in RATE_FIELDS) for row in rows}
