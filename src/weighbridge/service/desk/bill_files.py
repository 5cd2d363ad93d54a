"""Reads own bills of materials from a file: one row a line of a bill, in CSV or a workbook's sheet.

    code, material, mass_kg, process, component, country, electricity_kwh_per_kg, ...

Or one row a product, as a catalogue has it, with numbered columns: material 1, mass 1 (kg),
material 2, mass 2 (kg). Sheets and columns are found by these names or usual synonyms; other
sheets, such as the catalogue itself, are passed over. `process` may name several, separated by
semicolons; without this column the model's processes stay. Where the processes are done and with
which energy has columns of its own (`process_cells`). All rows are checked before anything is
done: the message names each cell that cannot be used.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from weighbridge.domain.facts import ENERGY_FIGURES
from weighbridge.errors import InputError, UnreadableFile
from weighbridge.ingest.columns.fields import SYNONYMS, Field
from weighbridge.ingest.columns.headers import read_header
from weighbridge.ingest.formats.text_encoding import find_encoding
from weighbridge.ingest.formats.xlsx.rows import column_letters, rows
from weighbridge.ingest.formats.xlsx.workbook import Sheet, Workbook
from weighbridge.ingest.isolation.alone import read_alone
from weighbridge.ingest.values.numbers import evidence_of, plain_number, tidy, unambiguous
from weighbridge.ingest.values.weights import KILOGRAM, read_weight
from weighbridge.plain_text import counted, significant
from weighbridge.service.desk.process_cells import FACT_COLUMNS, read_facts
from weighbridge.weighing.near_matches import WHOLE_LIST, did_you_mean, find_key
from weighbridge.weighing.understanding import said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.ingest.values.numbers import DecimalSign
    from weighbridge.ingest.values.weights import MassUnit

MOST_LINES: Final = 25
MOST_ROWS: Final = 500_000
_ZIP: Final = b"PK\x03\x04"
HEAVIEST_KG: Final = 1e5
LIGHTEST_KG: Final = 1e-9
_SHOWN_PROBLEMS: Final = 20
_SEVERAL: Final = ";"
_NAMES: Final = {
    "code": (
        "code", "productcode", "sku", "articlenumber", "itemcode", "product", "parent",
        *SYNONYMS[Field.CODE],
    ),
    "material": (
        "material", "materialkey", "materialname", "substance", "werkstoff", "materialbezeichnung",
        "materiau", "matiere", "materiale", "materiaal", "surowiec",
    ),
    "mass_kg": (
        "masskg", "mass", "weightkg", "weight", "kg", "massinkg", "weightinkg",
        *SYNONYMS[Field.WEIGHT],
    ),
    "process": (
        "process", "processes", "manufacturingprocess", "manufacturing",
        *SYNONYMS[Field.PROCESS_HINTS],
    ),
    "component": (
        "component", "part", "componentname", "partname", "position", "bauteil", "komponente",
        "teil", "componente", "onderdeel",
    ),
    **FACT_COLUMNS,
}  # fmt: skip
"""Our names of columns → what people call them, as `read_header` writes its keys."""
_CALLED: Final = {"mass_kg": "mass"}
_NUMBERS: Final = ("mass_kg", *ENERGY_FIGURES)
_NONE: Final[Mapping[int, str]] = MappingProxyType({})
_NEEDED: Final = ("code", "material", "mass_kg")
_NO_COLUMNS: Final = (
    f"The file has no bill of materials. It needs the columns {', '.join(_NEEDED)} (process, "
    "component and country are optional), or one row for each product with the columns code, material 1, "
    "mass_kg 1, material 2, mass_kg 2 and so on."
)
_NUMBERED: Final = re.compile(r"(\D*?)[\s_.\-]*(\d{1,3})[\s_.\-]*(\D*)")


@dataclass(frozen=True, slots=True)
class OwnLine:
    """One line of an own bill. `processes` None: the file has no such column.

    `facts` has what is known of the processes, by name: one value for all, or a list with one for
    each.
    """

    material: str
    mass_kg: float
    component: str
    processes: tuple[str, ...] | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where in the file the line stands, by our name of the column: "Bills!B3"."""

    def as_value(self) -> dict[str, Any]:
        """The line as the value of a correction of the bill has it."""
        return {"material": self.material, "mass_kg": self.mass_kg, "component": self.component}


