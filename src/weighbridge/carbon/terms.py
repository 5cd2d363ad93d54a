"""From mass flows to contributions: activity × factor, with its source, its spread and its ratings.

`calculate` adds the terms up. A process gives up to three of them (electricity, heat, direct
emissions), whose activity comes from the process's inventory and whose factor from the grid or the
heat supply: both are cited, and both spread. What a person knows of a process (its country, its
energy and where that comes from) replaces either, for this term alone. All but the mass is the same
for every product from one country: a `Rate`, worked out once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weighbridge.carbon.data_quality import (
    Rating,
    geographical_rating,
    temporal_rating,
    years_named,
)
from weighbridge.carbon.factors import (
    WORLD,
    Citation,
    ElectricityFactor,
    FactorTable,
    ProcessFactor,
    RangedValue,
)
from weighbridge.carbon.uncertainty import Spread, bounds, range_factor, spread
from weighbridge.domain.answers import AttributeBasis
from weighbridge.domain.results import Contribution, ContributionKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.carbon.factors import ComponentFactor, MaterialFactor
    from weighbridge.carbon.mass_flow import Chain, Stage
    from weighbridge.domain.answers import BomLine
    from weighbridge.domain.facts import ProcessFacts

_KG: Final = "kg"
_KWH: Final = "kWh"
_RATES_REMEMBERED: Final = 16_384
ON_THE_BOARD: Final = " (on the board, not in the bill)"
"""Last words of the label of chips that a board carries and no line of the bill names."""
_LABEL: Final = Contribution._fields.index("label")
"""Position, among the fields of a contribution, of the first that differs between products."""


class Term(NamedTuple):
    """A contribution with its spreads, which the range needs, and its rating, which the data
    quality needs.
    """

    contribution: Contribution
    spreads: tuple[Spread, ...]
    rating: Rating


@dataclass(frozen=True, slots=True, eq=False)
class Rate:
    """A term without its mass: for each kilogram that is bought or worked (for a part: for each
    unit of it) `activity_per_kg` in `activity_unit`, times `factor`.

    `spreads` are those of one unit of activity. The 95 % range of a term is its emissions divided
    and multiplied by `range_factor`; that is None where the range depends on the activity.
    """

    kind: ContributionKind
    label: str
    factor_key: str
    activity_per_kg: float
    activity_unit: str
    factor: float
    spreads: tuple[Spread, ...]
    citation: Citation
    is_proxy: bool
    ratings: tuple[int, int, int]
    range_factor: float | None = field(init=False)
    in_common: tuple[Any, ...] = field(init=False)
    """The values that all contributions made from this rate share: those of the fields before the
    label.
    """

    def __post_init__(self) -> None:
        """Work out what is the same for every product."""
        object.__setattr__(self, "range_factor", range_factor(self.spreads))
        cited = self.citation
        in_common = Contribution(
            kind=self.kind,
            factor_key=self.factor_key,
            activity_unit=self.activity_unit,
            factor=self.factor,
            source=cited.source,
            source_id=cited.source_id,
            year=cited.year,
            region=cited.region,
            licence=cited.licence,
            is_proxy=self.is_proxy,
            label="",
            activity=0.0,
            emissions_kg_co2e=0.0,
            low_kg_co2e=0.0,
            high_kg_co2e=0.0,
        )
        object.__setattr__(self, "in_common", in_common[:_LABEL])


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a product comes from, and what that means for electricity.

    Made once for each country.
    """

    country: str | None
    grid: ElectricityFactor
    factors: FactorTable

    @staticmethod
    @lru_cache(1024)
    def of(country: str | None, factors: FactorTable) -> Place:
        """The place with the grid of the country, or of the world where that grid is not known."""
        return Place(country, factors.electricity_for(country), factors)

    def geographical(self, region: str) -> int:
        """The geographical rating of a factor from `region`."""
        return geographical_rating(region, self.country, self.factors)


def material_term(line: BomLine, chain: Chain, place: Place) -> Term:
    """The emissions of the raw material for one line of the bill, what is lost in the processes
    included.
    """
    rate = _material_rate(chain.material, place)
    label = f"{rate.label} ({line.component})" if line.component else rate.label
    return _term(rate, label, line.mass_kg * (chain.input_kg / chain.mass_kg))


def process_terms(stage: Stage, chain: Chain, place: Place) -> Sequence[Term]:
    """The emissions of one process on one material: electricity, heat and direct emissions, where
    it has them.
    """
    rates = _process_rates(stage.process, stage.known, chain.material, place)
    return [_term(rate, rate.label, stage.worked_kg) for rate in rates]


