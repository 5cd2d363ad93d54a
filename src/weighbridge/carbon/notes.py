"""What a reader should know about a figure, in words that fit the product.

Only what matters: each is shown everywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from weighbridge.carbon.combination import DISAGREE_BEYOND
from weighbridge.carbon.completeness import COMPLETE, ELECTRONIC_CATEGORIES, MADE_UP_CATEGORIES
from weighbridge.carbon.data_quality import MASS_TOLERANCE, mass_deviation
from weighbridge.carbon.factors import WORLD
from weighbridge.domain.answers import WeightBasis
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weighbridge.carbon.bill import BillResult
    from weighbridge.carbon.completeness import Completeness
    from weighbridge.carbon.factors import ComponentFactor, MaterialFactor, ProcessFactor
    from weighbridge.carbon.mass_flow import Stage
    from weighbridge.carbon.terms import Place, Term
    from weighbridge.domain.answers import BillOfMaterials, Classification
    from weighbridge.domain.facts import ProductFacts
    from weighbridge.domain.results import Route

_NOT_IN_BILL: Final = {
    **dict.fromkeys(ELECTRONIC_CATEGORIES, "assembly and factory overheads"),
    "Apparel": "sewing, finishing chemicals and factory overheads",
    "Home textiles": "sewing, finishing chemicals and factory overheads",
    "Footwear & leather goods": "stitching, gluing and factory overheads",
    "Furniture": "workshop energy, finishing and overheads",
}
"""Category → what its products need beyond the materials and processes of a bill."""
_WEIGHT_OF: Final = {
    WeightBasis.GROSS: "the given weight is taken to include the packaging",
    WeightBasis.PACK: "the given weight is taken to be that of a pack of several pieces",
    WeightBasis.PALLET: "the given weight is taken to be that of a whole pallet",
    WeightBasis.DECLARED_UNIT: "the given weight is taken to be that of the declared unit",
}
"""Kind of weight → what a note says that the given weight is the weight of, if not of one unit."""
LIGHTEST_KG: Final = 1e-6
HEAVIEST_KG: Final = 1e7
"""A believable mass is between `LIGHTEST_KG` and this: a bare chip weighs milligrams, a ship
thousands of tonnes.
"""
_SLIP_OF_UNITS: Final = 300.0
"""Weights this many times apart are taken for a confusion of kilograms and grams (1,000 times, with
some slack).
"""
_QUANTITY: Final = re.compile(
    r"(?<![\w.,/])(?:(\d{1,4}) ?[x×] ?)?(\d{1,6}(?:[.,]\d{1,2})?) ?(kg|g|ml|cl|l)(?![\w²/])",
    re.IGNORECASE,
)
"""An amount in the name of a product: "500 g", "2,5 kg", "6 x 33 cl"; not "160 g/m²" or "160 gsm".
"""
_GIGA: Final = "G"
"""A number with "G" in the name of a device means gigabytes ("16G") or a generation of networks
("4G"), never grams.
"""
_KG: Final = {"kg": 1.0, "g": 1e-3}
_KG_OF_LIQUID: Final = {"l": 1.0, "cl": 1e-2, "ml": 1e-3}
"""Unit of volume in the name of a product → its kilograms, one litre taken as one kilogram."""
_FILLED: Final = frozenset({"Food & beverages", "Chemicals & personal care"})
"""Categories where litres in a product's name say how much of it there is; in others they say how
much it holds.
"""
_KG_CO2E_PER_EUR: Final = {
    "Food & beverages": 1.0,
    "Chemicals & personal care": 1.6,
    "Building materials": 1.8,
    "Glass & ceramics": 1.8,
    "Paper & packaging": 0.9,
    "Plastics & rubber products": 0.8,
    "Wood products": 0.5,
    "Metal products & components": 0.6,
    "Tools & hardware": 0.6,
    "Machinery & equipment": 0.7,
    "Appliances": 0.7,
    "Lighting & electrical": 0.7,
    "Vehicles & parts": 0.7,
    "Consumer electronics": 0.4,
    "IT & telecom infrastructure": 0.4,
    "Electronic components": 0.4,
    "Apparel": 0.6,
    "Home textiles": 0.6,
    "Footwear & leather goods": 0.6,
    "Furniture": 0.6,
    "Kitchen & household": 0.6,
    "Toys, sports & leisure": 0.6,
}
"""Category → kg CO2e for each euro of the price: the monetary ratios of the product families of
Base Carbone v22.0 (ADEME, Licence Ouverte; elements 25010 to 25024, each ±80 %). Jewellery is left
out: its price says little of how it is made.
"""
_NEAR_A_EURO: Final = frozenset({"EUR", "USD", "GBP", "CHF"})
"""Currencies worth about a euro: near enough for a check by factors of ten."""
_ABOVE_THE_PRICE: Final = 10.0
_BELOW_THE_PRICE: Final = 1 / 100
"""A footprint gets a note if it is below this many times, or above `_ABOVE_THE_PRICE` times, what
the price and `_KG_CO2E_PER_EUR` come to. The ratios are of producers' prices: a shop's margin or a
brand makes a figure low for its price, never high. So the lower bound is further away.
"""
_OTHER_ENERGY: Final = 10.0
"""A stated energy gets a note if it is more than this many times above or below what is usual for
the process: kWh and MJ are 3.6 times apart, kWh for a kilogram and for a tonne a thousand times.
"""
_OTHER_REGION_SHARE: Final = 0.5
"""If at least this share of the bill's emissions rests on factors of other parts of the world, a
note says so.
"""
_SAME_PART_OF_THE_WORLD: Final = 2
"""The geographical rating of factors of the same part of the world as the product."""


def footprint_notes(
    classification: Classification,
    bill: BillOfMaterials,
    place: Place,
    routes: Sequence[Route],
    judged: Completeness,
    result: BillResult,
    class_notes: Sequence[str] = (),
) -> tuple[str, ...]:
    """All notes on a footprint, the gravest first."""
    return (
        *_route_notes(classification, routes, judged),
        *_mass_notes(bill),
        *class_notes,
        *bill.notes,
        *result.components.notes,
        *_electricity_notes(place, result.terms),
        *_energy_notes(result),
        *_region_notes(place, result.terms),
        *_proxy_notes(result),
        *result.skipped,
    )


def _route_notes(
    classification: Classification, routes: Sequence[Route], judged: Completeness
) -> list[str]:
    """Whether the two routes disagree, or what is missing where the bill counts alone."""
    notes = []
    bill, *others = routes
    if others and others[0].weight > 0:
        figures = bill.emissions_kg_co2e, others[0].emissions_kg_co2e
        apart = max(figures) / min(figures)
        if apart > DISAGREE_BEYOND:
            notes.append(
                f"the two routes disagree ×{significant(apart)}: {significant(figures[0])} kg CO2e by "
                f"the bill of materials, {significant(figures[1])} by published figures of such "
                "products"
            )
    elif not judged.complete_articles:
        notes.extend(_bill_alone_notes(classification, judged))
    return notes


def _bill_alone_notes(classification: Classification, judged: Completeness) -> list[str]:
    """Where only the bill counts: what is not in it and therefore missing from the figure."""
    if judged.missing:
        return [f"likely too low: the bill of materials has no {' and no '.join(judged.missing)}"]
    overheads = MADE_UP_CATEGORIES | ELECTRONIC_CATEGORIES
    if classification.category in overheads and judged.log_sigma > COMPLETE:
        left_out = _NOT_IN_BILL[classification.category]
        return [f"likely too low: {left_out} are not in the bill of materials"]
    return []


def _mass_notes(bill: BillOfMaterials) -> list[str]:
    """What is doubtful about the weight that the figure is for."""
    notes = []
    if bill.weight_plausible is False:
        notes.append("the model doubts that the given weight is that of one unit")
    if bill.mass_inferred:
        known = (
            "the weight was not used" if bill.weight_plausible is False else "no weight was given"
        )
        notes.append(f"{known}: the mass was estimated by the model")
    if not LIGHTEST_KG <= bill.mass_kg <= HEAVIEST_KG:
        notes.append(
            f"hardly any product weighs {significant(bill.mass_kg, 3)} kg: check the weight"
        )
    deviation = mass_deviation(bill)
    if deviation > MASS_TOLERANCE:
        notes.append(
            f"the material masses came to {significant(bill.stated_mass_kg, 4)} kg, {deviation:.0%} off, "
            f"and were scaled to {significant(bill.mass_kg, 4)} kg"
        )
    if bill.weight_basis not in (None, WeightBasis.UNIT):
        notes.append(_WEIGHT_OF[bill.weight_basis])
    return notes


def replaced_weight_notes(weight_kg: float | None, bill: BillOfMaterials) -> tuple[str, ...]:
    """The mass that the figure is for, where the model doubts the catalogue's weight, or where a
    correction is far from it.
    """
    if weight_kg is None or weight_kg <= 0:
        return ()
    mass_ratio = max(bill.mass_kg, weight_kg) / min(bill.mass_kg, weight_kg)
    is_doubted = bill.mass_inferred and bill.weight_plausible is False
    is_of_one = bill.weight_basis in (None, WeightBasis.UNIT)
    is_slip = not bill.mass_inferred and is_of_one and mass_ratio > _SLIP_OF_UNITS
    if not (is_doubted or is_slip):
        return ()
    direction = "heavier" if bill.mass_kg > weight_kg else "lighter"
    note = (
        f"the catalogue says {significant(weight_kg, 4)} kg, the figure is for "
        f"{significant(bill.mass_kg, 4)} kg, {significant(mass_ratio, 2)} times {direction}: "
        "check the weight, or correct the mass"
    )
    return (note,)


def name_notes(name: str, category: str, bill: BillOfMaterials) -> tuple[str, ...]:
    """A note where the weight is hundreds of times off the amount in the name, which is a slip of
    the unit.
    """
    if bill.mass_inferred or bill.weight_basis in (WeightBasis.PALLET, WeightBasis.DECLARED_UNIT):
        return ()
    units = _KG | _KG_OF_LIQUID if category in _FILLED else _KG
    is_electronic = category in ELECTRONIC_CATEGORIES
    named = [
        (found.group(), int(found[1] or 1) * float(found[2].replace(",", ".")) * units[unit])
        for found in _QUANTITY.finditer(name)
        if (unit := found[3].lower()) in units and not (is_electronic and found[3] == _GIGA)
    ]
    named = [(text, kg) for text, kg in named if kg > 0]
    if not named or any(1 / _SLIP_OF_UNITS < bill.mass_kg / kg < _SLIP_OF_UNITS for _, kg in named):
        return ()
    text = (
        f"the name says {named[0][0]}, and the weight is {significant(bill.mass_kg, 3)} kg: "
        "check the weight and its unit"
    )
    return (text,)


def price_notes(facts: ProductFacts, category: str, emissions_kg_co2e: float) -> tuple[str, ...]:
    """A note where the figure is unlikely for the price: mostly a slip of a unit, of the pieces or
    of the price.
    """
    ratio = _KG_CO2E_PER_EUR.get(category)
    if ratio is None or not facts.price or facts.currency not in _NEAR_A_EURO:
        return ()
    per_unit = emissions_kg_co2e / facts.price
    if _BELOW_THE_PRICE <= per_unit / ratio <= _ABOVE_THE_PRICE:
        return ()
    text = (
        f"{significant(per_unit)} kg CO2e per {facts.currency} is unlikely; such products come to "
        f"about {significant(ratio)}: check the weight, the pieces and the price"
    )
    return (text,)


def _electricity_notes(place: Place, terms: Iterable[Term]) -> list[str]:
    """A note where the average grid of the world stands in for that of the country."""
    by_world = f"+electricity:{WORLD}"
    if not any(term.contribution.factor_key.endswith(by_world) for term in terms):
        return []
    if place.country is None:
        return ["no country of origin: world average electricity"]
    return [f"no electricity factor for {place.country}: world average electricity"]


def _energy_notes(result: BillResult) -> list[str]:
    """Notes on stated energy that is far from what the factor table has for the process."""
    notes: dict[str, None] = {}
    for chain in result.chains:
        for process, _, _, known in chain.stages:
            for kind, stated, usual in (
                ("electricity", known.electricity_kwh_per_kg, process.kwh_electricity_per_kg),
                ("heat", known.heat_kwh_per_kg, process.kwh_heat_per_kg),
            ):
                if stated and usual and not 1 / _OTHER_ENERGY <= stated / usual <= _OTHER_ENERGY:
                    notes[
                        f"{significant(stated, 3)} kWh of {kind} per kg are stated for "
                        f"{process.name} of {chain.material.name}, where {significant(usual, 3)} "
                        "are usual: check the unit"
                    ] = None
    return list(notes)


def _region_notes(place: Place, terms: Sequence[Term]) -> list[str]:
    """A note where much of the bill rests on factors of another part of the world than the product
    comes from.
    """
    if place.country is None or place.grid.is_world:
        return []
    total = sum(abs(term.rating.emissions_kg_co2e) for term in terms)
    distant = [
        term
        for term in terms
        if term.rating.geographical > _SAME_PART_OF_THE_WORLD
        and WORLD not in term.contribution.region
    ]
    share = sum(abs(term.rating.emissions_kg_co2e) for term in distant) / total if total else 0.0
    if share < _OTHER_REGION_SHARE:
        return []
    return [
        f"{share:.0%} of the bill's emissions rest on factors from another part of the world than {place.grid.name}"
    ]


def _proxy_notes(result: BillResult) -> list[str]:
    """Notes on the proxies among the factors that count; a line that a part replaces does not
    count.
    """
    counted = [
        chain.material
        for number, chain in enumerate(result.line_chains)
        if number not in result.components.replaced_lines
    ]
    stages = [
        stage.process for chain in result.chains for stage in chain.stages if _rests_on_table(stage)
    ]
    used: list[MaterialFactor | ProcessFactor | ComponentFactor] = [*counted, *stages]
    used.extend(result.components.factors)
    proxies = {
        factor.name: factor.proxy_reason for factor in used if factor.proxy_reason is not None
    }
    return [f"proxy for {name}: {reason}" for name, reason in proxies.items()]


def _rests_on_table(stage: Stage) -> bool:
    """Whether any figure of the process comes from the factor table; not where all of them are
    stated.
    """
    process, known = stage.process, stage.known
    return bool(
        process.kg_co2e_per_kg
        or (process.kwh_electricity_per_kg and known.electricity_kwh_per_kg is None)
        or (process.kwh_heat_per_kg and known.heat_kwh_per_kg is None)
    )
