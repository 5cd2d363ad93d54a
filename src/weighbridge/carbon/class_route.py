"""The class route: what others published for whole products of the same kind, scaled to the
product's mass.

Each reference is scaled by (mass / its mass)^0.65: a product twice as heavy has about one and a
half times the emissions. Within one maker and kind, the references themselves rise with the power
0.61 of the mass: 0.3 for computers and monitors, whose chips weigh little, 1.0 for the rest. So the
exponent is known to about ±0.35, and a reference says less, the further its mass is from the
product's. References per kilogram (food) are scaled by the mass of what is in the package, and all
by the mass itself where the weight is that of a declared unit or a pallet. Where nobody knows the
weight, references count as they are, per unit; the further a reference's mass is from the one that
was inferred, the wider is its spread, and the less it counts.

The figure is the weighted geometric mean over makers. Makers differ from each other (τ = 0.3) and
the products of one from each other (s = 0.5), so the figure of a maker with n products has the
variance τ² + s²/n, and counts by the inverse of that: fifty products count 3.6 times as much as
one, five hundred 3.8 times. The spread is that of all references around the mean: between makers,
within each, and each row's own. References of unknown mass count per unit, with a spread for the
size.

A kind that nobody published is compared with the kinds that are made much like it (a thin client
with desktop computers). Among published kinds, 44 pairs that are alike in that way differ by 0.6
(root mean square of the logarithm; the mean is 0): so much is added to the spread, and a note
names the kinds.

A product whose display, memory, drives and battery alone come to more than the class figure has
more in it than the published products: the class is off by at least that much, which is added to
its spread.

A product far lighter or heavier than all references is either not of that kind or has a wrong
weight: a note says so. Pieces per pack that would make each piece too light do not count.
"""

from __future__ import annotations

import math
from functools import lru_cache
from operator import mul
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.carbon.data_quality import Rating, temporal_rating
from weighbridge.carbon.factors import Citation
from weighbridge.domain.answers import PIECES_PER_PACK, WeightBasis
from weighbridge.domain.results import Contribution, ContributionKind
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.factors import ClassReference, FactorTable, Kind
    from weighbridge.carbon.terms import Place
    from weighbridge.domain.answers import BillOfMaterials, Classification

SCALING_EXPONENT: Final = 0.65
"""A published figure is scaled to the product by the ratio of their masses to this power."""
LEAST_SPREAD: Final = 0.5
"""The logarithmic spread of a class is taken to be at least this, even if it has only one reference
or its references happen to agree.
"""
BETWEEN_MAKERS: Final = 0.3
"""Standard deviation, between manufacturers, of the logarithm of published figures (τ in the
docstring of the module).
"""
WITHIN_MAKER: Final = 0.5
"""Standard deviation, between the products of one manufacturer, of the logarithm of published
figures (s in the docstring of the module).
"""
EXPONENT_SPREAD: Final = 0.35
"""How far the scaling exponent of a single kind of product may be from `SCALING_EXPONENT`: kinds
have 0.3 to 1.0.
"""
BETWEEN_KINDS: Final = 0.6
"""How far apart (in logarithms) the published figures of two kinds of product are if the two are
made much alike.
"""
UNKNOWN_SIZE: Final = 0.4
"""How far off (in logarithms) a published figure may be because the weight of its product is not
published.
"""

OTHER_SIZE: Final = 30.0
"""A product this many times lighter or heavier than every published product of its kind gets a note
that says so.
"""

_WORTH_A_NOTE: Final = 1.5
"""If display, memory, drives and battery alone come to at least this many times the class figure, a
note says so.
"""
_Z95: Final = 1.96
_KINDS_REMEMBERED: Final = 2048
"""How many results each cached function about the manufacturers of a kind of product keeps."""
_PER_UNIT: Final = 0.0
_PER_KG: Final = 1.0
"""Exponent of the mass for published figures per kg; `_PER_UNIT` is that for figures per unit."""
_ACTIVITY_UNITS: Final = {_PER_UNIT: "unit", SCALING_EXPONENT: "kg^0.65", _PER_KG: "kg"}
"""Exponent of the mass → unit of the amount that the published figure is multiplied by."""
_LINEAR: Final = (WeightBasis.PALLET, WeightBasis.DECLARED_UNIT)
"""Kinds of weight that say how much is sold, not how large one product is: for these a published
figure is multiplied by the ratio of the weights itself, not by a power of it.
"""
_IDS_SHOWN: Final = 3
"""How many source ids a citation lists."""
_THE_KIND: Final = "the kind"
_SIMILAR_KINDS: Final = "similar kinds"
"""What notes call the kinds whose references stand in where the product's own kind has none."""
_RATING_OF_THE_KIND: Final = 2
_RATING_OF_SIMILAR_KINDS: Final = 3
"""Technological rating of published figures for similar kinds; 2 is that of figures for the kind
itself.
"""
FOOD: Final = "Food & beverages"
_PACKAGING: Final = ("packaging", "package", "carton", "box")
"""A line whose component has one of these words is packaging, not the product itself."""
_PACKAGING_FAMILIES: Final = frozenset(
    {"aluminium", "foam", "glass", "paper", "plastic", "stainless", "steel", "wood"}
)
"""Families of materials that food is packed in and never consists of."""


