"""Parts that are decided by something other than their mass: displays by area, memory by gigabytes.

The amounts come from the bill's attributes. Such a part takes the place of the lines that would
count it by mass. A circuit board whose factor leaves out its chips gets them here, unless the bill
or the attributes name them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.carbon.terms import chips_term, component_term
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from weighbridge.carbon.factors import ComponentFactor, FactorTable
    from weighbridge.carbon.terms import Place, Term
    from weighbridge.domain.answers import Attribute, BillOfMaterials

_M2_PER_SQUARE_INCH_OF_DIAGONAL: Final = 0.0254**2 * (16 * 9) / (16**2 + 9**2)
"""The area of a 16 : 9 display in square metres is this times the square of its diagonal in inches.
"""

CHIPS: Final = "ic_"
"""What the keys of the materials that are integrated circuits begin with."""
PROCESSORS: Final = "processors_"
"""What the names of attributes that count processors begin with."""
HEAVIEST_PROCESSOR_KG: Final = 0.2
"""The most that one processor weighs, with its package and lid."""
_CHIPS_FACTOR: Final = "ic_logic"
"""Key of the material as which chips are counted that the bill does not name."""


class Components(NamedTuple):
    """The terms of all parts, the factors that were used, the lines (from 0) that the parts
    replace, and notes on parts that were dropped.

    `counted_kg_co2e` is the sum of the terms without the chips that boards carry and nobody named.
    """

    terms: list[Term]
    counted_kg_co2e: float
    factors: list[ComponentFactor]
    replaced_lines: frozenset[int]
    notes: list[str]


def count_components(
    subcategory: str, bill: BillOfMaterials, factors: FactorTable, place: Place
) -> Components:
    """The terms of all parts that the attributes name, and of the chips that boards carry and
    nobody named.
    """
    terms: list[Term] = []
    counted: list[ComponentFactor] = []
    notes: list[str] = []
    replaced: set[int] = set()
    for attribute in bill.attributes:
        factor = factors.components.get(attribute.name)
        if factor is None or attribute.value == 0:
            continue
        amount = amount_of(attribute, factor)
        if reason := _why_impossible(attribute, amount, factor, subcategory, bill.mass_kg):
            notes.append(f"dropped: {factor.name} of {attribute.value:g}, because {reason}")
            continue
        terms.append(component_term(factor, amount, attribute.basis, place))
        counted.append(factor)
        replaced.update(_lines_replaced_by(factor, amount, bill, factors))
    counted_kg_co2e = math.fsum(term.contribution.emissions_kg_co2e for term in terms)
    terms.extend(_unnamed_chips(bill, factors, place))
    return Components(terms, counted_kg_co2e, counted, frozenset(replaced), notes)


def _lines_replaced_by(
    factor: ComponentFactor, amount: float, bill: BillOfMaterials, factors: FactorTable
) -> list[int]:
    """The lines (from 0) that count by mass what the part counts by its own measure.

    Chips count as processors only where no board of the bill lacks its own chips, and where they
    weigh no more than `amount` processors can.
    """
    lines = [place for place, line in enumerate(bill.lines) if line.material in factor.replaces]
    if not factor.attribute.startswith(PROCESSORS):
        return lines
    chips_kg = math.fsum(bill.lines[place].mass_kg for place in lines)
    if chips_kg > amount * HEAVIEST_PROCESSOR_KG or _has_bare_board(bill, factors):
        return []
    return lines


def _has_bare_board(bill: BillOfMaterials, factors: FactorTable) -> bool:
    """Whether the bill has a circuit board whose factor leaves out its chips."""
    return any(factors.material(line.material).chips_share > 0 for line in bill.lines)


def amount_of(attribute: Attribute, factor: ComponentFactor) -> float:
    """The amount of the part in the unit of its factor: square metres for a diagonal in inches,
    kilowatt-hours for watt-hours.
    """
    if factor.unit == "m2":
        return attribute.value**2 * _M2_PER_SQUARE_INCH_OF_DIAGONAL
    return attribute.value / 1000 if factor.unit == "kWh" else attribute.value


def _why_impossible(
    attribute: Attribute, amount: float, factor: ComponentFactor, subcategory: str, mass_kg: float
) -> str | None:
    """Why no such product can have that much of the part; None if it can."""
    if not 0 < attribute.value <= factor.largest:
        return f"no product has that value (above 0 and at most {factor.largest:g})"
    largest = dict(factor.largest_by_kind).get(subcategory)
    if largest is not None and attribute.value > largest:
        return (
            f"no product of the kind {subcategory} has that value (above 0 and at most {largest:g})"
        )
    if amount * factor.lightest_kg_per_unit > mass_kg:
        return f"it would weigh more than the {significant(mass_kg, 3)} kg of the whole product"
    return None


def why_not_counted(
    attribute: Attribute, subcategory: str, bill: BillOfMaterials, factors: FactorTable
) -> str | None:
    """Why the calculation would leave out an attribute that a person gives, and which values it
    would count; None if it counts.
    """
    factor = factors.components.get(attribute.name)
    if factor is None or attribute.value == 0:
        return None
    amount = amount_of(attribute, factor)
    reason = _why_impossible(attribute, amount, factor, subcategory, bill.mass_kg)
    if reason is None:
        return None
    by_kind = dict(factor.largest_by_kind).get(subcategory, factor.largest)
    by_mass = _largest_of_mass(factor, bill.mass_kg)
    most = _rounded_down(min(by_kind, factor.largest, by_mass))
    also = (
        " (or more, if you correct the mass too)" if by_mass < min(by_kind, factor.largest) else ""
    )
    return (
        f"{factor.name} of {attribute.value:g} would not be counted, because {reason}. "
        f"Give a value above 0 and at most {most}{also}, or null to remove the value."
    )


def _rounded_down(number: float) -> str:
    """Four significant digits, never more than the number: a value that is said to count must
    count.
    """
    text = f"{number:.4g}"
    if float(text) > number:
        text = f"{number * (1 - 1e-3):.4g}"
    return f"{float(text):.10g}"


def _largest_of_mass(factor: ComponentFactor, mass_kg: float) -> float:
    """The value of the attribute at which the part weighs as much as the whole product; infinity
    where the weight of the part is not known.
    """
    if not factor.lightest_kg_per_unit:
        return math.inf
    amount = mass_kg / factor.lightest_kg_per_unit * (1 - 1e-9)  # what division rounds up
    if factor.unit == "m2":
        return math.sqrt(amount / _M2_PER_SQUARE_INCH_OF_DIAGONAL)
    return amount * 1000 if factor.unit == "kWh" else amount


def _unnamed_chips(bill: BillOfMaterials, factors: FactorTable, place: Place) -> list[Term]:
    """The chips of circuit boards whose factor leaves them out; none where the bill or an attribute
    names chips.
    """
    if any(line.material.startswith(CHIPS) for line in bill.lines):
        return []
    if any(a.name.startswith(PROCESSORS) and a.value > 0 for a in bill.attributes):
        return []
    return [
        chips_term(factors.material(_CHIPS_FACTOR), line.mass_kg * share, place)
        for line in bill.lines
        if (share := factors.material(line.material).chips_share) > 0
    ]
