"""Reads figures from files that Weighbridge has exported, and compares two such files.

JSONL and Parquet have every digit, the method and the factors. Tables say less, and CSV has only
four significant digits.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars.exceptions import PolarsError

from weighbridge.domain.corrections import BY_REVIEWER, CORRECTED, without_person
from weighbridge.domain.results import ContributionKind
from weighbridge.errors import InputError, UnreadableFile
from weighbridge.export.cells import own_text
from weighbridge.ingest.formats.xlsx.rows import column_letters, rows
from weighbridge.ingest.formats.xlsx.workbook import Workbook
from weighbridge.service.desk.movements import Movement, Movements
from weighbridge.weighing.directions import FigureState, against_the_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from weighbridge.ingest.formats.xlsx.rows import SheetRow
    from weighbridge.ingest.formats.xlsx.workbook import Sheet

FIGURE: Final = "emissions_kg_co2e"
QUANTITY: Final = "quantity"
_RATES: Final = "contributions"
_ROUTES: Final = "routes"
_OF_PRODUCTS: Final = {"code", FIGURE, "decided_by"}
"""The columns that a sheet of a workbook must have to be read as a sheet of products."""
_ROUNDED: Final = 6e-4
"""Where one export has exact figures and the other has them rounded to four digits, figures that
differ by no more than this share count as the same.
"""
_NAMED: Final = {
    "method_version": "method",
    "factors_version": "factors",
    "model": "model",
    "country_of_origin": "country of origin",
    "recycled_share": "recycled share",
    "subcategory": "subcategory",
}
"""Column → its name in a message, for columns whose change is given as a cause of a changed figure,
with the value before and after, if both files have the column.
"""
_SAID: Final = {
    "mass_kg": "the mass",
    "primary_data": "a supplier's figure",
    "bill": "the bill of materials",
    "processes": "the processes",
}
"""Column → its name in a message. For columns whose change explains a changed figure, but whose
values are not shown.
"""
_KEYS: Final = re.compile(rf"{CORRECTED}[a-z_]+\.")
"""Matches a note on a correction from an earlier version, which named the value by its target and
keys instead of by words.
"""
_EMISSIONS: Final = "emissionskgco2e"
"""The name of the field `emissions_kg_co2e` of routes and contributions, as `_comparable` spells
it.
"""
UNSTATED: Final = "nothing that the files state"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """The rows of an exported file by product code, under the names of the Parquet columns.

    `is_exact`: its figures are not rounded.
    """

    rows: Mapping[str, Mapping[str, Any]]
    is_exact: bool


def read_export(path: Path) -> ExportedFile:
    """The figures of an exported file.

    Raises:
        UnreadableFile: says which file, and what is wrong with it.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise UnreadableFile(
            f"{path.name} has no known suffix. Give an export as CSV, XLSX, JSONL or Parquet."
        )
    try:
        found = list(_READERS[suffix](path))
    except InputError as error:
        raise UnreadableFile(f"{path.name}: {error}") from error
    except (OSError, PolarsError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFile(f"{path.name} cannot be read as an export: {error}.") from error
    by_code: dict[str, Mapping[str, Any]] = {}
    for row in found:
        code = row.get("code")
        if not code or FIGURE not in row:
            raise UnreadableFile(
                f"{path.name} is not an export: it lacks the columns code and {FIGURE}. Make one with "
                "weighbridge export."
            )
        code = own_text(str(code)) if suffix == ".csv" else str(code)
        if code in by_code:
            raise UnreadableFile(
                f"{path.name} has the product {code} twice. Remove one of the rows."
            )
        by_code[code] = row
    return ExportedFile(by_code, is_exact=suffix != ".csv")


def compare_exports(before: ExportedFile, after: ExportedFile) -> Movements:
    """Which figures differ between two exports, and why, as far as the files tell."""
    exact = before.is_exact == after.is_exact
    moved = Movements() if exact else Movements(tolerance=_ROUNDED)
    nothing: Mapping[str, Any] = {}
    for code in dict.fromkeys((*before.rows, *after.rows)):
        old, new = before.rows.get(code, nothing), after.rows.get(code, nothing)
        causes = _causes(old, new, exact)
        quantity = new.get(QUANTITY, old.get(QUANTITY))
        remark = _remark(old, new) if exact else ""
        moved.add(Movement(code, old.get(FIGURE), new.get(FIGURE), causes, quantity, remark))
    return moved


def _remark(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Why a figure moved the other way than what was changed, by files that have the routes."""
    states = []
    for row in (old, new):
        if not (row.get(_ROUTES) and row.get(_RATES) and row.get(FIGURE)):
            return ""
        routes = [{"name": one["name"], **_comparable(one)} for one in row[_ROUTES]]
        terms = map(_comparable, row[_RATES])
        materials = [one[_EMISSIONS] for one in terms if one["kind"] == ContributionKind.MATERIAL]
        states.append(FigureState.of_records(row[FIGURE], routes, _EMISSIONS, math.fsum(materials)))
    return against_the_change(*states)


def _causes(old: Mapping[str, Any], new: Mapping[str, Any], exact: bool) -> tuple[str, ...]:
    """What differs between two exports of a product and may have changed its figure; never empty.

    `exact`: numbers differ if by more than a share of 1e-9; else if by more than rounding.
    """
    found = []
    if _is_corrected_otherwise(_corrections(old), _corrections(new)):
        found.append("a correction")
    for name, called in _NAMED.items():
        if name == "factors_version" and _has_same_rates(old, new):
            continue  # the table is another, and whatever of it counts here is as it was
        if name in old and name in new and old[name] != new[name]:
            found.append(f"{called} {old[name] or 'unknown'} → {new[name] or 'unknown'}")
    for name, called in _SAID.items():
        if name in old and name in new and not _is_same(old[name], new[name], exact):
            found.append(called)
    return tuple(found) or (UNSTATED,)


def _has_same_rates(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether both files say which factors the product is computed by, and those that both have
    are the same.
    """
    if not (old.get(_RATES) and new.get(_RATES)):
        return False
    before, after = _rates(old), _rates(new)
    common = before.keys() & after.keys()
    return bool(common) and all(_is_same(before[key], after[key], True) for key in common)


def _rates(row: Mapping[str, Any]) -> dict[tuple[Any, ...], float]:
    known = map(_comparable, row[_RATES])
    return {
        (one.get("kind"), one.get("factorkey"), one.get("region")): one["factor"]
        for one in known
        if "factor" in one
    }


def _is_same(old: Any, new: Any, exact: bool) -> bool:
    """Whether two values are the same, numbers up to the tolerance."""
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= (1e-9 if exact else _ROUNDED) * max(abs(old), abs(new))
    return bool(_in_one_form(old) == _in_one_form(new))


def _in_one_form(value: Any) -> Any:
    """A list of records in a form that is equal for all formats; any other value as it is.

    Formats spell the names of fields differently, and earlier versions have fewer fields.
    """
    if not isinstance(value, list):
        return value
    return [_comparable(one) if isinstance(one, dict) else one for one in value]


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without fields that are None, and with names spelled in one way."""
    spelled = ((name.replace("_", "").casefold(), value) for name, value in record.items())
    return {name: value for name, value in spelled if value is not None}


def _corrections(row: Mapping[str, Any]) -> set[str]:
    """The notes of a product that name a correction."""
    notes = row.get("notes") or []
    single = notes.split("; ") if isinstance(notes, str) else notes
    # A workbook begins each note with a capital letter.
    spelled = [note[:1].lower() + note[1:] for note in single]
    return {note for note in spelled if note.startswith(CORRECTED)}


def _is_corrected_otherwise(old: set[str], new: set[str]) -> bool:
    """Whether two sets of notes are about different corrections. A note with words is compared with
    one with keys by what both say alike: who made the correction, when and why.
    """
    anonymous = any(BY_REVIEWER in note for note in (*old, *new))
    if anonymous:  # one of the files, or both, leaves out who made them and why
        old, new = ({without_person(note, ()) for note in notes} for notes in (old, new))
    keys = [any(map(_KEYS.match, notes)) for notes in (old, new)]
    if keys[0] == keys[1] or not (old and new):
        return old != new
    return {note.rpartition(" by ")[2] for note in old} != {
        note.rpartition(" by ")[2] for note in new
    }


def _table(cells: Iterable[Mapping[str, str | None]]) -> Iterable[dict[str, Any]]:
    """Rows of CSV and XLSX: numbers are numbers, and empty cells are None."""
    for row in cells:
        read: dict[str, Any] = {name: text or None for name, text in row.items()}
        for name in (FIGURE, "mass_kg", "recycled_share", QUANTITY):
            if read.get(name) is not None:
                # A workbook's number formats write the unit.
                read[name] = float(read[name].removesuffix(" kg"))
        yield read


def _csv(path: Path) -> Iterable[dict[str, Any]]:
    return _table(pl.read_csv(path, infer_schema=False).iter_rows(named=True))


def _xlsx(path: Path) -> Iterable[dict[str, Any]]:
    """The rows of every sheet that has the columns of products, as texts by column."""
    book = Workbook(path)
    try:
        for sheet in book.sheets:
            lines = rows(book, sheet)
            header = next(lines, None)
            names = {at: cell.text for at, cell in header.cells.items()} if header else {}
            if set(names.values()) >= _OF_PRODUCTS:
                yield from _table(
                    {
                        str(name): _value(sheet, row, at)
                        for at, name in names.items()
                        if name is not None
                    }
                    for row in lines
                )
    finally:
        book.package.close()


def _value(sheet: Sheet, row: SheetRow, at: int) -> str | None:
    """The number or text of the cell in the column `at`; None for an empty one.

    Raises:
        InputError: its value is unknown, such as that of a formula without a stored result.
    """
    cell = row.cells.get(at)
    if cell is None:
        return None
    if cell.unreadable:
        place = f"{sheet.name}!{column_letters(at)}{row.number}"
        raise InputError(f"{place}: {cell.unreadable}.")
    return cell.number or cell.text


def _parquet(path: Path) -> Iterable[dict[str, Any]]:
    wanted = ["code", FIGURE, QUANTITY, "notes", _RATES, _ROUTES, *_NAMED, *_SAID]
    there = pl.read_parquet_schema(path)
    return pl.read_parquet(path, columns=[n for n in wanted if n in there]).iter_rows(named=True)


def _jsonl(path: Path) -> Iterable[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield _flat(json.loads(line))


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of JSONL by the names of Parquet columns."""
    figure, origin = record.get("footprint") or {}, record["provenance"]
    return {
        "code": record["code"],
        FIGURE: figure.get("emissionsKgCo2e"),
        QUANTITY: (record.get("facts") or {}).get("quantity"),
        "notes": figure.get("notes"),
        _RATES: figure.get("contributions"),
        _ROUTES: figure.get("routes"),
        "method_version": origin["method"],
        "factors_version": origin["factors"],
        "model": origin["model"],
        "country_of_origin": record["countryOfOrigin"],
        "recycled_share": (record.get("facts") or {}).get("recycled_share"),
        "subcategory": record["subcategory"],
        "mass_kg": figure.get("massKg"),
        "primary_data": figure.get("primaryData"),
        "bill": record["billOfMaterials"],
        "processes": record["processes"],
    }


_READERS: Final[dict[str, Callable[[Path], Iterable[dict[str, Any]]]]] = {
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