class MakerFigure(NamedTuple):
    """What one maker (or study) published for a kind of product, as one figure."""

    log_mean: float  # of kg CO2e / mass^exponent
    variance: float  # of the logarithm
    exponent: float  # of the mass
    products: int  # how many it published
    maker: str
    name: str
    citation: Citation
    log_mass: float | None = None  # of the products' masses in kg, where they are known
    lightest_kg: float | None = None  # of those masses
    heaviest_kg: float | None = None


class ClassFigure(NamedTuple):
    """The figure of the class route, for one unit of the product."""

    emissions_kg_co2e: float
    log_spread: float  # standard deviation of the logarithm
    contributions: tuple[Contribution, ...]
    ratings: tuple[Rating, ...]
    basis: str
    notes: tuple[str, ...] = ()


class _Pack(NamedTuple):
    """How many pieces the product counts as, and the notes on them and on the weight."""

    pieces: float
    notes: tuple[str, ...]


def class_figure(
    classification: Classification, bill: BillOfMaterials, place: Place
) -> ClassFigure | None:
    """The class figure for a product of this kind and mass; None where nobody published one, not
    even of a similar kind.
    """
    kind = classification.category, classification.subcategory
    references = _applicable(place.factors.references.get(kind, ()), bill)
    borrowed = not references
    if borrowed:
        references = _applicable(place.factors.references_like(kind), bill)
    if not references:
        return None
    makers = _maker_figures(references, _exponent(bill))
    pieces, notes = _pack(makers, bill, _SIMILAR_KINDS if borrowed else _THE_KIND)
    is_food = classification.category == FOOD and references[0].per_kg
    net_kg = _food_kg(bill, place.factors) if is_food else _net_kg(bill)
    log_mass = math.log(net_kg / pieces)
    weights = _weights(makers)
    estimates = [maker.log_mean + maker.exponent * log_mass for maker in makers]
    mean = math.fsum(map(mul, weights, estimates))
    variances = [
        maker.variance + (estimate - mean) ** 2 + _size_gap(maker, log_mass) ** 2
        for maker, estimate in zip(makers, estimates, strict=True)
    ]
    emissions_kg_co2e = pieces * math.exp(mean)
    spread = max(LEAST_SPREAD, math.sqrt(math.fsum(map(mul, weights, variances))))
    shares = [emissions_kg_co2e * weight for weight in weights]
    technological = _RATING_OF_SIMILAR_KINDS if borrowed else _RATING_OF_THE_KIND
    return ClassFigure(
        emissions_kg_co2e,
        math.hypot(spread, BETWEEN_KINDS) if borrowed else spread,
        tuple(map(_contribution, makers, shares)),
        tuple(
            _rating(maker, share, technological, place)
            for maker, share in zip(makers, shares, strict=True)
        ),
        _basis(makers),
        (*_borrowed_note(kind, references, borrowed=borrowed), *notes),
    )


def with_greater_parts(figure: ClassFigure, parts_kg_co2e: float) -> ClassFigure:
    """The class figure with a wider spread where the product's own parts alone come to more;
    `parts_kg_co2e` is what they come to.
    """
    parts_by_figure = parts_kg_co2e / figure.emissions_kg_co2e
    if parts_by_figure <= 1:
        return figure
    text = (
        "its display, memory, drives, battery and processors alone come to "
        f"{significant(parts_kg_co2e)} kg CO2e, more than published figures of such products "
        f"({significant(figure.emissions_kg_co2e)}): the published figures count less"
    )
    notes = (*figure.notes, text) if parts_by_figure >= _WORTH_A_NOTE else figure.notes
    return figure._replace(
        log_spread=math.hypot(figure.log_spread, math.log(parts_by_figure)), notes=notes
    )


