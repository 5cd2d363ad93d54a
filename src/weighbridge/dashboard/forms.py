"""Reads the forms that pages send, within limits of size: anybody can send the login form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from weighbridge.errors import InputError

if TYPE_CHECKING:
    from fastapi import Request

LONGEST_FORM_BYTES: Final = 200_000
MOST_FIELDS: Final = 2_000


class Form:
    """The fields of a form; a field that was not sent counts as empty."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def text(self, name: str, default: str = "") -> str:
        """The first value of a field, without space around it."""
        return self._fields.get(name, [default])[0].strip()

    def texts(self, name: str) -> list[str]:
        """Every value of a field, as it was sent."""
        return self._fields.get(name, [])

    def starting_with(self, prefix: str) -> dict[str, str]:
        """The first values of the fields whose names begin with `prefix`, by the rest of the
        name.
        """
        return {
            name.removeprefix(prefix): values[0].strip()
            for name, values in self._fields.items()
            if name.startswith(prefix)
        }


async def read_form(request: Request, limit_bytes: int = LONGEST_FORM_BYTES) -> Form:
    """The form in the request's body.

    Raises:
        InputError: it is larger, or has more fields, than any form of ours.
    """
    body = await read_body(request, limit_bytes)
    try:
        fields = parse_qs(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        )
    except ValueError as error:
        raise InputError("The form has too many fields. Reload the page and try again.") from error
    return Form(fields)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        InputError: it is larger than `limit_bytes`.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit_bytes:
            raise InputError(
                f"The request is larger than {limit_bytes:,} bytes. Send less of it at once."
            )
    return bytes(body)


def row_id(text: str) -> int | None:
    """The id of a database row that an address contains; None for any text that is no id."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