def component_term(
    factor: ComponentFactor, amount: float, basis: AttributeBasis, place: Place
) -> Term:
    """The emissions of a part that counts by area, capacity or piece; `amount` is in the unit of
    the factor.
    """
    return _term(_component_rate(factor, place), f"{factor.name} ({basis.value})", amount)


def chips_term(chips: MaterialFactor, mass_kg: float, place: Place) -> Term:
    """The emissions of the chips on a board that the bill does not name."""
    rate = _material_rate(chips, place)
    return _term(rate, f"{rate.label}{ON_THE_BOARD}", mass_kg)


@lru_cache(_RATES_REMEMBERED)
def _component_rate(factor: ComponentFactor, place: Place) -> Rate:
    """The rate of a part that counts by area, capacity or piece."""
    return Rate(
        kind=ContributionKind.COMPONENT,
        label=factor.name,
        factor_key=factor.attribute,
        activity_per_kg=1.0,
        activity_unit=factor.unit,
        factor=factor.kg_co2e_per_unit.value,
        spreads=(spread(factor.attribute, factor.kg_co2e_per_unit),),
        citation=factor.citation,
        is_proxy=factor.is_proxy,
        ratings=_ratings(3 if factor.is_proxy else 2, factor.citation, place),
    )


@lru_cache(_RATES_REMEMBERED)
def _material_rate(material: MaterialFactor, place: Place) -> Rate:
    """The rate of a material by the kilogram."""
    return Rate(
        kind=ContributionKind.MATERIAL,
        label=material.name,
        factor_key=material.key,
        activity_per_kg=1.0,
        activity_unit=_KG,
        factor=material.kg_co2e_per_kg.value,
        spreads=(spread(material.key, material.kg_co2e_per_kg),),
        citation=material.citation,
        is_proxy=material.is_proxy,
        ratings=_ratings(material.technological_quality, material.citation, place),
    )


@lru_cache(_RATES_REMEMBERED)
def _process_rates(
    process: ProcessFactor, known: ProcessFacts, material: MaterialFactor, place: Place
) -> tuple[Rate, ...]:
    """The rates of a process on a material: electricity, heat and direct emissions, where it has
    them.
    """
    label = f"{process.name}: {material.name}"
    if known.country is not None:
        place = Place.of(known.country, place.factors)
    rates = []
    electricity = _energy_use(process.kwh_electricity_per_kg, known.electricity_kwh_per_kg)
    if electricity.kwh_per_kg:
        supply = _electricity_supply(known, place)
        rates.append(
            _energy_rate(
                ContributionKind.PROCESS_ELECTRICITY,
                f"{label}, electricity ({supply.name})",
                (process, electricity, supply),
                known,
                place,
            )
        )
    heat = _energy_use(process.kwh_heat_per_kg, known.heat_kwh_per_kg)
    if heat.kwh_per_kg:
        rates.append(
            _energy_rate(
                ContributionKind.PROCESS_HEAT,
                f"{label}, heat",
                (process, heat, _heat_supply(known, place)),
                known,
                place,
            )
        )
    if process.kg_co2e_per_kg:
        rates.append(
            Rate(
                kind=ContributionKind.PROCESS_DIRECT,
                label=f"{label}, direct emissions",
                factor_key=process.key,
                activity_per_kg=1.0,
                activity_unit=_KG,
                factor=process.kg_co2e_per_kg,
                spreads=(_process_spread(process),),
                citation=process.citation,
                is_proxy=process.is_proxy,
                ratings=_ratings(process.technological_quality, process.citation, place),
            )
        )
    return tuple(rates)


class _EnergyUse(NamedTuple):
    """How much energy a process takes; `is_stated` by somebody who knows it, not by the factor
    table.
    """

    kwh_per_kg: float
    is_stated: bool


class _Supply(NamedTuple):
    """Where the electricity or heat of a process comes from."""

    key: str
    name: str
    kg_co2e_per_kwh: RangedValue
    citation: Citation


def _energy_use(usual_kwh_per_kg: float, stated_kwh_per_kg: float | None) -> _EnergyUse:
    """The stated energy use where there is one, otherwise the usual one; both in kWh per kg."""
    if stated_kwh_per_kg is None:
        return _EnergyUse(usual_kwh_per_kg, False)
    return _EnergyUse(stated_kwh_per_kg, True)


def _electricity_supply(known: ProcessFacts, place: Place) -> _Supply:
    """The electricity that a process uses: with the stated factor where there is one, otherwise
    from the grid.
    """
    if known.electricity_kg_co2e_per_kwh is not None:
        return _stated_supply("electricity", known.electricity_kg_co2e_per_kwh, known, place)
    grid = place.grid
    return _Supply(f"electricity:{grid.country}", grid.name, grid.kg_co2e_per_kwh, grid.citation)