@dataclass(frozen=True, slots=True)
class OwnBills:
    """The bill of each product in a file, by code; `notes` say which names were taken for which
    keys.
    """

    bills: Mapping[str, Sequence[OwnLine]]
    notes: tuple[str, ...] = ()

    @property
    def places(self) -> dict[str, str]:
        """The cell with which the bill of each product begins, as far as it is known."""
        begins = {code: lines[0].cells.get("code") for code, lines in self.bills.items() if lines}
        return {code: cell for code, cell in begins.items() if cell}

    def placed(self, code: str, number: int | None = None) -> str:
        """The code behind the cell where the file has it; `number`: behind the cell with the
        processes of this line of its bill, counted from 1.
        """
        lines = self.bills[code]
        of_line = lines[number - 1].cells if number and number <= len(lines) else {}
        cell = of_line.get("process") or self.places.get(code)
        return f"{cell}: {code}" if cell else code


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a file: `cells` are by our names of the columns, and so are their `addresses`."""

    addresses: Mapping[str, str]
    cells: Mapping[str, str]
    are_numbers: frozenset[str] = frozenset()
    """The columns whose cell is a number in a workbook, and so can be read in one way only."""
    unit: MassUnit = KILOGRAM
    """The unit of a mass without one, by its column's header."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """The columns whose cell has a value that is unknown, and why it is."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where our columns are (`at`, by our names for them), and the unit of the masses."""

    at: Mapping[str, int]
    unit: MassUnit = KILOGRAM


_Layout = dict[int | None, _Columns]
"""The columns of a file by the number of numbered columns ("material 2"), or None for columns
without a number.
"""


def read_own_bills(path: Path, factors: FactorTable) -> OwnBills:
    """The bill of each product in the file, which is read in a process of its own.

    Raises:
        InputError: names each row that cannot be used, and why.
    """
    found: dict[str, list[OwnLine]] = {}
    problems: list[str] = []
    read = read_alone(read_rows, path)
    reader = _LineReader(factors, {name: _decimal_sign(name, read) for name in _NUMBERS})
    for row in read:
        line = reader.line(row, problems)
        if line is not None:
            found.setdefault(row.cells["code"].strip(), []).append(line)
    problems += [
        f"{lines[MOST_LINES].cells['code']}: {code}: the bill has {len(lines)} lines; 1 to {MOST_LINES} are allowed."
        for code, lines in found.items()
        if len(lines) > MOST_LINES
    ]
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        rest = [f"and {counted(more, 'more row')}"] if more > 0 else []
        raise InputError("\n".join([*problems[:_SHOWN_PROBLEMS], *rest]))
    if not found:
        raise InputError(
            "The file has a header and no rows. Add a row for each line of a bill of materials."
        )
    return OwnBills(found, said_of(reader.taken))


def _decimal_sign(name: str, read: Sequence[_Row]) -> DecimalSign | None:
    """The decimal sign of a column by what its cells show; None if they do not show it."""
    texts = [
        text for row in read if name not in row.are_numbers and (text := row.cells.get(name, ""))
    ]
    return evidence_of(pl.Series(texts, dtype=pl.String)).sign


