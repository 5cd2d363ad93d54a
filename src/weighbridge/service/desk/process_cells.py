"""Reads and writes cells with what is known of processes: where they are done, and with how much
energy of which kind.

A cell has one value for all processes of its line, or one for each, separated by semicolons in the
processes' order; an empty value is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.facts import ENERGY_FIGURES, ENERGY_USED, ProcessFacts, process_fact
from weighbridge.errors import AnswerError, InputError
from weighbridge.ingest.values.countries import read_country
from weighbridge.plain_text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable

SEPARATOR: Final = ";"
COUNTRY: Final = "country"
FACT_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    COUNTRY: ("country", "processcountry", "countryofproduction", "productioncountry", "madein"),
    "electricity_kwh_per_kg": ("electricitykwhperkg", "electricitykwhkg"),
    "heat_kwh_per_kg": ("heatkwhperkg", "heatkwhkg"),
    "electricity_kg_co2e_per_kwh": ("electricitykgco2eperkwh", "electricitykgco2ekwh"),
    "heat_kg_co2e_per_kwh": ("heatkgco2eperkwh", "heatkgco2ekwh"),
    "energy_source": ("energysource", "electricitysource"),
}
"""Our name for a column → the headers that it may have in a file, without spaces and punctuation.
"""


def fact_value(name: str, text: str) -> Any:
    """The value of a cell in the column `name`: a list if it has several, None if it is empty.

    Raises:
        InputError: a part of it is no number, or no country.
    """
    if name == "energy_source":
        return text.strip() or None
    values = [_value(name, part.strip()) for part in text.split(SEPARATOR)]
    return values[0] if len(values) == 1 else values


def lenient_fact_value(name: str, text: str) -> Any:
    """As `fact_value`, but parts that cannot be read stay as text, to be refused with the reason
    later.
    """
    if name == "energy_source":
        return fact_value(name, text)
    values = [_value_or_text(name, part.strip()) for part in text.split(SEPARATOR)]
    return values[0] if len(values) == 1 else values


def _value_or_text(name: str, text: str) -> Any:
    try:
        return _value(name, text)
    except InputError:
        return text


def _value(name: str, text: str) -> Any:
    """A number or a country code, None for an empty text.

    Raises:
        InputError: it is neither.
    """
    if not text:
        return None
    if name in ENERGY_FIGURES:
        try:
            return float(text)
        except ValueError:
            raise InputError(f"{name} {text!r} is not a number; write it like 1.25.") from None
    country = read_country(text).code
    if country is None:
        raise InputError(f"{text!r} is not a known country; use its two-letter code, such as DE.")
    return country


def read_facts(
    cells: Mapping[str, str], processes: Sequence[str] | None, factors: FactorTable
) -> dict[str, Any]:
    """The facts in a row of a bill, each checked: its values, and that their number fits the
    processes.

    Raises:
        InputError: says which cannot be, and why.
    """
    found = {}
    for name in ProcessFacts._fields:
        value = fact_value(name, cells.get(name, ""))
        values = value if isinstance(value, list) else [value]
        if all(one is None for one in values):
            continue
        try:
            for one in values:
                process_fact(name, one, factors.electricity)
        except AnswerError as error:
            raise InputError(str(error)) from error
        is_one_for_each = len(values) == len(processes or values)
        if not is_one_for_each and (len(values) > 1 or name in ENERGY_USED):
            raise InputError(
                f"{name} has {counted(len(values), 'value')} for {counted(len(processes or ()), 'process', 'processes')}; "
                "give one value for each process, separated by semicolons."
            )
        found[name] = value
    return found


def written(values: Sequence[Any]) -> Any:
    """The cell for a fact of a line's processes, whose values these are; None if all are unknown.

    A value that all have is written once, but a number is written for each process.
    """
    if len(values) == 1 or (values and len(set(values)) == 1 and not isinstance(values[0], float)):
        return values[0]
    texts = (
        "" if one is None else f"{one:.12g}" if isinstance(one, float) else one for one in values
    )
    return f"{SEPARATOR} ".join(texts) or None
