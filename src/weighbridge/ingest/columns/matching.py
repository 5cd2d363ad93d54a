"""Which column of a catalogue is which field: header names matched in many languages, without any
I/O.

Readers call `find_header` (tables) or `match_columns` (records) on what they find at the top of a
file and take only the columns named in the `ColumnMap`. What is not taken is listed in the report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from weighbridge.errors import InputError, MissingColumn
from weighbridge.ingest.columns.fields import REQUIRED, Field, normalise
from weighbridge.ingest.columns.further_pictures import further_pictures
from weighbridge.ingest.columns.headers import Header, read_header, split_words
from weighbridge.ingest.columns.meanings import MASSES, count_known, meanings
from weighbridge.ingest.columns.shops import Shop, recognise_shop
from weighbridge.ingest.values.units import HEADER_UNITS, UNIT_NAMES, MassUnit
from weighbridge.ingest.values.wording import quote, quote_all, safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


HEADER_SEARCH_ROWS: Final = 20
"""The header is searched for in this many first rows; many spreadsheets begin with a title and a
date.
"""
_ALIASES: Final[Mapping[str, Field]] = {
    "image": Field.IMAGE,
    "picture": Field.IMAGE,
    "country": Field.COUNTRY,
    "weightkg": Field.WEIGHT,
    "unit": Field.WEIGHT_UNIT,
    "composition": Field.MATERIALS,
}


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column each field has, as its position in the header.

    `fallbacks` are further columns for a field, tried in order where a row's cell is empty; those
    of pictures add to the first. `units` and `currency` are those that headers name, for cells that
    name none. `by_hand` are the fields whose column the user named. `helpers` are columns that are
    no field but are needed to read a shop's export.
    """

    positions: Mapping[Field, int]
    headers: tuple[str, ...] = ()
    fallbacks: Mapping[Field, tuple[int, ...]] = field(default_factory=dict)
    units: Mapping[Field, MassUnit] = field(default_factory=dict)
    currency: str | None = None
    by_hand: frozenset[Field] = frozenset()
    shop: Shop | None = None
    helpers: Mapping[str, int] = field(default_factory=dict)

    def header(self, name: Field) -> str | None:
        """The header of a field's column; None if the field has no column."""
        position = self.positions.get(name)
        return None if position is None or not self.headers else self.headers[position]

    def shown_header(self, name: Field) -> str | None:
        """The header of a field's column, shortened and without characters that cannot be printed.

        For messages and the database, which takes no character of code 0.
        """
        header = self.header(name)
        return None if header is None else safe(header)

    def columns(self) -> dict[str, int]:
        """The position of every column that is read, by the column's name in the chunk."""
        found: dict[str, int] = dict(self.positions.items())
        for name, more in self.fallbacks.items():
            found |= {fallback(name, i): position for i, position in enumerate(more, start=1)}
        return found | dict(self.helpers)


UNIT_WORDS: Final = (
    "unit", "units", "uom", "unitofmeasure", "unitofmeasurement", "unitofmeasurelabel", "uomname",
    "uomid", "unitcode", "einheit", "unite", "unidad", "unita", "eenheid", "jednostka",
)  # fmt: skip
"""Words that, behind the header of a weight, make the header of its column of units: "weight unit".
"""


def own_unit(name: Field) -> str:
    """The name, in a chunk, of the column of units that belongs to this field of weights alone."""
    return f"{name}+unit"


MINOR_UNITS: Final = {"kg": ("g", 1000), "lb": ("oz", 16), "t": ("kg", 1000)}
"""For the larger unit of a weight in two columns: the smaller unit, and how many of it make one of
the larger.
"""


def minor_weight(name: Field) -> str:
    """The name, in a chunk, of the column with the rest of a field of weights, "Weight (oz)"."""
    return f"{name}+minor"


def inherited(name: Field) -> str:
    """The name, in a chunk's frame, of the column with the code of the parent that a row takes this
    field from.
    """
    return f"{name} of"


