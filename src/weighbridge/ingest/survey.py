"""Looks at every row once, before any value is read, and decides what a cell alone cannot tell.

The decimal sign and the unit are facts about a column. They are decided here, by rules in a fixed
order, each with its reason for the report; what stays in doubt becomes a question (`Doubt`), never
a guess.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Final

import polars as pl

from weighbridge.ingest.base import ROW
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.matching import ColumnMap, own_unit
from weighbridge.ingest.columns.meanings import MASSES
from weighbridge.ingest.decisions import Assumption, Decisions, Doubt, Given, NumberRule
from weighbridge.ingest.stated_masses import StatedMasses
from weighbridge.ingest.values.numbers import SignEvidence, evidence_of, plain_number
from weighbridge.ingest.values.units import KILOGRAM, UNIT_NAMES, UNITS_OF_SALE, MassUnit
from weighbridge.ingest.values.wording import quote
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from weighbridge.ingest.base import RawChunk, Source
    from weighbridge.ingest.values.numbers import DecimalSign

NUMBER_FIELDS: Final = (
    Field.WEIGHT,
    Field.GROSS_WEIGHT,
    Field.PRICE,
    Field.QUANTITY,
    Field.PIECES_PER_PACK,
    Field.RECYCLED_SHARE,
    Field.SUPPLIER_FOOTPRINT,
)
_SAMPLES: Final = 3
"""How many cells of a column the report shows."""
_BARE_SAMPLE: Final = 200
"""About how many numbers without a unit are sampled from each chunk."""
_MOST_SAMPLED: Final = 20_000
"""About how many numbers without a unit are kept for a column."""
_HEAVY_KG: Final = 50.0
"""If half of the numbers of a weight column without units are at least this, they may be grams."""
_HEAVY_WHOLE_KG: Final = 5.0
"""If half of the numbers of a weight column of whole numbers without units are at least this, they
may be grams: weights of small goods in kilograms would have decimals.
"""
_FEW: Final = 5
"""A column with fewer numbers than this never counts as one of whole numbers."""
_PERCENT: Final = (
    "%", "percent", "prozent", "procent", "pct", "pourcent", "porcent", "процент", "yüzde", "百分",
)  # fmt: skip
_NAMED_UNIT: Final = r"(?:[0-9]|^)\s*[\p{Alphabetic}]"
_PIECES: Final = r"^[0-9]{1,4}\s*[x×*]\s*"
_WITHOUT_UNIT: Final = rf"(?i)(?:{_PIECES}|^[+-]?)[0-9][0-9.,'\s]*$"
_LAST_WORD: Final = r"(\p{Alphabetic}+)\.?\s*(?:/.*)?$"
_ENGLISH: Final = frozenset(
    ["name", "product", "name", "title", "item", "name", "description", "product", "description", "weight", "net", "weight", "gross", "weight", "item", "weight", "product", "weight", "price", "unit", "price", "sku", "country", "of", "origin", "quantity", "weight", "kg", "weight", "g", "long", "description", "short", "description", "recycled", "content"]
) | {"productname", "itemname", "productdescription", "netweight", "grossweight", "itemweight", "productweight", "unitprice", "countryoforigin"}  # fmt: skip


_OTHER_UNITS: Final = {"g": "grams", "lb": "pounds", "oz": "ounces"}
"""Units that a user can choose instead, where kilograms were assumed."""


@dataclass(slots=True)
class _NumberColumn:
    """What was counted and sampled in a column of numbers.

    `bare` counts the numbers without a unit, `units` the units that cells name; `percents` counts
    the cells with a percent sign, `stored` those that are numbers in the file itself.
    """

    evidence: SignEvidence = field(default_factory=SignEvidence)
    stored: int = 0
    units: Counter[str] = field(default_factory=Counter)
    bare: int = 0
    fractions: int = 0  # of the bare ones
    stated: StatedMasses = field(default_factory=StatedMasses)
    bare_sample: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    percents: int = 0
    greatest: float = 0.0


class Survey:
    """Collects evidence from the chunks of a file (`look_at`), then decides how to read it
    (`decide`).
    """

    def __init__(self, source: Source | None) -> None:
        self._source = source
        self._given = Given()
        self._columns: dict[Field, _NumberColumn] = {}
        self._samples: dict[Field, list[str]] = {}
        self._filled: Counter[Field] = Counter()
        self._map: ColumnMap | None = None

    def look_at(self, chunk: RawChunk) -> None:
        """Add the rows of a chunk to the samples and the evidence."""
        self._map = chunk.columns if self._map is None else self._map
        frame = chunk.frame
        for name in chunk.columns.positions:
            if name in frame.columns:
                self._note_samples(name, frame[name])
        for name in NUMBER_FIELDS:
            if name in chunk.columns.positions and name in frame.columns:
                stored = chunk.stored_numbers.get(name, frozenset())
                self._look_at_numbers(name, with_units(frame, name), frame, stored)

    def _note_samples(self, name: Field, cells: pl.Series) -> None:
        """Count the filled cells of a column, and keep its first few different ones."""
        filled = cells.len() - cells.null_count() - int((cells == "").sum() or 0)
        self._filled[name] += filled
        samples = self._samples.setdefault(name, [])
        if len(samples) < _SAMPLES and filled:
            for cell in cells.head(500).drop_nulls():
                text = cell.strip()
                if text and text not in samples and len(samples) < _SAMPLES:
                    samples.append(text[:200])

    def _look_at_numbers(
        self, name: Field, cells: pl.Series, frame: pl.DataFrame, stored: frozenset[int]
    ) -> None:
        """Add some cells of a column to the evidence on its decimal sign, unit and percentages.

        Only text shows how people write decimals: the cells of the rows `stored` are numbers of the
        file itself.
        """
        column = self._columns.setdefault(name, _NumberColumn())
        shown = evidence_of(_where_text(cells, frame[ROW], stored))
        evidence = replace(shown, filled=len(cells) - cells.null_count())
        column.stored += len(stored)
        if evidence.doubtful and len(column.doubtful) < _SAMPLES:
            alike = cells.filter(cells.str.contains(r"[0-9][.,][0-9]{3}(?:[^0-9]|$)"))
            column.doubtful += alike.head(_SAMPLES - len(column.doubtful)).to_list()
        column.evidence += evidence
        filled = cells.drop_nulls()
        plain = filled.str.strip_chars().str.contains(_WITHOUT_UNIT)
        if name in MASSES:
            self._look_at_units(column, filled, plain)
            is_bare = cells.str.contains(_WITHOUT_UNIT)
            column.stated.look_at(frame, cells, is_bare)
        elif name is Field.RECYCLED_SHARE:
            column.percents += int(filled.str.contains("%", literal=True).sum() or 0)
            bare = filled.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).max()
            column.greatest = max(column.greatest, float(str(bare)) if bare is not None else 0.0)

    def _look_at_units(self, column: _NumberColumn, filled: pl.Series, plain: pl.Series) -> None:
        """Count the units that cells name, and sample the numbers without one.

        `filled` are the cells that are not null; `plain` is true where one names no unit.
        """
        bare = filled.filter(plain).str.strip_chars().str.replace(rf"(?i){_PIECES}", "")
        column.bare += bare.len()
        column.fractions += int(bare.str.contains(r"[.,]").sum() or 0)
        if len(column.bare_sample) < _MOST_SAMPLED:
            every = max(1, bare.len() // _BARE_SAMPLE)
            column.bare_sample += bare.gather_every(every).str.strip_chars().to_list()
        words = filled.filter(~plain).str.strip_chars().str.extract(_LAST_WORD, 1).drop_nulls()
        if words.len():
            for word, count in words.str.to_lowercase().value_counts().iter_rows():
                if word in UNIT_NAMES:
                    column.units[UNIT_NAMES[word].name] += count

    # Deciding ------------------------------------------------------------------------------------

    def decide(self, given: Given) -> Decisions:
        """The rules for every column of numbers, and the questions that only the owner can answer.

        `given` is what the user said; it may be called again with another answer.
        """
        self._given = given
        rules: dict[Field, NumberRule] = {}
        doubts: list[Doubt] = []
        for name, column in self._columns.items():
            decimal, why, doubt = self._decide_decimal_sign(name, column)
            doubts += [doubt] if doubt else []
            unit, unit_why = (None, "")
            if name in MASSES:
                unit, unit_why, doubt = self._decide_unit(name, column, decimal)
                doubts += [doubt] if doubt else []
            is_percent = (
                column.percents > 0 or column.greatest > 1 or self._header_says_percent(name)
            )
            shows = column.greatest > 1
            rules[name] = NumberRule(decimal, why, unit, unit_why, is_percent, shows)
        samples = {name: tuple(texts) for name, texts in self._samples.items()}
        assumptions = tuple(
            Assumption(name, self._header(name), "unit", _OTHER_UNITS)
            for name, rule in rules.items()
            if rule.unit_why == _ASSUMED
        )
        return Decisions(rules, tuple(doubts), samples, dict(self._filled), assumptions)

    def _header_says_percent(self, name: Field) -> bool:
        header = self._header(name).casefold()
        return any(word in header for word in _PERCENT)

    def _header(self, name: Field) -> str:
        return (self._map.header(name) if self._map else None) or name.value

    def _decide_decimal_sign(
        self, name: Field, column: _NumberColumn
    ) -> tuple[DecimalSign | None, str, Doubt | None]:
        """(decimal sign, why, question) of a column.

        Without a sign, only cells that can be read in one way are used. The question is None unless
        the user has to decide.
        """
        evidence = column.evidence
        if self._given.decimal:
            return self._given.decimal, "as you said", None
        clear = evidence.points + evidence.commas
        if evidence.sign:
            count = max(evidence.points, evidence.commas)
            return evidence.sign, f"{counted(count, 'cell')} can be read in no other way", None
        if clear:
            return (
                None,
                "decimal points and decimal commas both occur: cells that can be read in two ways are left out",
                None,
            )
        if not evidence.doubtful:
            return ".", "stored as numbers" if column.stored else "no number has decimals", None
        others = sum((one.evidence for one in self._columns.values()), SignEvidence())
        if others.sign:
            return others.sign, "as in the file's other columns", None
        by_form = self._sign_by_file_form(evidence)
        # Text among stored numbers is what a program of another language did not take for one.
        if by_form and not column.stored:
            return *by_form, None
        if evidence.doubtful < 2 or evidence.doubtful < 0.05 * evidence.filled:
            return None, "in doubt: the few cells that can be read in two ways are left out", None
        return None, "in doubt", self._doubt_about_decimal(name, column)

    def _sign_by_file_form(self, evidence: SignEvidence) -> tuple[DecimalSign, str] | None:
        """(decimal sign, why) by the delimiter and the language of the headers; None if unclear."""
        semicolons = self._source is not None and self._source.delimiter == "semicolon"
        if semicolons and evidence.doubtful_commas and not evidence.doubtful_points:
            return ",", "semicolons separate the columns because the comma is the decimal sign"
        if semicolons or evidence.doubtful_commas:
            return None
        return (
            (".", "an English file, whose decimal sign is the point")
            if self._is_english()
            else None
        )

    def _is_english(self) -> bool:
        """Whether the headers in use are ASCII and one is English; true for records without any."""
        if self._map is None or not self._map.headers:
            return True
        named = [self._map.header(name) or "" for name in self._map.positions]
        return any(
            header.strip().casefold().replace("_", " ") in _ENGLISH for header in named
        ) and all(header.isascii() for header in named)

    def _doubt_about_decimal(self, name: Field, column: _NumberColumn) -> Doubt:
        """The question which sign is decimal, with one of the column's own numbers as example."""
        header = self._header(name)
        shown = column.doubtful[0].strip() if column.doubtful else "1.500"
        sign = "." if "." in shown else ","
        digits = next((part for part in shown.split() if sign in part), shown)
        return Doubt(
            name,
            header,
            f"Column {quote(header)}: {quote(digits)} can mean {digits.replace(sign, '.')} or "
            f"{digits.replace(sign, '')}, and none of the {column.evidence.doubtful:,} such cells "
            "shows which.",
            "decimal",
            {"point": "the point is the decimal sign", "comma": "the comma is the decimal sign"},
        )

    def _decide_unit(
        self, name: Field, column: _NumberColumn, decimal: DecimalSign | None
    ) -> tuple[MassUnit | None, str, Doubt | None]:
        """(unit of bare numbers, why, question) of a mass column.

        Without a unit, cells that name none are left out. The question is None unless the user
        has to decide.
        """
        said = self._map.units.get(name) if self._map else None
        if said:
            return (
                said,
                "the header says so"
                if not (self._map and self._map.shop)
                else "as the program exports it",
                None,
            )
        if self._given.unit:
            return self._given.unit, "as you said", None
        named = column.units.total()
        if named > column.bare:
            if len(column.units) == 1:
                unit = next(one for one in UNIT_NAMES.values() if one.name in column.units)
                of_all = f"all {named:,} cells with a unit have this one"
                return (
                    unit,
                    of_all if named > 1 else "the only cell with a unit has this one",
                    None,
                )
            return (
                (None, "each cell names its unit; cells without a unit are left out", None)
                if column.bare
                else (KILOGRAM, "each cell names its unit", None)
            )
        if not column.bare:
            return KILOGRAM, "", None
        return self._unit_by_content(name, column, decimal)

    def _unit_by_content(
        self, name: Field, column: _NumberColumn, decimal: DecimalSign | None
    ) -> tuple[MassUnit | None, str, Doubt | None]:
        """(unit, why, question) where neither header nor cells nor the user name a unit.

        Judged by masses that the texts state, then by how large the numbers are.
        """
        stated = column.stated.evidence(decimal)
        if stated and stated.is_clear:
            texts = counted(
                stated.count, "name or description states", "names or descriptions state"
            )
            why = f"{texts} the same: {stated.example}"
            return stated.unit, why, None
        numbers = _bare_values(column.bare_sample, decimal)
        middle = median(numbers) if numbers else 0.0
        size = f"half of them {middle:,.0f} or more"
        if stated:
            signs = f"names or descriptions suggest grams: {stated.example}"
        elif middle >= _HEAVY_KG:
            signs = size
        elif _is_all_whole(column, numbers) and middle >= _HEAVY_WHOLE_KG:
            signs = f"none with decimals, {size}"
        else:
            return KILOGRAM, _ASSUMED, None
        return KILOGRAM, "in doubt", self._doubt_about_unit(name, signs)

    def _doubt_about_unit(self, name: Field, signs: str) -> Doubt:
        """The question whether a column is in kilograms or grams; `signs` says what hints at
        grams.
        """
        header = self._header(name)
        return Doubt(
            name,
            header,
            f"Column {quote(header)} names no unit, and its numbers ({signs}) may be kilograms or "
            "grams.",
            "unit",
            {"g": "grams", "kg": "kilograms"},
        )


