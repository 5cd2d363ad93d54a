"""Emission factors: kg CO2e per kilogram, kilowatt-hour or part, each with its source.

`factor_sources/` reads them, `calculate` multiplies by them. A FactorTable is checked when it is
made, so that no calculation has to ask whether a factor makes sense. GWP100, fossil CO2e;
biogenic CO2 and its uptake count as 0.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from typing_extensions import override

from weighbridge.domain.answers import OTHER_ATTRIBUTES, MaterialTerm, ProcessTerm, Vocabulary
from weighbridge.errors import CalculationError, FactorTableInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.carbon.taxonomy import Taxonomy

_T = TypeVar("_T")

WORLD: Final = "GLO"
"""The country code of the world average, for electricity and in the regions of other factors."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a figure comes from.

    `region` lists country codes, EU or GLO, separated by semicolons.
    """

    source: str
    source_id: str
    year: str  # "2014", or a span of data years such as "2000-2012"
    region: str
    licence: str  # SPDX identifiers


@dataclass(frozen=True, slots=True)
class RangedValue:
    """A value with the 2.5 % and 97.5 % bounds of what it may be, all in the same unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class MaterialFactor:
    """kg CO2e per kg of a material, from the cradle to the gate of whoever makes the material."""

    key: str
    name: str
    family: str
    kg_co2e_per_kg: RangedValue
    citation: Citation
    recycled: bool = False
    includes_forming: bool = False  # shaping is in the factor: no process may be added
    complete_article: bool = False  # a whole product (a laptop), its assembly included
    included_processes: frozenset[str] = frozenset()  # already in the factor, never added again
    technological_quality: int = 2  # PACT: 1 same technology, 2 similar, 3 different or unknown
    proxy_reason: str | None = None  # set when the value stands in for one nobody publishes openly
    retired: bool = False  # older answers have it; it is no longer offered
    replaced_by: str | None = None  # the key whose factor a retired one is calculated with
    chips_share: float = (
        0.0  # mass of the chips that such a board carries and the factor leaves out, per kg
    )
    recycled_content: float = 0.0  # share that is recycled where the factor is for the usual mix
    recycled_as: str | None = None  # the key of the same material, recycled
    choice: str | None = None  # why this value, where open sources differ

    @property
    def is_proxy(self) -> bool:
        """Whether the value was built from other factors, and must be shown as such."""
        return self.proxy_reason is not None


@dataclass(frozen=True, slots=True, eq=False)
class ProcessFactor:
    """Energy and direct emissions of one kilogram of a process's output.

    With `is_per_kg_removed` (machining) the figures are per kilogram taken away, not per kilogram
    of output. `yield_fraction` is output mass / input mass. `range_low` and `range_high` are 95 %
    bounds as multiples of all three figures: they come from one inventory and are wrong together.
    """

    key: str
    name: str
    families: frozenset[str]
    kwh_electricity_per_kg: float
    kwh_heat_per_kg: float
    kg_co2e_per_kg: float
    yield_fraction: float
    citation: Citation
    range_low: float = 1.0
    range_high: float = 1.0
    is_per_kg_removed: bool = False
    technological_quality: int = 2
    proxy_reason: str | None = None
    retired: bool = False

    @property
    def is_proxy(self) -> bool:
        """Whether the figures were built from other factors, and must be shown as such."""
        return self.proxy_reason is not None


@dataclass(frozen=True, slots=True, eq=False)
class ElectricityFactor:
    """kg CO2e per kWh from a country's grid, or from the world's (`country` is then GLO)."""

    country: str
    name: str
    world_region: str  # Africa, Americas, Asia, Europe, Oceania or World
    kg_co2e_per_kwh: RangedValue
    citation: Citation

    @property
    def is_world(self) -> bool:
        """Whether this is the world average."""
        return self.country == WORLD


@dataclass(frozen=True, slots=True, eq=False)
class HeatFactor:
    """kg CO2e per kWh of process heat."""

    key: str
    name: str
    kg_co2e_per_kwh: RangedValue
    citation: Citation