class _LineReader:
    """Turns rows into lines of bills. `taken` has the names that it took for a key, with the
    key.
    """

    def __init__(self, factors: FactorTable, signs: Mapping[str, DecimalSign | None]) -> None:
        self._factors = factors
        self._signs = signs
        self._materials = _names(factors.materials.values())
        self._processes = _names(factors.processes.values())
        self.taken: dict[str, str] = {}

    def line(self, row: _Row, problems: list[str]) -> OwnLine | None:
        """The line of a bill in this row; None if a cell cannot be used. Each such cell is added to
        `problems`, with the reason.
        """
        before = len(problems)

        def read(name: str, how: Callable[[str], Any]) -> Any:
            if why := row.unreadable.get(name):
                problems.append(f"{row.addresses[name]}: {why}.")
                return None
            try:
                return how(row.cells[name])
            except InputError as error:
                problems.append(f"{row.addresses[name]}: {error}")
                return None

        read("code", _refuse_empty_code)
        material = read("material", lambda text: self._key_of("material", text, self._materials))
        processes = None
        if "process" in row.cells:
            processes = read("process", lambda text: self._process_keys(text, material))
        component = (read("component", str) or "") if "component" in row.cells else ""
        facts: dict[str, Any] = {}
        if len(problems) == before:  # whether a fact is one of the line rests on the rest of it
            for name in [name for name in FACT_COLUMNS if name in row.cells]:
                facts |= read(name, partial(self._facts, processes, name)) or {}
        mass_kg = read("mass_kg", lambda text: _mass_kg(text, self._signs["mass_kg"], row.unit))
        if material is None or mass_kg is None or len(problems) > before:
            return None
        component = " ".join(component.split())[:80]
        return OwnLine(material, mass_kg, component, processes, facts, row.addresses)

    def _process_keys(self, text: str, material: str | None) -> tuple[str, ...]:
        """The keys of the processes that a cell names.

        Raises InputError for one that is unknown, or does not apply to the material (None: it is
        not known).
        """
        named = (part.strip() for part in text.split(_SEVERAL))
        keys = tuple(self._key_of("process", part, self._processes) for part in named if part)
        if material is not None:
            _check_fit(material, keys, self._factors)
        return keys

    def _facts(self, processes: tuple[str, ...] | None, name: str, text: str) -> dict[str, Any]:
        """The fact of the processes that a cell in the column `name` states."""
        plain = self._rewritten_cell(name, text) if name in _NUMBERS else text
        return dict(read_facts({name: plain}, processes, self._factors))

    def _key_of(self, kind: str, text: str, names: Mapping[str, str]) -> str:
        """The key of a material or process (`kind`) by key or name; raises InputError if
        unknown.
        """
        written = text.strip()
        if not written:
            raise InputError(f"the {kind} is missing.")
        found = find_key(written, names)
        if found is None:
            meant = did_you_mean([written], names) or WHOLE_LIST
            raise InputError(f"there is no {kind} {written!r}.{meant}")
        if found != written:
            self.taken[written] = found
        return found

    def _rewritten_cell(self, name: str, text: str) -> str:
        """A cell with figures between semicolons, each rewritten with a decimal point.

        Raises InputError for a figure that can be read in two ways.
        """
        parts = (part.strip() for part in text.split(_SEVERAL))
        return _SEVERAL.join(_rewritten_number(name, part, self._signs[name]) for part in parts)


def _refuse_empty_code(text: str) -> None:
    if not text.strip():
        raise InputError("the code is missing.")


def _rewritten_number(name: str, text: str, decimal: DecimalSign | None) -> str:
    """A number rewritten as Python reads it; a text that is no number as it is.

    Raises InputError if it can be read in two ways.
    """
    written = tidy(text)
    plain = plain_number(written, decimal)
    if plain is None and plain_number(written, ".") is not None:
        raise InputError(
            f"the {_CALLED.get(name, name)} {text!r} can be read in two ways: no other cell of the "
            f"column shows whether its sign is decimal. If so, write {written}0; if the sign "
            "separates thousands, leave it out."
        )
    return text if plain is None else plain


def _names(factors: Iterable[Any]) -> dict[str, str]:
    """The names of factors by their key."""
    return {one.key: one.name for one in factors}


