"""Factors for one product: what a supplier or an EPD says of one of its materials, instead of the
factor in the table.

Such a factor is a correction whose target is `factors.MATERIAL`, and is recorded and taken back
like any other. Its value is kg CO2e per kg, or an object with `value`, `low`, `high` and `source`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from weighbridge.carbon.factors import Citation, RangedValue
from weighbridge.domain.answers import BillOfMaterials
from weighbridge.domain.corrections import NOT_APPLIED, OWN_FACTOR, OWN_FACTOR_BY
from weighbridge.domain.history import WITH_OWN_FACTORS
from weighbridge.errors import InputError
from weighbridge.weighing.near_matches import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.factors import FactorTable, MaterialFactor
    from weighbridge.domain.answers import Subject
    from weighbridge.domain.corrections import Change, Correction

FACTORS: Final = "factors"
LARGEST: Final = 1e5
"""The highest factor that is accepted, in kg CO2e per kg: gold and platinum stay below it."""
_FIELDS: Final = frozenset({"value", "low", "high", "source"})
"""The fields that a JSON object with a factor may have."""


def with_product_factors(
    table: FactorTable, corrections: Sequence[Correction], bill: BillOfMaterials
) -> tuple[FactorTable, tuple[str, ...]]:
    """The table with the factors that these corrections give for the product, and notes that say
    so.
    """
    own = {each.change.target: each for each in corrections if each.change.step == FACTORS}
    if not own:
        return table, ()
    materials = dict(table.materials)
    there = {line.material for line in bill.lines}
    notes = []
    for each in own.values():
        (key,) = each.change.path
        if key in materials and key in there:
            materials[key] = _factor(materials[key], each)
            notes.append(each.note({}).replace(key, materials[key].name, 1))
        else:
            notes.append(f"{NOT_APPLIED}{each.says}: the bill no longer has this material")
    if materials == table.materials:
        return table, tuple(notes)
    version = f"{table.version}{WITH_OWN_FACTORS}"
    return replace(table, materials=materials, version=version), tuple(notes)


def _factor(table: MaterialFactor, each: Correction) -> MaterialFactor:
    """The factor of the table with the value, range and source that a correction gives."""
    value = each.change.value
    stated = value if isinstance(value, dict) else {"value": value}
    number = float(stated["value"])
    source = str(stated.get("source") or each.reason or OWN_FACTOR)
    return replace(
        table,
        kg_co2e_per_kg=RangedValue(
            number, float(stated.get("low", number)), float(stated.get("high", number))
        ),
        citation=Citation(
            source,
            f"{OWN_FACTOR_BY}{each.made_by}",
            f"{each.made_at:%Y}",
            table.citation.region,
            "as its owner says",
        ),
        technological_quality=1,
        proxy_reason=None,
        replaced_by=None,
    )


def factor_before(
    code: str, table: FactorTable, subject: Subject, change: Change, active: Sequence[Correction]
) -> Any:
    """The factor that the change replaces: the value of the latest such correction in `active`, or
    that of the table in kg CO2e per kg.

    Raises InputError when the change cannot be made; the message names the product and the target.
    """
    where = f"{code}: {change.target}"
    bill = subject.answer(BillOfMaterials)
    there = list(dict.fromkeys(line.material for line in bill.lines)) if bill else []
    if len(change.path) != 1 or change.path[0] not in there:
        meant = did_you_mean(change.path, dict.fromkeys(there, ""))
        raise InputError(
            f"{where}: the product's bill of materials has no such material.{meant} "
            f"It has: {', '.join(there) or 'none'}."
        )
    _refuse_if_no_factor(where, change.value)
    earlier = [each for each in active if each.change.target == change.target]
    if earlier:
        return earlier[-1].after
    return table.material(change.path[0]).kg_co2e_per_kg.value


def _refuse_if_no_factor(where: str, value: Any) -> None:
    """Raises InputError for a value that is no factor."""
    stated = value if isinstance(value, dict) else {"value": value}
    if unknown := stated.keys() - _FIELDS:
        raise InputError(
            f"{where}: {', '.join(sorted(unknown))} is not a field of a factor. "
            "Give value and, if known, low, high and source."
        )
    numbers = [stated.get("value"), *(stated[name] for name in ("low", "high") if name in stated)]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InputError(f"{where}: give value, low and high as numbers, in kg CO2e per kg.")
        if not 0 <= number <= LARGEST:  # as it is: a whole number may be too long for a float
            raise InputError(
                f"{where}: {str(number)[:20].removesuffix('.0')} kg CO2e per kg is not possible; "
                f"give a number from 0 to {LARGEST:,.0f}."
            )
    if not stated.get("low", numbers[0]) <= numbers[0] <= stated.get("high", numbers[0]):
        raise InputError(f"{where}: low must not be above value, nor value above high.")
    if not isinstance(stated.get("source", ""), str):
        raise InputError(f"{where}: the source must be text.")
