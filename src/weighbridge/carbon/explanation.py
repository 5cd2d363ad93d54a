"""A figure as a tree that a person can check with a calculator: total, routes, lines, factor rows.

Everything comes from the footprint as it was stored and the answers that it rests on: what is shown
is what was calculated, whatever the factors say today. `narrowing` asks, for each source of doubt,
what the range would be without it, by the same rule that made the range (`combination`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from weighbridge.carbon.combination import combine
from weighbridge.carbon.uncertainty import MODEL_ERROR_GSD
from weighbridge.domain.quantities import Origin
from weighbridge.domain.results import Contribution, ContributionKind, Route, RouteName
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses
    from weighbridge.domain.results import Footprint

STATED: Final = "stated"
INFERRED: Final = "inferred"
CORRECTED: Final = "corrected"
PROXY: Final = "proxy"
PUBLISHED: Final = "published"
PRIMARY: Final = "primary data"
"""The mark of a term that is a supplier's own figure; the constants above are the other marks."""

_BY_LABEL: Final = (
    ContributionKind.COMPONENT,
    ContributionKind.CLASS_REFERENCE,
    ContributionKind.SUPPLIER_FIGURE,
)
"""Kinds of contributions that are listed under their own label, not under a line of the bill."""
_Z95: Final = 1.96
_SHOWN_NARROWING: Final = 5
"""How many ways to narrow the range are shown, at most."""
_MASS_DOUBT: Final = (
    "the weight of one unit: the model estimated it, and the range does not include that doubt"
)
_BILL_DOUBT: Final = "a supplier's own figure, or the bill of materials from the drawing: removes the error of the method"
_OWN_BILL_DOUBT: Final = "a supplier's own figure: removes the error of the method"
_CLASS_DOUBT: Final = "knowing which published product is most like this one: removes the spread between products of one kind"
_LEAST_GAIN: Final = 0.005
"""A way to narrow the range is shown only if it narrows the logarithm of the range by more than
this share.
"""


@dataclass(frozen=True, slots=True)
class ByPeople:
    """The parts of the answers that a person gave, not the model."""

    materials: frozenset[str] = frozenset()
    processes: frozenset[tuple[str, str]] = frozenset()  # process and material
    attributes: frozenset[str] = frozenset()
    mass: bool = False

    def said(self, one: Contribution, material: str) -> bool:
        """Whether the amount of this contribution comes from a person.

        `material` is that of the line that it belongs to.
        """
        if one.kind is ContributionKind.MATERIAL:
            return one.factor_key in self.materials
        if one.kind is ContributionKind.COMPONENT:
            return one.factor_key in self.attributes
        return (one.factor_key.partition("+")[0], material) in self.processes


NOBODY: Final = ByPeople()


@dataclass(frozen=True, slots=True)
class ExplainedTerm:
    """One multiplication, and the factor row behind it.

    `marks`: stated, inferred, corrected (by a person), proxy, published or primary data.
    """

    label: str
    kind: ContributionKind
    arithmetic: str
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    share: float  # what part of the figure it decides, 0 to 1
    marks: tuple[str, ...]
    activity: float
    activity_unit: str
    factor: float
    factor_key: str
    source: str
    source_id: str
    year: str
    region: str
    licence: str


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """A heading with its terms: a material with the lines that are made of it and what is done to
    them, a part that counts by its own measure, or the figures of one maker.
    """

    title: str
    emissions_kg_co2e: float
    share: float
    terms: tuple[ExplainedTerm, ...]


