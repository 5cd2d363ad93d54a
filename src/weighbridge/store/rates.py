"""Rates: the factors of contributions, with their sources. Each is stored once, and footprints
refer to it by its number.

A rate's number is a hash of its content: whoever writes a footprint knows it without asking, on
whichever machine, and the same number never means something else. There are a few thousand at most,
and none is ever deleted. A field of `Contribution` that is not a column of `rates` is stored with
each footprint, under its name: a new field needs nothing here.
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
"""The fields of a contribution that are stored in its rate: the columns of the table beside the
number.
"""

_COLUMNS: Final = ", ".join(RATE_FIELDS)
_REMEMBERED: Final = 16_384
_rate_of: Final = attrgetter(*RATE_FIELDS)


def number_rate(contribution: Contribution, rates: dict[int, Rate]) -> int:
    """The number of a contribution's rate. The rate is put into `rates`, which the caller must
    store too.
    """
    rate: Rate = _rate_of(contribution)
    number = _number_of(rate)
    rates[number] = rate
    return number


@lru_cache(_REMEMBERED)
def _number_of(rate: Rate) -> int:
    """A hash of the rate."""
    digest = hashlib.sha256(orjson.dumps(rate)).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def insert_rates(connection: Connection, rates: Mapping[int, Rate]) -> None:
    """Store the rates that are not stored yet. Nearly always all are: only their numbers are sent
    to find out.

    In order of number, so that two writers never end in a deadlock.
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
    """Number → the rate."""
    rows = await connection.fetch(
        f"SELECT id, {_COLUMNS} FROM rates WHERE id = ANY($1::bigint[])",  # noqa: S608
        list(numbers),
    )
    return {row["id"]: tuple(row[name] for name in RATE_FIELDS) for row in rows}
