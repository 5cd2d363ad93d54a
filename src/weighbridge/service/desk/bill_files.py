"""Own bills of materials in a file: one row a line of a bill, in CSV or a sheet of a workbook.

    code, material, mass_kg, process, component

Sheets and columns are found by these names, or usual ones for the same; other sheets, such as the
catalogue itself, are passed over. `process` may name several, separated by semicolons; without the
column the model's processes stay. All rows are checked before anything is done: the message names
each bad row.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.errors import InputError, UnreadableFile
from weighbridge.ingest.columns.fields import normalise
from weighbridge.ingest.formats.xlsx.rows import rows
from weighbridge.ingest.formats.xlsx.workbook import Workbook
from weighbridge.ingest.isolation.alone import read_alone
from weighbridge.weighing.near_matches import did_you_mean, find_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.carbon.factors import FactorTable

MOST_LINES: Final = 25
MOST_ROWS: Final = 500_000
_ZIP: Final = b"PK\x03\x04"
HEAVIEST_KG: Final = 1e5
LIGHTEST_KG: Final = 1e-9
_SHOWN_PROBLEMS: Final = 20
_SEVERAL: Final = ";"
_NAMES: Final = {
    "code": ("code", "productcode", "sku", "articlenumber", "itemcode", "product", "parent"),
    "material": ("material", "materialkey", "materialname", "substance"),
    "mass_kg": ("masskg", "mass", "weightkg", "weight", "kg", "massinkg", "weightinkg"),
    "process": ("process", "processes", "manufacturingprocess", "manufacturing"),
    "component": ("component", "part", "componentname", "partname", "position"),
}
_NEEDED: Final = ("code", "material", "mass_kg")
_NO_COLUMNS: Final = (
    f"There is no bill of materials in the file: it needs the columns {', '.join(_NEEDED)}, and "
    "may have process and component."
)


@dataclass(frozen=True, slots=True)
class OwnLine:
    """One line of an own bill. `processes` None: the file has no such column."""

    material: str
    mass_kg: float
    component: str
    processes: tuple[str, ...] | None

    def as_value(self) -> dict[str, Any]:
        """As the correction of a bill has it."""
        return {"material": self.material, "mass_kg": self.mass_kg, "component": self.component}


@dataclass(frozen=True, slots=True)
class _Row:
    """Cells by our names of the columns, and where they stand."""

    place: str
    cells: Mapping[str, str]


def read_bills(path: Path, factors: FactorTable) -> dict[str, list[OwnLine]]:
    """The bill of each product that the file names; it is read in a process of its own.

    Raises:
        InputError: names each row that cannot be used, and why.
    """
    found: dict[str, list[OwnLine]] = {}
    problems: list[str] = []
    for row in read_alone(read_rows, path):
        try:
            line = _line(row, factors)
        except InputError as error:
            problems.append(f"{row.place}: {error}")
        else:
            found.setdefault(row.cells["code"].strip(), []).append(line)
    problems += [
        f"{code}: {len(lines)} lines; 1 to {MOST_LINES} are allowed."
        for code, lines in found.items()
        if len(lines) > MOST_LINES
    ]
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        rest = [f"and {more} more rows"] if more > 0 else []
        raise InputError("\n".join([*problems[:_SHOWN_PROBLEMS], *rest]))
    if not found:
        raise InputError("The file has no rows of a bill of materials.")
    return found


def _line(row: _Row, factors: FactorTable) -> OwnLine:
    if not row.cells["code"].strip():
        raise InputError("the code is missing.")
    material = _known("material", row.cells["material"], _names(factors.materials.values()))
    processes = None
    if "process" in row.cells:
        named = (part.strip() for part in row.cells["process"].split(_SEVERAL))
        known = _names(factors.processes.values())
        processes = tuple(_known("process", part, known) for part in named if part)
        _check_fit(material, processes, factors)
    component = " ".join(row.cells.get("component", "").split())[:80]
    return OwnLine(material, _mass_kg(row.cells["mass_kg"]), component, processes)


def _names(factors: Iterable[Any]) -> dict[str, str]:
    return {one.key: one.name for one in factors}


def _known(kind: str, text: str, names: Mapping[str, str]) -> str:
    if not text.strip():
        raise InputError(f"the {kind} is missing.")
    found = find_key(text.strip(), names)
    if found is None:
        raise InputError(f"there is no {kind} {text.strip()!r}.{did_you_mean([text], names)}")
    return found


def _check_fit(material: str, processes: Sequence[str], factors: FactorTable) -> None:
    factor = factors.materials[material]
    for process in processes:
        if factor.includes_forming:
            raise InputError(f"{material} includes its shaping; leave {process} out.")
        if factor.family not in factors.processes[process].families:
            fitting = ", ".join(sorted(factors.processes[process].families))
            raise InputError(f"{process} is for {fitting}, and {material} is {factor.family}.")


def _mass_kg(text: str) -> float:
    try:
        mass_kg = float(text.strip())
    except ValueError:
        raise InputError(
            f"the mass {text.strip()!r} is no number of kilograms; write it like 1.25."
        ) from None
    if not math.isfinite(mass_kg) or not LIGHTEST_KG <= mass_kg <= HEAVIEST_KG:
        raise InputError(f"a mass of {mass_kg:g} kg cannot be.")
    return mass_kg


def read_rows(path: Path) -> list[_Row]:
    """Every row that is not empty, unchecked. Raises UnreadableFile."""
    found = []
    for row in _rows(path):
        found.append(row)
        if len(found) > MOST_ROWS:
            raise UnreadableFile(f"It has more than {MOST_ROWS:,} rows. Split it.")
    return found


def _rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open("rb") as file:
            is_workbook = file.read(4) == _ZIP
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error}.") from error
    if is_workbook:
        yield from _sheet_rows(path)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path.name} cannot be read as UTF-8 text: {error}.") from error
    first = text.partition("\n")[0]
    sign = max(",;\t", key=first.count)
    try:
        lines = list(csv.reader(text.splitlines(), delimiter=sign, strict=True))
    except csv.Error as error:
        raise UnreadableFile(f"{path.name} cannot be read as CSV: {error}.") from error
    places = _places(lines[0] if lines else ())
    if places is None:
        raise UnreadableFile(_NO_COLUMNS)
    for number, cells in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in cells):
            yield _Row(f"row {number}", _cells(dict(enumerate(cells)), places))


def _sheet_rows(path: Path) -> Iterator[_Row]:
    book = Workbook(path)
    is_found = False
    try:
        for sheet in book.sheets:
            lines = rows(book, sheet)
            head = next(lines, None)
            titles = (
                [] if head is None else [(at, cell.text or "") for at, cell in head.cells.items()]
            )
            named = _places([text for _, text in titles])
            if named is None:
                continue
            is_found = True
            places = {name: titles[at][0] for name, at in named.items()}
            for row in lines:
                texts = {at: cell.text or "" for at, cell in row.cells.items()}
                if any(text.strip() for text in texts.values()):
                    yield _Row(f"{sheet.name} row {row.number}", _cells(texts, places))
    finally:
        book.package.close()
    if not is_found:
        raise UnreadableFile(_NO_COLUMNS)


def _cells(texts: Mapping[int, str], places: Mapping[str, int]) -> dict[str, str]:
    return {name: texts.get(at, "") for name, at in places.items()}


def _places(header: Sequence[str]) -> dict[str, int] | None:
    """Where each of our columns is; None where a needed one is missing."""
    titles = [normalise(title) for title in header]
    found = {}
    for name, synonyms in _NAMES.items():
        for synonym in synonyms:
            if synonym in titles:
                found[name] = titles.index(synonym)
                break
    return found if all(name in found for name in _NEEDED) else None