@dataclass(frozen=True, slots=True)
class ExplainedRoute:
    """One route to the figure, with its weight and its lines."""

    name: RouteName
    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    weight: float
    basis: str
    lines: tuple[ExplainedLine, ...]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A source of doubt: what to find out, and how wide the range would be then.

    The range is the figure divided and multiplied by `range_factor`.
    """

    what: str
    range_factor: float | None  # None: the range does not include this doubt


@dataclass(frozen=True, slots=True)
class Explanation:
    """The tree. The 95 % range is the figure divided and multiplied by `range_factor`; None where
    the range reaches 0.
    """

    emissions_kg_co2e: float
    low_kg_co2e: float
    high_kg_co2e: float
    range_factor: float | None
    arithmetic: str
    mass: str
    routes: tuple[ExplainedRoute, ...]
    narrowing: tuple[Narrowing, ...]


def explain(
    footprint: Footprint,
    bill: BillOfMaterials,
    processes: ManufacturingProcesses,
    by_people: ByPeople = NOBODY,
) -> Explanation:
    """The tree of a footprint that was calculated from this bill and these processes; `by_people`
    is what a person said of them.
    """
    routes = footprint.routes or (_only_route(footprint),)
    lines = _lines(footprint, bill, processes, by_people)
    origin = {Origin.GIVEN: "as stated", Origin.INFERRED: "estimated by the model"}
    known = origin.get(footprint.mass.origin, footprint.mass.origin.value)
    return Explanation(
        emissions_kg_co2e=footprint.emissions_kg_co2e,
        low_kg_co2e=footprint.low_kg_co2e,
        high_kg_co2e=footprint.high_kg_co2e,
        range_factor=_range_factor(footprint.low_kg_co2e, footprint.high_kg_co2e),
        arithmetic=_combination_in_words(routes, footprint.emissions_kg_co2e),
        mass=f"{significant(footprint.mass.value, 4)} kg, {'as corrected' if by_people.mass else known}",
        routes=tuple(
            ExplainedRoute(
                route.name,
                route.emissions_kg_co2e,
                route.low_kg_co2e,
                route.high_kg_co2e,
                route.weight,
                route.basis,
                lines[route.name],
            )
            for route in routes
        ),
        narrowing=_narrowing(footprint, routes, _bill_doubt(bill, by_people)),
    )


def _bill_doubt(bill: BillOfMaterials, by_people: ByPeople) -> str:
    """What would remove the error of the method: nobody has to look for a bill that is there."""
    has_own = all(line.material in by_people.materials for line in bill.lines)
    return _OWN_BILL_DOUBT if has_own else _BILL_DOUBT


def _only_route(footprint: Footprint) -> Route:
    """The bill route of a footprint of method 2 or before, which has no list of routes."""
    low, high = footprint.low_kg_co2e, footprint.high_kg_co2e
    sigma = math.log(high / low) / (2 * _Z95) if 0 < low < high else math.log(MODEL_ERROR_GSD)
    return Route(
        RouteName.BILL, footprint.emissions_kg_co2e, low, high, sigma, sigma, 1.0, "the only route"
    )


def _combination_in_words(routes: Sequence[Route], figure_kg_co2e: float) -> str:
    """How the routes make the figure, as it would be typed into a calculator."""
    counted = [route for route in routes if route.weight > 0]
    if len(counted) == 1:
        return f"{_four_digits(figure_kg_co2e)} kg CO2e: {counted[0].name} alone"
    product = " × ".join(f"{_four_digits(r.emissions_kg_co2e)}^{r.weight:.3f}" for r in counted)
    names = " × ".join(f"{r.name}^weight" for r in counted)
    return f"{product} = {_four_digits(figure_kg_co2e)} kg CO2e ({names})"


def _lines(
    footprint: Footprint,
    bill: BillOfMaterials,
    processes: ManufacturingProcesses,
    by_people: ByPeople,
) -> dict[RouteName, tuple[ExplainedLine, ...]]:
    """The lines of each route: of the bill, materials with their processes, then the parts that
    count by another measure; of the class, its makers.
    """
    titles = _line_titles(footprint, bill)
    grouped: defaultdict[RouteName, dict[str, list[ExplainedTerm]]] = defaultdict(dict)
    for title in titles.values():
        grouped[RouteName.BILL].setdefault(title, [])
    worked = _worked_materials(processes)
    materials = {title: key for key, title in titles.items()}
    for one, share in zip(footprint.contributions, footprint.shares, strict=True):
        title = _title_of(one, titles, worked)
        marks = _marks(one, by_people, materials.get(title, ""))
        grouped[one.route].setdefault(title, []).append(_explained_term(one, share, marks))
    return defaultdict(
        tuple,
        {
            route: tuple(_explained_line(title, terms) for title, terms in lines.items() if terms)
            for route, lines in grouped.items()
        },
    )


def _line_titles(footprint: Footprint, bill: BillOfMaterials) -> dict[str, str]:
    """Key of a material → its heading: "Polypropylene resin: seat shell 1.2 kg, legs 0.3 kg"."""
    parts: dict[str, list[str]] = {}
    for line in bill.lines:
        parts.setdefault(line.material, []).append(
            f"{line.component} {significant(line.mass_kg, 4)} kg".strip()
        )
    names = {
        one.factor_key: _bare_label(one, bill)
        for one in footprint.contributions
        if one.kind is ContributionKind.MATERIAL
    }
    return {key: f"{names.get(key, key)}: {', '.join(each)}" for key, each in parts.items()}


def _bare_label(one: Contribution, bill: BillOfMaterials) -> str:
    """The name of the material without the component, in which the contribution's label ends."""
    for line in bill.lines:
        if line.material == one.factor_key and line.component:
            bare = one.label.removesuffix(f" ({line.component})")
            if bare != one.label:
                return bare
    return one.label