def _borrowed_note(
    kind: Kind, references: Sequence[ClassReference], *, borrowed: bool
) -> tuple[str, ...]:
    """The note that names the similar kinds whose figures are used; no note where they are of the
    kind itself.
    """
    if not borrowed:
        return ()
    similar = " and ".join(dict.fromkeys(reference.subcategory for reference in references))
    return (f"no published figures of {kind[1]}: compared with those of {similar}",)


@lru_cache(_KINDS_REMEMBERED)
def _weights(makers: tuple[MakerFigure, ...]) -> tuple[float, ...]:
    """Each maker's weight in the mean, by how precisely its figure is known; they add up to 1."""
    precisions = [1 / (BETWEEN_MAKERS**2 + WITHIN_MAKER**2 / m.products) for m in makers]
    total = math.fsum(precisions)
    return tuple(precision / total for precision in precisions)


def _size_gap(maker: MakerFigure, log_mass: float) -> float:
    """How far (in logarithms) a maker's figure may be off because its products are of another
    size.
    """
    if maker.exponent == _PER_KG:
        return 0.0
    if maker.log_mass is None:
        return UNKNOWN_SIZE
    exponent = SCALING_EXPONENT if maker.exponent == _PER_UNIT else EXPONENT_SPREAD
    return exponent * (log_mass - maker.log_mass)


def _applicable(
    references: tuple[ClassReference, ...], bill: BillOfMaterials
) -> tuple[ClassReference, ...]:
    """The references without those that are for products with a part that this one does not
    have.
    """
    if not any(reference.needs for reference in references):
        return references
    return tuple(
        reference
        for reference in references
        if not reference.needs
        or any(line.material.startswith(tuple(reference.needs)) for line in bill.lines)
    )


def _exponent(bill: BillOfMaterials) -> float:
    """The power of the mass by which references are scaled: 0 where nobody knows the weight, 1
    where the weight is that of a pallet or a declared unit.
    """
    if bill.mass_inferred and bill.weight_plausible is None:
        return _PER_UNIT
    return _PER_KG if bill.weight_basis in _LINEAR else SCALING_EXPONENT


def _pack(makers: Sequence[MakerFigure], bill: BillOfMaterials, kind: str) -> _Pack:
    """How many pieces the product counts as, with notes where pieces or weight do not fit the
    published products; `kind` is how the notes call those.
    """
    named = (a.value for a in bill.attributes if a.name == PIECES_PER_PACK)
    pieces = max(1.0, next(named, 1.0))
    weighed = [maker for maker in makers if maker.exponent != _PER_KG]
    light = [maker.lightest_kg for maker in weighed if maker.lightest_kg is not None]
    heavy = [maker.heaviest_kg for maker in weighed if maker.heaviest_kg is not None]
    if not (light and heavy):
        return _Pack(pieces, ())
    lightest, heaviest = min(light), max(heavy)
    published = f"{significant(lightest, 3)} to {significant(heaviest, 3)} kg"
    if lightest == heaviest:
        published = f"{significant(lightest, 3)} kg"
    notes = []
    if pieces > 1 and bill.mass_kg / pieces * OTHER_SIZE < lightest:
        notes.append(
            f"dropped: {pieces:g} pieces per pack, because each would weigh "
            f"{significant(bill.mass_kg / pieces, 3)} kg; published products of {kind} weigh {published}"
        )
        pieces = 1.0
    piece_kg = bill.mass_kg / pieces
    if not lightest / OTHER_SIZE <= piece_kg <= heaviest * OTHER_SIZE:
        notes.append(
            f"a mass of {significant(piece_kg, 3)} kg is far from that of published products of {kind} "
            f"({published}): check the weight and the subcategory"
        )
    return _Pack(pieces, tuple(notes))


def _net_kg(bill: BillOfMaterials) -> float:
    """The mass without packaging where the weight is gross: references are for what is inside."""
    if bill.weight_basis is not WeightBasis.GROSS:
        return bill.mass_kg
    net = math.fsum(
        line.mass_kg
        for line in bill.lines
        if not any(word in line.component.casefold() for word in _PACKAGING)
    )
    return net if net > 0 else bill.mass_kg