@dataclass(frozen=True, slots=True, eq=False)
class ComponentFactor:
    """kg CO2e of a complete part per unit of what decides it: the area of a display, the gigabytes
    of a memory.

    `attribute` is the name under which the bill's attributes give the amount; a mass line of one of
    the materials in `replaces` is the same part and is then not counted by mass.
    """

    attribute: str
    name: str
    replaces: frozenset[str]
    unit: str  # "m2", "GB", "kWh" or "piece"
    kg_co2e_per_unit: RangedValue
    largest: float  # of the attribute, in one product; more is out of reason
    lightest_kg_per_unit: (
        float  # what a unit weighs at least: more units than fit the product are out of reason
    )
    citation: Citation
    proxy_reason: str | None = None
    largest_by_kind: tuple[tuple[str, float], ...] = ()
    """(Subcategory, the largest value of the attribute there), where that is far below `largest`.
    """

    @property
    def is_proxy(self) -> bool:
        """Whether the value was built from other factors, and must be shown as such."""
        return self.proxy_reason is not None


@dataclass(frozen=True, slots=True, eq=False)
class ClassReference:
    """What somebody published for a whole product of a kind, cradle-to-gate.

    `kg_co2e` is for one unit of `mass_kg`, or (`per_kg`) for a kilogram. `count` is the number of
    products that the row stands for, `range_log_sigma` the spread between them. `needs` are
    beginnings of material keys: the figure is only for products whose bill has one of these (a
    motor makes an electric bicycle something else than a bicycle).
    """

    key: str
    category: str
    subcategory: str
    name: str
    maker: str
    kg_co2e: float
    per_kg: bool
    mass_kg: float | None
    range_log_sigma: float
    count: int
    citation: Citation
    needs: frozenset[str] = frozenset()


Kind = tuple[str, str]
"""A kind of product: its category and subcategory."""


@dataclass(frozen=True, slots=True, eq=False)
class AlikeKind:
    """A kind of product for which nobody published a figure, and a kind that is made much
    like it.
    """

    kind: Kind
    like: Kind


_Factor = (
    MaterialFactor
    | ProcessFactor
    | ElectricityFactor
    | HeatFactor
    | ComponentFactor
    | ClassReference
    | AlikeKind
)