def fallback(name: Field, number: int) -> str:
    """The name, in a chunk, of the n-th further column of a field."""
    return f"{name}+{number}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for: columns named by hand, and whether a missing column stops the file.

    `by_hand` maps a field to a header of the file; an empty header means "leave this field out";
    `weightUnit` may be given a unit instead of a column. With `all_required` False a missing column
    only shows as an empty field in each row (single products sent as JSON).
    """

    by_hand: Mapping[Field, str] = field(default_factory=dict)
    all_required: bool = True


def parse_mapping(entries: Iterable[str]) -> dict[Field, str]:
    """The entries of `--map field=column`; raises InputError for a field that does not exist."""
    mapping: dict[Field, str] = {}
    for entry in entries:
        name, equals, column = entry.partition("=")
        if not equals:
            raise InputError(f"--map {quote(entry)} has no equals sign in it; write field=column.")
        key = normalise(name)
        found = _ALIASES.get(key) or next((f for f in Field if normalise(f) == key), None)
        if found is None:
            raise InputError(
                f"--map names a field {quote(name)}; the fields are {', '.join(Field)}."
            )
        mapping[found] = column.strip()
    return mapping


def match_columns(headers: Sequence[str], wanted: Wanted) -> ColumnMap:
    """Finds each field's column; raises MissingColumn when a required one is not there."""
    shop = recognise_shop(headers)
    read = [read_header(header) for header in headers]
    positions, unit, same_as = _columns_by_hand(read, wanted)
    by_hand = frozenset(positions) | frozenset(same_as)
    candidates = _candidates(read, shop)
    if not (Field.NAME in candidates and Field.DESCRIPTION in candidates):
        either = candidates.get(Field.NAME) or candidates.get(Field.DESCRIPTION, [])
        candidates |= _long_and_short(either, read)
    taken = set(positions.values())
    fallbacks: dict[Field, tuple[int, ...]] = {}
    for name in Field:
        found = [position for position in candidates.get(name, []) if position not in taken]
        if not found and name in REQUIRED:
            found = candidates.get(name, [])  # one column may serve as two fields
        if name in wanted.by_hand or not found:
            continue
        if name is Field.WEIGHT_UNIT and unit is not None:
            continue
        positions[name] = found[0]
        if name is Field.CODE:  # of what people call codes, several are not one
            found = [one for one in found if shop and shop.has(name, read[one])]
        if name in REQUIRED and len(found) > 1:
            fallbacks[name] = tuple(found[1:])
    positions |= {name: positions[other] for name, other in same_as.items() if other in positions}
    more_of_weights = _take_units_beside(positions, read, by_hand)
    more_of_weights |= _find_minor_weights(positions, read, by_hand)
    _drop_idle_units(positions, read)
    if shop is not None and Field.NAME in positions:
        _take_names_as_descriptions(positions, fallbacks)
    if Field.IMAGE in positions:
        more = further_pictures(headers, positions[Field.IMAGE], positions.values())
        fallbacks |= {Field.IMAGE: more} if more else {}
    missing = [name for name in REQUIRED if name not in positions]
    helpers = shop.find_helpers(read) if shop else {}
    if missing and wanted.all_required:
        raise MissingColumn(_missing_message(missing, headers))
    return ColumnMap(
        positions,
        tuple(headers),
        fallbacks,
        _units(positions, read, unit, shop),
        read[positions[Field.PRICE]].currency if Field.PRICE in positions else None,
        by_hand,
        shop,
        helpers | more_of_weights,
    )


def _candidates(read: Sequence[Header], shop: Shop | None) -> dict[Field, list[int]]:
    """For each field the columns that may hold it, the best first.

    Columns of a second table beside the first are left out.
    """
    found: dict[Field, list[tuple[int, int, int]]] = {}
    for position, header in enumerate(read):
        for name, rank in meanings(header, shop):
            found.setdefault(name, []).append((*rank, position))
    best = {name: [position for *_, position in sorted(ranked)] for name, ranked in found.items()}
    end = _second_table_at(read, best)
    return {
        name: [position for position in positions if position < end]
        for name, positions in best.items()
        if min(positions) < end
    }