_ASSUMED: Final = "assumed: neither the header nor the cells name a unit"


def _is_all_whole(column: _NumberColumn, numbers: list[float]) -> bool:
    return column.bare >= _FEW and not column.fractions and len(set(numbers)) >= 3


def _bare_values(cells: list[str], decimal: DecimalSign | None) -> list[float]:
    """The values of cells without a unit; of a cell that can be read in two ways, the larger."""
    read = (plain_number(cell, decimal) or plain_number(cell, ",") for cell in cells)
    return [float(number) for number in read if number and _NUMBER.fullmatch(number)]


_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]*)?|\.[0-9]+")


def _where_text(cells: pl.Series, rows: pl.Series, stored: frozenset[int]) -> pl.Series:
    """The cells, as null where the row is one of `stored`."""
    if not stored:
        return cells
    is_text = ~rows.is_in([*stored])
    return (
        pl.DataFrame({"cell": cells, "is_text": is_text})
        .select(pl.when("is_text").then("cell").otherwise(None).alias("cell"))
        .to_series()
    )


def with_units(frame: pl.DataFrame, name: Field) -> pl.Series:
    """The cells of a column of numbers, empty ones as null.

    Weights get the unit that the column of units has for them ("1.5" and "kg" become "1.5 kg"),
    unless it is a unit of sale, such as "pcs".
    """
    cells = frame[name].str.strip_chars()
    cells = frame.select(pl.when(cells != "").then(cells).alias(name)).to_series()
    units = next((one for one in (own_unit(name), Field.WEIGHT_UNIT) if one in frame.columns), None)
    if name not in MASSES or units is None:
        return cells
    unit = pl.col(units).str.strip_chars()
    is_mass = ~unit.str.to_lowercase().is_in([*UNITS_OF_SALE])
    needs_unit = (unit != "") & is_mass & ~pl.col(name).str.contains(r"\p{Alphabetic}")
    joined = (
        pl.when(needs_unit).then(pl.concat_str(name, pl.lit(" "), unit)).otherwise(pl.col(name))
    )
    return frame.select(units, cells.alias(name)).select(joined.alias(name)).to_series()
