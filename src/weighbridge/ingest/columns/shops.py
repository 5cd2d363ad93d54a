"""Exports of shops, PIM and ERP systems, recognised by their headers: what their columns mean.

The programs are in `shops.toml`; what happens to the rows is in `ingest/shops/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from weighbridge.ingest.columns.fields import Field, normalise, read_table
from weighbridge.ingest.columns.headers import LANGUAGES
from weighbridge.ingest.values.units import GRAM, MassUnit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.ingest.columns.headers import Header


@dataclass(frozen=True, slots=True)
class Shop:
    """One program's kind of export; all headers in it are normalised.

    `shops.toml` says what each part means.
    """

    name: str
    signs: tuple[tuple[str, ...], ...]
    rows: str = ""
    fields: Mapping[Field, tuple[str, ...]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    helpers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grams: frozenset[str] = frozenset()

    def unit_of(self, header: Header) -> MassUnit | None:
        """The unit of a column of weights if this program always writes it in grams, else None.

        It counts more than the unit that the header seems to name.
        """
        return GRAM if header.keys and header.keys[0] in self.grams else None

    def has(self, name: Field, header: Header) -> bool:
        """Whether this program uses the header for the field."""
        return bool(header.keys) and header.keys[0] in self.fields.get(name, ())

    def find_helpers(self, headers: Sequence[Header]) -> dict[str, int]:
        """The positions of the columns that reading the export needs; absent ones are left out."""
        first = {
            header.keys[0]: i for i, header in reversed(list(enumerate(headers))) if header.keys
        }
        found: dict[str, int] = {}
        for name, keys in self.helpers.items():
            position = next((first[key] for key in keys if key in first), None)
            if position is not None:
                found[name] = position
        return found


_LANGUAGES: Final = ("en", *sorted(LANGUAGES - {"en"}))


def _normalised_headers(names: str) -> tuple[str, ...]:
    """The headers of a comma-separated list, normalised; `{language}` gives one per language."""
    parts = (
        name.replace("{language}", language)
        for name in names.split(",")
        for language in (_LANGUAGES if "{language}" in name else ("",))
    )
    return tuple(filter(None, map(normalise, parts)))


def _shop_from_entry(entry: Mapping[str, Any]) -> Shop:
    """One entry of `shops.toml`. Raises KeyError where it lacks its name, signs or fields."""
    return Shop(
        entry["name"],
        signs=tuple(_normalised_headers(group) for group in entry["signs"]),
        rows=entry.get("rows", ""),
        fields={Field(name): _normalised_headers(keys) for name, keys in entry["fields"].items()},
        ignored=frozenset(_normalised_headers(entry.get("ignored", ""))),
        helpers={
            name: _normalised_headers(keys) for name, keys in entry.get("helpers", {}).items()
        },
        grams=frozenset(_normalised_headers(entry.get("grams", ""))),
    )


SHOPS: Final = tuple(_shop_from_entry(entry) for entry in read_table("shops.toml").values())


def recognise_shop(headers: Sequence[str]) -> Shop | None:
    """The program whose export has such headers, or None."""
    keys = {normalise(header) for header in headers}
    return next((shop for shop in SHOPS if all(keys & set(group) for group in shop.signs)), None)