def _second_table_at(read: Sequence[Header], best: Mapping[Field, Sequence[int]]) -> int:
    """The position of the first column of a table beside the first: its headers of code and name
    come again.

    The number of columns if there is none.
    """
    again: list[int] = []
    for name in (Field.CODE, Field.NAME):
        keys = [read[position].keys for position in best.get(name, ())[:1]]
        alike = [i for i, header in enumerate(read) if header.keys in keys]
        if len(alike) < 2:
            return len(read)
        again.append(alike[1] - alike[0])
    first = next(i for i, header in enumerate(read) if header.keys)
    return first + min(again) if again[0] == again[1] else len(read)


def _long_and_short(texts: Sequence[int], read: Sequence[Header]) -> dict[Field, list[int]]:
    """Columns for name and description where the file has only one of the two, in several columns.

    The short texts are taken for names, the long ones for descriptions; {} if not both exist.
    """
    long = [position for position in texts if read[position].is_long]
    short = [position for position in texts if not read[position].is_long]
    return {Field.NAME: short, Field.DESCRIPTION: [*long, *short]} if long and short else {}


def _take_units_beside(
    positions: dict[Field, int], read: Sequence[Header], by_hand: frozenset[Field]
) -> dict[str, int]:
    """Find the columns of units that belong to one weight, by their header or as its neighbour.

    That of the net weight is set in `positions`; that of the gross weight is returned under its
    name in the chunk ({} if there is none).
    """
    by_key = {header.keys[0]: i for i, header in enumerate(read) if header.keys}
    found: dict[Field, int] = {}
    for name in MASSES:
        header = read[positions[name]] if name in positions else None
        if header is None or header.unit is not None or not header.keys:
            continue
        wanted = (header.keys[0] + word for word in UNIT_WORDS)
        position = next((by_key[key] for key in wanted if key in by_key), None)
        if position is None and Field.WEIGHT_UNIT not in positions:
            position = _unit_behind(positions[name], read)
        if position is not None:
            found[name] = position
    if Field.WEIGHT in found and Field.WEIGHT_UNIT not in by_hand:
        positions[Field.WEIGHT_UNIT] = found[Field.WEIGHT]
    gross = found.get(Field.GROSS_WEIGHT)
    return {} if gross is None else {own_unit(Field.GROSS_WEIGHT): gross}


def _find_minor_weights(
    positions: dict[Field, int], read: Sequence[Header], by_hand: frozenset[Field]
) -> dict[str, int]:
    """The columns that have the rest of a weight in a smaller unit, by their name in the chunk.

    Where the smaller unit comes first in the file, `positions` is set to the larger one.
    """
    found: dict[str, int] = {}
    for name in MASSES:
        position = positions.get(name)
        unit = read[position].unit if position is not None else None
        if position is None or unit is None or name in by_hand:
            continue
        alike = {
            read[i].unit.name: i  # type: ignore[union-attr]
            for i in (position - 1, position + 1)
            if 0 <= i < len(read)
            and read[i].unit is not None
            and _without_unit(read[i]) == _without_unit(read[position])
        } | {unit.name: position}
        large = next(
            (one for one, (small, _) in MINOR_UNITS.items() if {one, small} == {*alike}), None
        )
        if large is not None:
            positions[name] = alike[large]
            found[minor_weight(name)] = alike[MINOR_UNITS[large][0]]
    return found


def _without_unit(header: Header) -> str:
    """What a header says without its unit of mass."""
    return "".join(word for word in split_words(header.text) if word not in HEADER_UNITS)


def _unit_behind(weight: int, read: Sequence[Header]) -> int | None:
    """The position of a column of units right behind the weight (`Net weight`, `UoM`), or None."""
    behind = read[weight + 1] if weight + 1 < len(read) else None
    is_unit = behind is not None and bool(behind.keys) and behind.keys[0] in UNIT_WORDS
    return weight + 1 if is_unit else None


def _drop_idle_units(positions: dict[Field, int], read: Sequence[Header]) -> None:
    """Remove columns of units and currencies that nothing needs from `positions`.

    Units are needed by a weight whose header names none, currencies by a price.
    """
    weighed = positions.get(Field.WEIGHT, positions.get(Field.GROSS_WEIGHT))
    if weighed is None or read[weighed].unit is not None:
        positions.pop(Field.WEIGHT_UNIT, None)
    if Field.PRICE not in positions:
        positions.pop(Field.CURRENCY, None)