@dataclass(frozen=True, slots=True, eq=False)
class FactorTable:
    """Every factor that a calculation may use. Make it with `of`, which checks and versions it."""

    name: str
    version: str  # from the content: equal versions mean equal factors
    materials: Mapping[str, MaterialFactor]
    processes: Mapping[str, ProcessFactor]
    electricity: Mapping[str, ElectricityFactor]
    heat: HeatFactor
    components: Mapping[str, ComponentFactor]
    references: Mapping[Kind, tuple[ClassReference, ...]]
    alike: Mapping[Kind, tuple[Kind, ...]]
    """A kind of product without references of its own → the kinds whose references stand in."""

    @classmethod
    def of(
        cls,
        name: str,
        materials: Iterable[MaterialFactor],
        processes: Iterable[ProcessFactor],
        electricity: Iterable[ElectricityFactor],
        heat: HeatFactor,
        components: Iterable[ComponentFactor] = (),
        references: Iterable[ClassReference] = (),
        alike: Iterable[AlikeKind] = (),
    ) -> FactorTable:
        """The table of these factors, checked against each other.

        Raises FactorTableInvalid, which names the first bad one.
        """
        by_material = _keyed("material", ((m.key, m) for m in materials))
        by_process = _keyed("process", ((p.key, p) for p in processes))
        by_country = _keyed("electricity", ((e.country, e) for e in electricity))
        by_attribute = _keyed("component", ((c.attribute, c) for c in components))
        by_reference = _keyed("class reference", ((r.key, r) for r in references))
        _check_values(by_material, by_process, by_country, heat)
        _check_references(by_material, by_process, by_country)
        _check_whole_parts(by_material, by_attribute, by_reference.values())
        alike = tuple(alike)
        rows: list[_Factor] = [
            *by_material.values(),
            *by_process.values(),
            *by_country.values(),
            heat,
            *by_attribute.values(),
            *by_reference.values(),
            *alike,
        ]
        return cls(
            name=name,
            version=_content_hash(rows),
            materials=MappingProxyType(by_material),
            processes=MappingProxyType(by_process),
            electricity=MappingProxyType(by_country),
            heat=heat,
            components=MappingProxyType(by_attribute),
            references=MappingProxyType(
                _grouped(((r.category, r.subcategory), r) for r in by_reference.values())
            ),
            alike=MappingProxyType(_grouped((one.kind, one.like) for one in alike)),
        )

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the table for another process with plain dictionaries: read-only mappings cannot
        be pickled.
        """
        references = tuple(one for kind in self.references.values() for one in kind)
        return FactorTable.of, (
            self.name,
            tuple(self.materials.values()),
            tuple(self.processes.values()),
            tuple(self.electricity.values()),
            self.heat,
            tuple(self.components.values()),
            references,
            tuple(self.alike_kinds()),
        )

    def without_maker(self, maker: str) -> FactorTable:
        """The same table without the class references of one maker: to judge its products by those
        of others.
        """
        return FactorTable.of(
            f"{self.name} without {maker}",
            self.materials.values(),
            self.processes.values(),
            self.electricity.values(),
            self.heat,
            self.components.values(),
            (
                reference
                for kind in self.references.values()
                for reference in kind
                if reference.maker != maker
            ),
            self.alike_kinds(),
        )

    def alike_kinds(self) -> list[AlikeKind]:
        """The rows that `alike` was made from."""
        return [AlikeKind(kind, like) for kind, kinds in self.alike.items() for like in kinds]

    def references_like(self, kind: Kind) -> tuple[ClassReference, ...]:
        """What was published for the kinds that are made much like this one."""
        return tuple(
            reference
            for like in self.alike.get(kind, ())
            for reference in self.references.get(like, ())
        )

    def material(self, key: str) -> MaterialFactor:
        """The factor of a material, or of what replaced it; raises CalculationError when there is
        none.
        """
        try:
            found = self.materials[key]
            return found if found.replaced_by is None else self.materials[found.replaced_by]
        except KeyError:
            raise CalculationError(
                f"The factor table {self.name} {self.version} has no material {key!r}: the "
                "product was answered with another table. Ask about it again (run with --redo), "
                "or add a factor for the material."
            ) from None

    def process(self, key: str) -> ProcessFactor:
        """The factor of a process; raises CalculationError when there is none."""
        try:
            return self.processes[key]
        except KeyError:
            raise CalculationError(
                f"The factor table {self.name} {self.version} has no process {key!r}: the "
                "product was answered with another table. Ask about it again (run with --redo)."
            ) from None

    def electricity_for(self, country: str | None) -> ElectricityFactor:
        """The grid of a country (ISO 3166 alpha-2); the world average (`is_world`) when it is not
        known.
        """
        return self.electricity.get(country or WORLD, self.electricity[WORLD])

    def world_region(self, country: str) -> str | None:
        """The part of the world that a country lies in, None when the country is not known."""
        known = self.electricity.get(country)
        return known.world_region if known else None

    def vocabulary(self, taxonomy: Taxonomy) -> Vocabulary:
        """The closed lists that the answers to the three questions choose from."""
        return Vocabulary(
            categories={
                name: tuple(category.subcategories)
                for name, category in taxonomy.categories.items()
            },
            materials={
                key: MaterialTerm(
                    key, factor.name, factor.family, factor.includes_forming, not factor.retired
                )
                for key, factor in self.materials.items()
            },
            processes={
                key: ProcessTerm(key, factor.name, factor.families, not factor.retired)
                for key, factor in self.processes.items()
            },
            attributes=(*self.components, *OTHER_ATTRIBUTES),
            countries={grid.country: grid.name for grid in self.electricity.values()},
        )


def _keyed(kind: str, rows: Iterable[tuple[str, _T]]) -> dict[str, _T]:
    """The rows by key. Raises FactorTableInvalid where a key comes twice."""
    found: dict[str, _T] = {}
    for key, row in rows:
        if key in found:
            raise FactorTableInvalid(f"The {kind} factor {key!r} is listed twice. Remove one.")
        found[key] = row
    return found


def _check_values(
    materials: Mapping[str, MaterialFactor],
    processes: Mapping[str, ProcessFactor],
    electricity: Mapping[str, ElectricityFactor],
    heat: HeatFactor,
) -> None:
    """Raises FactorTableInvalid for a number that cannot be true."""
    for material in materials.values():
        _check_range(f"material {material.key!r}", material.kg_co2e_per_kg)
    for grid in electricity.values():
        _check_energy_range(f"electricity of {grid.country!r}", grid.kg_co2e_per_kwh)
    _check_energy_range(f"heat {heat.key!r}", heat.kg_co2e_per_kwh)
    for process in processes.values():
        where = f"process {process.key!r}"
        _check_range(where, RangedValue(1.0, process.range_low, process.range_high))
        _require(process.range_low > 0, f"{where}: range_low must be above 0.")
        _require(
            0 < process.yield_fraction <= 1,
            f"{where}: the yield is {process.yield_fraction}; it must be above 0 and at most 1.",
        )
        amounts = (process.kwh_electricity_per_kg, process.kwh_heat_per_kg, process.kg_co2e_per_kg)
        _require(
            all(math.isfinite(amount) and amount >= 0 for amount in amounts) and any(amounts),
            f"{where}: energy and direct emissions must be 0 or more, and not all 0.",
        )


def _check_range(where: str, ranged: RangedValue) -> None:
    """Raises FactorTableInvalid unless the three are finite and in order."""
    figures = (ranged.low, ranged.value, ranged.high)
    _require(all(map(math.isfinite, figures)), f"{where}: value, low and high must be finite.")
    _require(
        ranged.low <= ranged.value <= ranged.high,
        f"{where}: the value {ranged.value} is not between low {ranged.low} and high {ranged.high}.",
    )


def _check_energy_range(where: str, ranged: RangedValue) -> None:
    """Raises FactorTableInvalid unless the range is in order and above 0, or 0 throughout (a grid
    of hydropower alone, as published).
    """
    _check_range(where, ranged)
    _require(
        ranged.low > 0 or ranged.high == 0,
        f"{where}: low must be above 0, or value, low and high must all be 0.",
    )


def _check_references(
    materials: Mapping[str, MaterialFactor],
    processes: Mapping[str, ProcessFactor],
    electricity: Mapping[str, ElectricityFactor],
) -> None:
    """Raises FactorTableInvalid where an entry names another that is not in the table."""
    _require(
        WORLD in electricity,
        f"There is no factor for world average electricity; add one with the key {WORLD!r}.",
    )
    families = {material.family for material in materials.values()}
    for process in processes.values():
        unknown = sorted(process.families - families)
        _require(
            bool(process.families),
            f"process {process.key!r}: it lists no families; add one or more.",
        )
        _require(not unknown, f"process {process.key!r}: no material is of the families {unknown}.")
    for material in materials.values():
        unknown = sorted(material.included_processes - processes.keys())
        _require(not unknown, f"material {material.key!r}: there are no processes {unknown}.")


def _check_whole_parts(
    materials: Mapping[str, MaterialFactor],
    components: Mapping[str, ComponentFactor],
    references: Iterable[ClassReference],
) -> None:
    """Raises FactorTableInvalid where a replacement or a part is not in the table."""
    for material in materials.values():
        _require(
            material.replaced_by is None or material.replaced_by in materials,
            f"material {material.key!r}: there is no {material.replaced_by!r} to replace it.",
        )
        counterpart = materials.get(material.recycled_as or material.key)
        _require(
            counterpart is not None and (counterpart is material or counterpart.recycled),
            f"material {material.key!r}: there is no recycled {material.recycled_as!r}.",
        )
        _require(
            0 <= material.recycled_content < 1,
            f"material {material.key!r}: recycled_content must be 0 or more and below 1.",
        )
    for component in components.values():
        _check_energy_range(f"component {component.attribute!r}", component.kg_co2e_per_unit)
        unknown = sorted(component.replaces - materials.keys())
        _require(
            not unknown, f"component {component.attribute!r}: there are no materials {unknown}."
        )
    for reference in references:
        where = f"class reference {reference.key!r}"
        _require(
            math.isfinite(reference.kg_co2e) and reference.kg_co2e > 0,
            f"{where}: the figure must be above 0.",
        )
        _require(
            reference.mass_kg is None or reference.mass_kg > 0,
            f"{where}: the mass must be above 0.",
        )
        unknown = [need for need in reference.needs if not _is_prefix_of_any(need, materials)]
        _require(not unknown, f"{where}: no material's key begins with {unknown}.")


def _is_prefix_of_any(beginning: str, materials: Iterable[str]) -> bool:
    return any(key.startswith(beginning) for key in materials)


def _grouped(pairs: Iterable[tuple[Kind, _T]]) -> dict[Kind, tuple[_T, ...]]:
    """Kind → everything that the pairs have for it, in their order."""
    kinds: dict[Kind, list[_T]] = {}
    for kind, member in pairs:
        kinds.setdefault(kind, []).append(member)
    return {kind: tuple(members) for kind, members in kinds.items()}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise FactorTableInvalid(message)


def _content_hash(rows: Iterable[_Factor]) -> str:
    """A hash that is the same for the same factors in any order."""
    lines = sorted(json.dumps(asdict(row), default=sorted, sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
