"""From mass flows to contributions: activity × factor, with its source, its spread and its ratings.

`calculate` adds the terms up. A process gives up to three of them (electricity, heat, direct emissions),
whose activity comes from the process's inventory and whose factor from the grid or the heat supply: both
are cited, and both spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from weighbridge.carbon.data_quality import Rating, geographical_rating, temporal_rating
from weighbridge.carbon.factors import (
    Citation,
    ElectricityFactor,
    FactorTable,
    ProcessFactor,
    RangedValue,
)
from weighbridge.carbon.uncertainty import Spread, bounds, spread
from weighbridge.domain.results import Contribution, ContributionKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.carbon.mass_flow import Chain, Stage
    from weighbridge.domain.answers import BomLine

_KG: Final = "kg"
_KWH: Final = "kWh"


@dataclass(frozen=True, slots=True)
class Term:
    """A contribution, and what the range and the data quality need to know of it."""

    contribution: Contribution
    spreads: tuple[Spread, ...]
    rating: Rating


@dataclass(frozen=True, slots=True)
class Place:
    """Where the product comes from, and what that means for electricity."""

    country: str | None
    grid: ElectricityFactor
    factors: FactorTable

    @classmethod
    def of(cls, country: str | None, factors: FactorTable) -> Place:
        """The country's own grid, or the world's when the country is not known."""
        return cls(country, factors.electricity_for(country), factors)

    def geographical(self, region: str) -> int:
        """The geographical rating of a factor from `region`."""
        return geographical_rating(region, self.country, self.factors)


def material_term(line: BomLine, chain: Chain, place: Place) -> Term:
    """What the raw material for one line of the bill costs, losses in the processes included."""
    material = chain.material
    input_kg = line.mass_kg * (chain.input_kg / chain.mass_kg)
    return _term(
        kind=ContributionKind.MATERIAL,
        label=f"{material.name} ({line.component})" if line.component else material.name,
        factor_key=material.key,
        activity=input_kg,
        activity_unit=_KG,
        factor=material.kg_co2e_per_kg.value,
        spreads=(spread(material.key, material.kg_co2e_per_kg, input_kg),),
        citation=material.citation,
        is_proxy=material.is_proxy,
        ratings=_ratings(material.technological_quality, material.citation, place),
    )


def process_terms(stage: Stage, chain: Chain, place: Place) -> Iterator[Term]:
    """What one process on one material costs: electricity, heat and direct emissions, where it has them."""
    process = stage.process
    label = f"{process.name}: {chain.material.name}"
    own_spread = _process_spread(process)
    if process.kwh_electricity_per_kg:
        grid = place.grid
        key = f"electricity:{grid.country}"
        yield _term(
            kind=ContributionKind.PROCESS_ELECTRICITY,
            label=f"{label}, electricity ({grid.name})",
            factor_key=f"{process.key}+{key}",
            activity=stage.worked_kg * process.kwh_electricity_per_kg,
            activity_unit=_KWH,
            factor=grid.kg_co2e_per_kwh.value,
            spreads=(own_spread, spread(key, grid.kg_co2e_per_kwh)),
            citation=_both(grid.citation, process.citation),
            is_proxy=process.is_proxy,
            ratings=(
                process.technological_quality,
                place.geographical(grid.citation.region),
                _older(grid.citation, process.citation),
            ),
        )
    if process.kwh_heat_per_kg:
        heat = place.factors.heat
        yield _term(
            kind=ContributionKind.PROCESS_HEAT,
            label=f"{label}, heat",
            factor_key=f"{process.key}+{heat.key}",
            activity=stage.worked_kg * process.kwh_heat_per_kg,
            activity_unit=_KWH,
            factor=heat.kg_co2e_per_kwh.value,
            spreads=(own_spread, spread(heat.key, heat.kg_co2e_per_kwh)),
            citation=_both(heat.citation, process.citation),
            is_proxy=process.is_proxy,
            ratings=(
                process.technological_quality,
                place.geographical(heat.citation.region),
                _older(heat.citation, process.citation),
            ),
        )
    if process.kg_co2e_per_kg:
        yield _term(
            kind=ContributionKind.PROCESS_DIRECT,
            label=f"{label}, direct emissions",
            factor_key=process.key,
            activity=stage.worked_kg,
            activity_unit=_KG,
            factor=process.kg_co2e_per_kg,
            spreads=(own_spread,),
            citation=process.citation,
            is_proxy=process.is_proxy,
            ratings=_ratings(process.technological_quality, process.citation, place),
        )


def _term(
    *,
    kind: ContributionKind,
    label: str,
    factor_key: str,
    activity: float,
    activity_unit: str,
    factor: float,
    spreads: tuple[Spread, ...],
    citation: Citation,
    is_proxy: bool,
    ratings: tuple[int, int, int],
) -> Term:
    emissions = activity * factor
    low, high = bounds(spreads, emissions)
    contribution = Contribution(
        kind=kind,
        label=label,
        factor_key=factor_key,
        activity=activity,
        activity_unit=activity_unit,
        factor=factor,
        emissions_kg_co2e=emissions,
        low_kg_co2e=low,
        high_kg_co2e=high,
        source=citation.source,
        source_id=citation.source_id,
        year=citation.year,
        region=citation.region,
        licence=citation.licence,
        is_proxy=is_proxy,
    )
    return Term(contribution, spreads, Rating(emissions, *ratings))


def _process_spread(process: ProcessFactor) -> Spread:
    # Electricity, heat and direct emissions come from one inventory: one draw for all three.
    return spread(process.key, RangedValue(1.0, process.range_low, process.range_high))


def _ratings(technological: int, citation: Citation, place: Place) -> tuple[int, int, int]:
    return (
        technological,
        place.geographical(citation.region),
        temporal_rating(citation.year),
    )


def _older(first: Citation, second: Citation) -> int:
    return max(temporal_rating(first.year), temporal_rating(second.year))


@lru_cache(1024)
def _both(factor: Citation, process: Citation) -> Citation:
    licences = dict.fromkeys([*factor.licence.split(" AND "), *process.licence.split(" AND ")])
    return Citation(
        source=f"{factor.source}; energy use: {process.source}",
        source_id=f"{factor.source_id}; {process.source_id}",
        year=f"{factor.year}; {process.year}",
        region=f"{factor.region}; {process.region}",
        licence=" AND ".join(licences),
    )
