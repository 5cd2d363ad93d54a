"""Which products a filter by category is about: people write a category, or one of its kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from weighbridge.errors import InputError
from weighbridge.plain_text import listed
from weighbridge.steps.classification import subcategory_labels
from weighbridge.store import listing
from weighbridge.weighing.near_matches import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.carbon.taxonomy import Taxonomy
    from weighbridge.store.database import Database
    from weighbridge.store.listing import Filter

_NAMED: Final = 30


async def understood(database: Database, taxonomy: Taxonomy, wanted: Filter) -> Filter:
    """The filter with its category as it is stored: in any case of letters, or as a subcategory,
    which narrows it to the products of that.

    Raises InputError for a category that there is not; the message has the nearest names.
    """
    if not wanted.category or wanted.subcategory:
        return wanted
    found = _found(wanted.category, _places(taxonomy))
    if found is None:  # of an earlier taxonomy
        async with database.pool.acquire() as connection:
            stored = await listing.categories(connection)
        found = _found(wanted.category, {name: (name, "") for name in stored})
    if found is None:
        raise InputError(_unknown(wanted.category, taxonomy))
    category, subcategory = found
    return replace(wanted, category=category, subcategory=subcategory)


def written(wanted: Filter) -> str:
    """The category of a filter as `understood` reads it."""
    if wanted.subcategory and wanted.category:
        return f"{wanted.subcategory} ({wanted.category})"
    return wanted.subcategory or wanted.category


def _places(taxonomy: Taxonomy) -> dict[str, tuple[str, str]]:
    """(category, subcategory) by all that people may call them; the plain name of a subcategory
    that several categories have stands for all of them.
    """
    kinds = _kinds(taxonomy)
    labels = subcategory_labels(kinds)
    found = dict(labels)
    found |= {name: ("", name) for _, name in labels.values() if name not in labels}
    found |= {f"{name} ({category})": (category, name) for category, name in labels.values()}
    return found | {category: (category, "") for category in kinds}


def _kinds(taxonomy: Taxonomy) -> dict[str, list[str]]:
    return {name: list(one.subcategories) for name, one in taxonomy.categories.items()}


def _found(text: str, places: Mapping[str, tuple[str, str]]) -> tuple[str, str] | None:
    if text in places:
        return places[text]
    wanted = _folded(text)
    same = {place for name, place in places.items() if _folded(name) == wanted}
    return same.pop() if len(same) == 1 else None


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace("&", " and ").split())


def _unknown(text: str, taxonomy: Taxonomy) -> str:
    kinds = _kinds(taxonomy)
    names = {name: name for name in kinds} | {
        label: name for label, (_, name) in subcategory_labels(kinds).items()
    }
    meant = did_you_mean([text], names) or f" There are: {listed(list(kinds), _NAMED)}."
    return f"There is no category {text[:60]!r}.{meant}"