def _heat_supply(known: ProcessFacts, place: Place) -> _Supply:
    """The heat that a process uses: with the stated factor where there is one, otherwise with that
    of the table.
    """
    if known.heat_kg_co2e_per_kwh is not None:
        return _stated_supply("heat", known.heat_kg_co2e_per_kwh, known, place)
    heat = place.factors.heat
    return _Supply(heat.key, heat.name, heat.kg_co2e_per_kwh, heat.citation)


def _stated_supply(kind: str, kg_co2e_per_kwh: float, known: ProcessFacts, place: Place) -> _Supply:
    """A supply with the factor that somebody states; without a range, because they give none."""
    return _Supply(
        f"{kind}:{AttributeBasis.STATED}",
        known.energy_source or AttributeBasis.STATED.value,
        RangedValue(kg_co2e_per_kwh, kg_co2e_per_kwh, kg_co2e_per_kwh),
        _stated_citation(known, place),
    )


def _stated_citation(known: ProcessFacts, place: Place) -> Citation:
    """The source of figures that somebody states for a process."""
    source = known.energy_source or "stated for this process"
    years = years_named(source)
    return Citation(
        source,
        "stated for this process",
        years[-1] if years else "not stated",
        place.country or WORLD,
        "as its owner says",
    )


def _energy_rate(
    kind: ContributionKind,
    label: str,
    multiplied: tuple[ProcessFactor, _EnergyUse, _Supply],
    known: ProcessFacts,
    place: Place,
) -> Rate:
    """The rate of the electricity or heat of a process; `multiplied` has the process, its energy
    use, and the supply whose factor that is multiplied by.
    """
    process, use, supply = multiplied
    inventory = _stated_citation(known, place) if use.is_stated else process.citation
    of_supply = spread(supply.key, supply.kg_co2e_per_kwh)
    return Rate(
        kind=kind,
        label=f"{label} ({AttributeBasis.STATED})" if use.is_stated else label,
        factor_key=f"{process.key}+{supply.key}",
        activity_per_kg=use.kwh_per_kg,
        activity_unit=_KWH,
        factor=supply.kg_co2e_per_kwh.value,
        spreads=(of_supply,) if use.is_stated else (_process_spread(process), of_supply),
        citation=_cited_together(supply.citation, inventory),
        is_proxy=process.is_proxy and not use.is_stated,
        ratings=(
            1 if use.is_stated else process.technological_quality,
            place.geographical(supply.citation.region),
            _older_rating(supply.citation, inventory),
        ),
    )


def _term(rate: Rate, label: str, mass_kg: float) -> Term:
    """A rate times a mass: the contribution, with its range and its ratings."""
    activity = mass_kg * rate.activity_per_kg
    emissions = activity * rate.factor
    spreads = rate.spreads
    if rate.range_factor is None:
        spreads = tuple(
            each._replace(sigma_kg_co2e=each.sigma_kg_co2e * activity) for each in spreads
        )
        low, high = bounds(spreads, emissions)
    else:
        low, high = emissions / rate.range_factor, emissions * rate.range_factor
    # Fields by name took half as long again, a dozen times a product.
    own = (label, activity, emissions, low, high)
    contribution = Contribution._make((*rate.in_common, *own))
    return Term(contribution, spreads, Rating(emissions, *rate.ratings))


def _process_spread(process: ProcessFactor) -> Spread:
    """The spread of a process: the same for its electricity, heat and direct emissions, which come
    from one inventory.
    """
    return spread(process.key, RangedValue(1.0, process.range_low, process.range_high))


def _ratings(technological: int, citation: Citation, place: Place) -> tuple[int, int, int]:
    """The technological, geographical and temporal rating."""
    return (
        technological,
        place.geographical(citation.region),
        temporal_rating(citation.year),
    )


def _older_rating(first: Citation, second: Citation) -> int:
    """The temporal rating of the older of two sources."""
    return max(temporal_rating(first.year), temporal_rating(second.year))


def _cited_together(factor: Citation, process: Citation) -> Citation:
    """A factor and the energy use that it is multiplied by, cited together."""
    if factor == process:
        return factor
    licences = dict.fromkeys([*factor.licence.split(" AND "), *process.licence.split(" AND ")])
    return Citation(
        source=f"{factor.source}; energy use: {process.source}",
        source_id=f"{factor.source_id}; {process.source_id}",
        year=f"{factor.year}; {process.year}",
        region=f"{factor.region}; {process.region}",
        licence=" AND ".join(licences),
    )