def _take_names_as_descriptions(
    positions: dict[Field, int], fallbacks: dict[Field, tuple[int, ...]]
) -> None:
    """Take a shop's titles as descriptions too, where there is no other description."""
    name = positions[Field.NAME]
    if Field.DESCRIPTION not in positions:
        positions[Field.DESCRIPTION] = name
    elif positions[Field.DESCRIPTION] != name:
        fallbacks[Field.DESCRIPTION] = (*fallbacks.get(Field.DESCRIPTION, ()), name)


def _units(
    positions: Mapping[Field, int],
    read: Sequence[Header],
    unit: MassUnit | None,
    shop: Shop | None,
) -> dict[Field, MassUnit]:
    """The unit of each mass column: the user's, else the shop's, else the header's, if any."""
    found: dict[Field, MassUnit] = {}
    for name in MASSES:
        if name in positions:
            header = read[positions[name]]
            said = unit or (shop.unit_of(header) if shop else None) or header.unit
            if said is not None:
                found[name] = said
    return found


def find_header(rows: Sequence[Sequence[str]], wanted: Wanted) -> tuple[int, ColumnMap]:
    """Index of the header among the first rows of a table, and its columns.

    The header is the first row that has every required column. Without one, MissingColumn speaks
    about the row that comes nearest to being a header.
    """
    best: tuple[int, MissingColumn] | None = None
    for index, row in enumerate(rows[:HEADER_SEARCH_ROWS]):
        if not any(cell.strip() for cell in row):
            continue
        try:
            return index, match_columns(row, wanted)
        except MissingColumn as missing:
            known = count_known(row)
            if best is None or known > best[0]:
                best = (known, missing)
    if best is None:
        raise MissingColumn("No header row was found: the first rows are empty. Remove them.")
    raise best[1]


def _columns_by_hand(
    read: Sequence[Header], wanted: Wanted
) -> tuple[dict[Field, int], MassUnit | None, dict[Field, Field]]:
    """(columns, a unit given instead of a column, fields that take the column of another field)."""
    headers = [header.text for header in read]
    keys = [normalise(header) for header in headers]
    positions: dict[Field, int] = {}
    unit: MassUnit | None = None
    same_as: dict[Field, Field] = {}
    for name, column in wanted.by_hand.items():
        if not column:
            continue
        key = normalise(column)
        if column in headers:
            positions[name] = headers.index(column)
        elif key and key in keys:
            positions[name] = keys.index(key)
        elif name is Field.WEIGHT_UNIT and key in UNIT_NAMES:
            unit = UNIT_NAMES[key]
        elif (other := _field_named(key)) is not None and other is not name:
            same_as[name] = other
        else:
            raise MissingColumn(
                f"--map {name}={column}: there is no column {quote(column)}. The file has: "
                f"{quote_all(headers)}."
            )
    return positions, unit, same_as


def _field_named(key: str) -> Field | None:
    """The field whose own name, normalised, is `key`."""
    return next((name for name in Field if normalise(name) == key), None)


def _missing_message(missing: Sequence[Field], headers: Sequence[str]) -> str:
    """The message that required columns are missing, and what to do."""
    columns = "column" if len(missing) == 1 else "columns"
    return (
        f"Required {columns} not found: {', '.join(missing)}. The file has: {quote_all(headers)}. "
        f"Rename the {columns}{_mapping_hint(missing[0], headers)}."
    )


def _mapping_hint(name: Field, headers: Sequence[str]) -> str:
    """The end of the message that name or description is missing: the `--map` that may be meant.

    "" if another field is missing, or no column may hold a name or a description.
    """
    near = (
        header
        for header in headers
        if header.isprintable()
        and len(header) <= _LONGEST_SHOWN
        and {field for field, _ in meanings(read_header(header), None)} & _TEXTS
    )
    column = next(near, None) if name in _TEXTS else None
    return (
        f", or use one column for two fields with the mapping {quote(f'{name}={column}')}"
        if column
        else ""
    )


_LONGEST_SHOWN: Final = 40
_TEXTS: Final = {Field.NAME, Field.DESCRIPTION}