def _check_fit(material: str, processes: Sequence[str], factors: FactorTable) -> None:
    """Raises InputError for a process that does not apply to this material."""
    factor = factors.materials[material]
    for process in processes:
        if factor.includes_forming:
            raise InputError(
                f"the factor of {material} already includes its shaping; leave {process} out."
            )
        if factor.family not in factors.processes[process].families:
            fitting = ", ".join(sorted(factors.processes[process].families))
            raise InputError(
                f"{process} does not apply to {material} ({factor.family}), only to: {fitting}."
            )


def _mass_kg(text: str, decimal: DecimalSign | None, unit: MassUnit) -> float:
    """The mass in a cell, in kg; without a unit of its own it is in `unit`.

    Raises InputError if it is none.
    """
    if not text.strip():
        raise InputError("the mass is missing; write kilograms, like 1.25.")
    plain = _rewritten_number("mass_kg", text.strip(), decimal)
    try:
        mass_kg = unit.to_kg(float(plain))
    except ValueError:
        named = read_weight(text, unit, decimal).mass_kg  # "250 g"
        if named is None:
            raise InputError(
                f"the mass {text.strip()!r} is not a number; write kilograms, like 1.25."
            ) from None
        mass_kg = named
    if not math.isfinite(mass_kg) or not LIGHTEST_KG <= mass_kg <= HEAVIEST_KG:
        raise InputError(
            f"a mass of {mass_kg:g} kg is not possible; give "
            f"{significant(LIGHTEST_KG)} to {significant(HEAVIEST_KG)} kg."
        )
    return mass_kg


def read_rows(path: Path) -> list[_Row]:
    """Every row that is not empty, not checked yet. Raises UnreadableFile if the file is no
    bill.
    """
    found = []
    for row in _rows(path):
        found.append(row)
        if len(found) > MOST_ROWS:
            raise UnreadableFile(f"The file has more than {MOST_ROWS:,} rows. Split it.")
    return found


def _rows(path: Path) -> Iterator[_Row]:
    """The rows of a CSV file or a workbook."""
    try:
        with path.open("rb") as file:
            is_workbook = file.read(4) == _ZIP
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error}.") from error
    if is_workbook:
        yield from _sheet_rows(path)
        return
    try:
        text = path.read_text(encoding=find_encoding(path).codec).removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            f"{path.name} cannot be read as text ({error}). Save it as CSV in UTF-8."
        ) from error
    first = text.partition("\n")[0]
    sign = max(",;\t", key=first.count)
    try:
        lines = list(csv.reader(text.splitlines(), delimiter=sign, strict=True))
    except csv.Error as error:
        raise UnreadableFile(f"{path.name} cannot be read as CSV: {error}.") from error
    titles = [" ".join(title.split()) for title in (lines[0] if lines else ())]
    layout = _layout(list(enumerate(titles)))
    if not layout:
        raise UnreadableFile(_NO_COLUMNS)
    for number, cells in enumerate(lines[1:], start=2):
        addresses = {at: f"row {number}, column {title}" for at, title in enumerate(titles)}
        yield from _lines_of(addresses, dict(enumerate(cells)), layout)


def _sheet_rows(path: Path) -> Iterator[_Row]:
    """The rows of every sheet with the columns of a bill.

    A sheet that also names and describes its products is the catalogue: it counts only if no other
    sheet has a bill, or if its materials are numbered.

    Raises:
        UnreadableFile: no sheet has them.
    """
    book = Workbook(path)
    try:
        found: list[tuple[Sheet, list[tuple[int, str]], _Layout, bool]] = []
        for sheet in book.sheets:
            head = next(rows(book, sheet), None)
            titles = [] if head is None else [(at, c.text or "") for at, c in head.cells.items()]
            if layout := _layout(titles):
                is_catalogue = None in layout and _describes([text for _, text in titles])
                found.append((sheet, titles, layout, is_catalogue))
        bills = [one for one in found if not one[-1]] or found
        for sheet, titles, layout, _ in bills:
            lines = rows(book, sheet)
            next(lines)
            for row in lines:
                texts = {at: cell.text or "" for at, cell in row.cells.items()}
                numbers = {at: cell.number for at, cell in row.cells.items() if cell.number}
                addresses = {
                    at: f"{sheet.name}!{column_letters(at)}{row.number}" for at, _ in titles
                }
                unreadable = {at: why for at, cell in row.cells.items() if (why := cell.unreadable)}
                yield from _lines_of(addresses, texts, layout, numbers, unreadable)
    finally:
        book.package.close()
    if not found:
        raise UnreadableFile(_NO_COLUMNS)


