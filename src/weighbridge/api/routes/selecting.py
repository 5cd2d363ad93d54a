"""Finds the products that a request selects, by codes or by a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Query

from weighbridge.api.context import Context
from weighbridge.api.errors import InvalidField
from weighbridge.domain.products import ProcessingStatus
from weighbridge.errors import InputError, NotFound
from weighbridge.service.views.listing import Filter, Quality, completed_codes, understood

if TYPE_CHECKING:
    from weighbridge.api.context import ApiContext
    from weighbridge.api.schemas.selection import SelectionInput


async def selected_codes(context: ApiContext, asked: SelectionInput) -> list[str]:
    """The codes of the products that the request selects.

    Raises:
        InvalidField: it has both codes and a filter, or neither, or a text with a NUL character.
        NotFound: no completed product passes the filter.
    """
    if (asked.codes is None) == (asked.filter is None):
        raise InvalidField("codes", "Give either codes or a filter, and not both.")
    words = asked.codes or []
    if asked.filter is not None:
        words = [asked.filter.category, asked.filter.search]
        if not any(words):
            raise InvalidField("filter", "Give a category or words to search for.")
    if any("\0" in word for word in words):
        raise InvalidField("codes", "A text cannot contain a NUL character.")
    if asked.codes is not None:
        return asked.codes
    found = await _completed_codes(context, *words)
    if not found:
        raise NotFound("No completed product matches the filter.")
    return found


async def _completed_codes(context: ApiContext, category: str, search: str) -> list[str]:
    try:
        return await completed_codes(context.database, context.taxonomy, category, search)
    except InputError as error:
        raise InvalidField("filter.category", str(error)) from error


async def _list_filter(
    context: Context,
    status: Annotated[
        ProcessingStatus | None, Query(description="Only products in this state.")
    ] = None,
    search: Annotated[
        str,
        Query(max_length=200, description="Only products whose code or name contains this text."),
    ] = "",
    category: Annotated[
        str,
        Query(
            max_length=200, description="Only completed products of this category or subcategory."
        ),
    ] = "",
    supplier: Annotated[
        str, Query(max_length=200, description="Only products of this supplier.")
    ] = "",
    quality: Annotated[
        Quality | None, Query(description="Only completed products of this data quality.")
    ] = None,
    error_kind: Annotated[
        str,
        Query(
            alias="errorKind",
            max_length=200,
            description="Only products that failed with this kind of error.",
        ),
    ] = "",
    *,
    unchecked: Annotated[
        bool, Query(description="Only completed products that nobody has checked.")
    ] = False,
    corrected: Annotated[bool, Query(description="Only products that were corrected.")] = False,
    noted: Annotated[
        bool,
        Query(
            description="Only products for which the import noted something, such as a cell that was not used."
        ),
    ] = False,
) -> Filter:
    """Raises InvalidField for a text that no product can contain, and for a category that there
    is not.
    """
    words = {
        "search": search,
        "category": category,
        "supplier": supplier,
        "errorKind": error_kind,
    }
    for name, text in words.items():
        if "\0" in text:
            raise InvalidField(name, "A text cannot contain a NUL character.")
    wanted = Filter(
        status, search, category, supplier, quality, error_kind, unchecked, corrected, noted
    )
    return await of_known_category(context, wanted)


async def of_known_category(context: ApiContext, wanted: Filter) -> Filter:
    """Raises InvalidField for a category that there is not."""
    try:
        return await understood(context.database, context.taxonomy, wanted)
    except InputError as error:
        raise InvalidField("category", str(error)) from error


ListFilter = Annotated[Filter, Depends(_list_filter)]
"""Annotate a route's parameter with this to take the filters of a list."""