def _worked_materials(processes: ManufacturingProcesses) -> dict[str, list[str]]:
    """Process → the materials that it is applied to."""
    worked: dict[str, list[str]] = {}
    for use in processes.uses:
        worked.setdefault(use.process, []).append(use.material)
    return worked


def _title_of(one: Contribution, titles: dict[str, str], worked: dict[str, list[str]]) -> str:
    """The heading under which a term is explained: its line of the bill, where it has one."""
    if one.kind in _BY_LABEL:
        return one.label
    if one.kind is ContributionKind.MATERIAL:
        return titles.get(one.factor_key, one.label)
    process = one.factor_key.partition("+")[0]
    fitting = [titles[key] for key in worked.get(process, ()) if key in titles]
    named = [title for title in fitting if f": {title.partition(':')[0]}" in one.label]
    return max(named or fitting, key=len, default=one.label)


def _explained_line(title: str, terms: Sequence[ExplainedTerm]) -> ExplainedLine:
    """The line with this heading; its emissions and share are the sums of those of its terms."""
    return ExplainedLine(
        title,
        math.fsum(term.emissions_kg_co2e for term in terms),
        math.fsum(term.share for term in terms),
        tuple(terms),
    )


def _explained_term(one: Contribution, share: float, marks: tuple[str, ...]) -> ExplainedTerm:
    """One contribution as people read it: the multiplication, and its source."""
    return ExplainedTerm(
        label=one.label,
        kind=one.kind,
        arithmetic=f"{_four_digits(one.activity)} {one.activity_unit} × {_four_digits(one.factor)} kg CO2e/{one.activity_unit}"
        f" = {_four_digits(one.emissions_kg_co2e)} kg CO2e",
        emissions_kg_co2e=one.emissions_kg_co2e,
        low_kg_co2e=one.low_kg_co2e,
        high_kg_co2e=one.high_kg_co2e,
        share=share,
        marks=marks,
        activity=one.activity,
        activity_unit=one.activity_unit,
        factor=one.factor,
        factor_key=one.factor_key,
        source=one.source,
        source_id=one.source_id,
        year=one.year,
        region=one.region,
        licence=one.licence,
    )