def _describes(titles: Sequence[str]) -> bool:
    """Whether a header has a name and a description of each product."""
    keys = {key for title in titles for key in read_header(title).keys}
    return all(keys & set(SYNONYMS[field]) for field in (Field.NAME, Field.DESCRIPTION))


def _lines_of(
    addresses: Mapping[int, str],
    texts: Mapping[int, str],
    layout: _Layout,
    numbers: Mapping[int, str] = _NONE,
    unreadable: Mapping[int, str] = _NONE,
) -> Iterator[_Row]:
    """The line of a bill in a row of a file, or the lines in its numbered columns; not empty ones.

    `addresses` and `texts` are the row's cells by position, `numbers` those that are numbers in a
    workbook, and `unreadable` says why the value of a cell is unknown.
    """
    for number, columns in layout.items():
        cells = {name: texts.get(at, "") for name, at in columns.at.items()}
        damaged = {name: unreadable[at] for name, at in columns.at.items() if at in unreadable}
        written = cells if number is None else {n: c for n, c in cells.items() if n != "code"}
        if any(text.strip() for text in written.values()) or written.keys() & damaged.keys():
            stored = {
                n: numbers[at] for n, at in columns.at.items() if n in _NUMBERS and at in numbers
            }
            plain = {name: unambiguous(number) for name, number in stored.items()}
            where = {name: addresses[at] for name, at in columns.at.items()}
            yield _Row(where, cells | plain, frozenset(plain), columns.unit, damaged)


def _layout(header: Sequence[tuple[int, str]]) -> _Layout:
    """Where each of our columns is, by the header of a file (position and title of each column);
    {} if it is no bill of materials.

    Raises:
        UnreadableFile: a numbered material has no mass, or a mass no material.
    """
    found = _columns(header)
    numbered = {
        at: (int(match[2]), f"{match[1]}{match[3]}")
        for at, title in header
        if (match := _NUMBERED.fullmatch(title.strip()))
    }
    numbers = {
        number
        for at, (number, title) in numbered.items()
        if "material" in _columns([(at, title)]).at
    }
    if not numbers:
        return {None: found} if all(name in found.at for name in _NEEDED) else {}
    if "code" not in found.at:
        return {}
    layout: _Layout = {}
    for number in sorted(numbers):
        places = _columns([(at, title) for at, (n, title) in numbered.items() if n == number])
        if "mass_kg" not in places.at:
            raise UnreadableFile(
                f"The column material {number} has no mass beside it. Add a column mass_kg {number} "
                "with the mass of this material in kilograms."
            )
        layout[number] = _Columns({**places.at, "code": found.at["code"]}, places.unit)
    return layout


def _columns(header: Sequence[tuple[int, str]]) -> _Columns:
    """Where each of our columns is, of those that there are, and the unit in the header of masses.

    Of several names that people have for a column the first one counts.
    """
    read = [(at, read_header(title)) for at, title in header]
    found: dict[str, int] = {}
    unit = KILOGRAM
    for name, synonyms in _NAMES.items():
        for synonym in synonyms:
            if match := next((one for one in read if synonym in one[1].keys), None):
                found[name] = match[0]
                if name == "mass_kg":
                    unit = match[1].unit or KILOGRAM
                break
    return _Columns(found, unit)