def _food_kg(bill: BillOfMaterials, factors: FactorTable) -> float:
    """The mass without jars, cans and cartons: figures per kilogram of food are for what is
    inside.
    """
    food = math.fsum(
        line.mass_kg
        for line in bill.lines
        if factors.material(line.material).family not in _PACKAGING_FAMILIES
    )
    return food if food > 0 else bill.mass_kg


@lru_cache(_KINDS_REMEMBERED)
def _maker_figures(
    references: tuple[ClassReference, ...], exponent: float
) -> tuple[MakerFigure, ...]:
    """One figure for each maker. A maker whose references all lack a mass gets a figure per
    unit.
    """
    groups: dict[tuple[str, bool], list[ClassReference]] = {}
    for reference in references:
        groups.setdefault((reference.maker, reference.per_kg), []).append(reference)
    return tuple(
        _maker_figure(members, _PER_KG if per_kg else exponent)
        for (_, per_kg), members in groups.items()
    )


def _maker_figure(published: Sequence[ClassReference], exponent: float) -> MakerFigure:
    """One maker's references as one figure: their geometric mean at 1 kg."""
    members = [one for one in published if one.per_kg or one.mass_kg is not None]
    if exponent == _PER_UNIT or not members:
        exponent, members = _PER_UNIT, list(published)
    logs = [math.log(m.kg_co2e) - exponent * math.log(m.mass_kg or 1.0) for m in members]
    mean = math.fsum(logs) / len(logs)
    variance = math.fsum(
        (log - mean) ** 2 + member.range_log_sigma**2
        for log, member in zip(logs, members, strict=True)
    ) / len(logs)
    first = members[0]
    known = [m.mass_kg for m in members if m.mass_kg is not None]
    masses = list(map(math.log, known))
    return MakerFigure(
        mean,
        variance,
        exponent,
        sum(member.count for member in members),
        first.maker,
        first.name
        if len(members) == 1
        else " and ".join(dict.fromkeys(member.subcategory for member in members)),
        _citation(members),
        math.fsum(masses) / len(masses) if masses else None,
        min(known, default=None),
        max(known, default=None),
    )


def _citation(members: Sequence[ClassReference]) -> Citation:
    """All sources of these references as one."""
    cited = [member.citation for member in members]
    ids = list(dict.fromkeys(c.source_id for c in cited))
    more = f" and {len(ids) - _IDS_SHOWN:,} more" if len(ids) > _IDS_SHOWN else ""
    years = sorted({c.year for c in cited})
    return Citation(
        source="; ".join(dict.fromkeys(c.source for c in cited)),
        source_id="; ".join(ids[:_IDS_SHOWN]) + more,
        year=years[0] if len(years) == 1 else f"{years[0]}-{years[-1]}",
        region=";".join(dict.fromkeys(c.region for c in cited)),
        licence=" AND ".join(dict.fromkeys(c.licence for c in cited)),
    )


def _contribution(maker: MakerFigure, share_kg_co2e: float) -> Contribution:
    """The contribution of a maker, with its range; `share_kg_co2e` is its share of the class
    figure.
    """
    factor = math.exp(maker.log_mean)
    activity = share_kg_co2e / factor
    range_factor = math.exp(_Z95 * math.sqrt(maker.variance))
    cited = maker.citation
    products = "1 product" if maker.products == 1 else f"{maker.products} products"
    return Contribution(
        ContributionKind.CLASS_REFERENCE,
        f"class:{maker.maker}",
        _ACTIVITY_UNITS[maker.exponent],
        factor,
        cited.source,
        cited.source_id,
        cited.year,
        cited.region,
        cited.licence,
        False,
        f"{maker.name}, {products} of {maker.maker}",
        activity,
        activity * factor,
        activity * factor / range_factor,
        activity * factor * range_factor,
    )


def _rating(maker: MakerFigure, share_kg_co2e: float, technological: int, place: Place) -> Rating:
    """The data quality of a maker's contribution, which counts by `share_kg_co2e`."""
    cited = maker.citation
    return Rating(
        share_kg_co2e, technological, place.geographical(cited.region), temporal_rating(cited.year)
    )


def _basis(makers: Sequence[MakerFigure]) -> str:
    """What the class route rests on, in words: "7 published products of 3 makers"."""
    products = sum(maker.products for maker in makers)
    published = "1 published product" if products == 1 else f"{products} published products"
    return f"{published} of {makers[0].maker if len(makers) == 1 else f'{len(makers)} makers'}"