def _marks(one: Contribution, by_people: ByPeople, material: str) -> tuple[str, ...]:
    """The marks of a term: how its activity is known, and whether its factor is a proxy.

    `material` is that of the line that it belongs to.
    """
    if one.kind is ContributionKind.CLASS_REFERENCE:
        known = PUBLISHED
    elif one.kind is ContributionKind.SUPPLIER_FIGURE:
        known = PRIMARY
    elif by_people.said(one, material):
        known = CORRECTED
    elif one.route is RouteName.BILL and one.label.endswith(f"({STATED})"):
        known = STATED
    else:
        known = INFERRED  # the model divides the mass, and names the processes
    return (known, PROXY) if one.is_proxy else (known,)


def _narrowing(
    footprint: Footprint, routes: Sequence[Route], bill_doubt: str
) -> tuple[Narrowing, ...]:
    """What would narrow the range, the most effective first."""
    found: list[Narrowing] = []
    if footprint.mass.origin is Origin.INFERRED:
        found.append(Narrowing(_MASS_DOUBT, None))
    present_factor = _combined_range_factor(routes)
    if present_factor is None:
        return tuple(found)
    largest_shown = math.exp(math.log(present_factor) * (1 - _LEAST_GAIN))
    narrower = sorted(
        (factor, what)
        for what, changed in _without_each(footprint, routes, bill_doubt)
        if (factor := _combined_range_factor(changed)) is not None and factor < largest_shown
    )
    found += [Narrowing(what, factor) for factor, what in narrower]
    return tuple(found[:_SHOWN_NARROWING])


def _without_each(
    footprint: Footprint, routes: Sequence[Route], bill_doubt: str
) -> Iterator[tuple[str, list[Route]]]:
    """For each doubt: what would have to be found out, and the routes as they would be then."""
    for route in routes:
        others = [other for other in routes if other is not route]
        if route.weight == 0 or route.name is RouteName.SUPPLIER:
            continue
        if route.name is RouteName.CLASS:
            yield _CLASS_DOUBT, [*others, _narrowed(route, math.inf)]
            continue
        yield bill_doubt, [_narrowed(route, math.log(MODEL_ERROR_GSD) ** 2), *others]
        for label, variance in _variances(footprint, route).items():
            yield f"a better factor or amount: {label}", [_narrowed(route, variance), *others]


def _variances(footprint: Footprint, bill: Route) -> dict[str, float]:
    """Label of each term of the bill → the variance that its own factors give the logarithm of the
    bill's figure.
    """
    found: dict[str, float] = {}
    if bill.emissions_kg_co2e <= 0:  # a credit has no logarithm
        return found
    for one in footprint.contributions:
        if one.route is RouteName.BILL and 0 < one.low_kg_co2e < one.high_kg_co2e:
            sigma = math.log(one.high_kg_co2e / one.low_kg_co2e) / (2 * _Z95)
            share = one.emissions_kg_co2e / bill.emissions_kg_co2e
            found[one.label] = found.get(one.label, 0.0) + (share * sigma) ** 2
    return found


def _narrowed(route: Route, variance: float) -> Route:
    """The route with its variance (of the logarithm) lowered by `variance`, and its range narrowed
    accordingly.
    """
    sigma = math.sqrt(max(route.range_log_sigma**2 - variance, 0.0))
    range_factor = math.exp(_Z95 * sigma)
    emissions_kg_co2e = route.emissions_kg_co2e
    return replace(
        route,
        range_log_sigma=sigma,
        low_kg_co2e=emissions_kg_co2e / range_factor,
        high_kg_co2e=emissions_kg_co2e * range_factor,
    )


def _combined_range_factor(routes: Sequence[Route]) -> float | None:
    """What the figure that these routes give is divided and multiplied by for its 95 % range; None
    where that reaches 0.
    """
    combined = combine(routes)
    return _range_factor(combined.low_kg_co2e, combined.high_kg_co2e)


def _range_factor(low: float, high: float) -> float | None:
    """What the middle of the range is divided and multiplied by to reach its ends; None where the
    range reaches 0.
    """
    return math.sqrt(high / low) if 0 < low <= high else None


def _four_digits(number: float) -> str:
    return significant(number, 4)
