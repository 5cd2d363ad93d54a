"""The codes of the products that a request selects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.api.errors import InvalidField
from weighbridge.errors import NotFound
from weighbridge.service.views.listing import completed_codes

if TYPE_CHECKING:
    from weighbridge.api.context import ApiContext
    from weighbridge.api.schemas.selection import SelectionInput


async def selected_codes(context: ApiContext, asked: SelectionInput) -> list[str]:
    """Raises InvalidField for codes and filter at once, or neither; NotFound when nothing fits."""
    if (asked.codes is None) == (asked.filter is None):
        raise InvalidField("codes", "Give codes or a filter, and not both.")
    words = asked.codes or []
    if asked.filter is not None:
        words = [asked.filter.category, asked.filter.search]
        if not any(words):
            raise InvalidField("filter", "Give a category or words to search for.")
    if any("\0" in word for word in words):
        raise InvalidField("codes", "A text cannot contain a NUL character.")
    if asked.codes is not None:
        return asked.codes
    found = await completed_codes(context.database, *words)
    if not found:
        raise NotFound("No completed product fits the filter.")
    return found
