"""Says why a figure moves the other way than what was changed: a lighter bill, and a higher figure.

    figure = bill^(1 - w) × published^w

A change can move w too: a crate is a product of its own, boards are not, so published figures of
the kind count from then on. And a material that causes less may need a process that causes more.
Pure. The figures before and after are all that is needed, so it holds for any change.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weighbridge.domain.results import ContributionKind, RouteName
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.domain.results import Footprint

_NOTABLE: Final = 0.002
"""A change by no more than this share, or of a weight by no more than this, is none that a reader
would look for.
"""
_BILL: Final = "the bill of materials"
_CLASS: Final = "published figures of such products"
_CALLED: Final = {RouteName.BILL: _BILL, RouteName.CLASS: _CLASS}


class RouteState(NamedTuple):
    """A route's own figure in kg CO2e, and its weight in the product's figure."""

    kg_co2e: float
    weight: float


class FigureState(NamedTuple):
    """A figure in kg CO2e and what it is made of.

    `materials_kg_co2e` is what the materials of the bill come to, without what is done to them;
    None: not known.
    """

    kg_co2e: float
    routes: Mapping[RouteName, RouteState]
    materials_kg_co2e: float | None = None

    @classmethod
    def of(cls, footprint: Footprint) -> FigureState:
        """The state of a footprint."""
        return cls(
            footprint.emissions_kg_co2e,
            {one.name: RouteState(one.emissions_kg_co2e, one.weight) for one in footprint.routes},
            math.fsum(
                one.emissions_kg_co2e
                for one in footprint.contributions
                if one.kind is ContributionKind.MATERIAL
            ),
        )

    @classmethod
    def of_records(
        cls,
        kg_co2e: float,
        routes: Iterable[Mapping[str, Any]],
        emissions: str,
        materials_kg_co2e: float | None = None,
    ) -> FigureState:
        """The state of a figure whose routes are records: as they are stored or exported.

        `emissions` is the name of a route's figure in them.
        """
        found = {
            RouteName(one["name"]): RouteState(one[emissions], one["weight"]) for one in routes
        }
        return cls(kg_co2e, found, materials_kg_co2e)


def against_the_change(before: FigureState, after: FigureState) -> str:
    """A sentence on a figure that moves against what was changed; "" where it does not."""
    figure = _direction(before.kg_co2e, after.kg_co2e)
    old, new = _counted(before), _counted(after)
    if not figure or not old or not new:
        return ""
    moves = {
        name: _direction(old[name].kg_co2e, one.kg_co2e) for name, one in new.items() if name in old
    }
    if against := [name for name, move in moves.items() if move == -figure]:
        what = " and ".join(_went(name, old[name], new[name]) for name in against)
        return _although(figure, what, _why(old, new, against, figure))
    if not any(moves.values()):
        same = " and ".join(_stays(name, new[name]) for name in moves)
        return _although(figure, same, _why(old, new, list(moves), figure)) if same else ""
    return _within_the_bill(before, after, figure)


def _counted(state: FigureState) -> dict[RouteName, RouteState]:
    """The routes that count; none where the figure is the supplier's, or a credit."""
    found = {name: one for name, one in state.routes.items() if one.weight > 0}
    computed = found.keys() <= _CALLED.keys()
    return found if computed and all(one.kg_co2e > 0 for one in found.values()) else {}


def _direction(before: float, after: float) -> int:
    """1 for more, -1 for less, 0 for as good as the same."""
    if abs(after - before) <= _NOTABLE * max(abs(before), abs(after)):
        return 0
    return 1 if after > before else -1


def _although(figure: int, what: str, why: str) -> str:
    return f"The figure {'rises' if figure > 0 else 'falls'} although {what}{why}."


def _comes(name: RouteName) -> str:
    return "comes" if name is RouteName.BILL else "come"


def _went(name: RouteName, old: RouteState, new: RouteState) -> str:
    less = "less" if new.kg_co2e < old.kg_co2e else "more"
    return f"{_CALLED[name]} {_comes(name)} to {less} ({_from_to(old.kg_co2e, new.kg_co2e)})"


def _stays(name: RouteName, one: RouteState) -> str:
    return f"{_CALLED[name]} {_comes(name)} to the same ({significant(one.kg_co2e, 3)} kg CO2e)"


def _from_to(before: float, after: float) -> str:
    return f"{significant(before, 3)} → {significant(after, 3)} kg CO2e"


def _why(
    old: Mapping[RouteName, RouteState],
    new: Mapping[RouteName, RouteState],
    said: Iterable[RouteName],
    figure: int,
) -> str:
    """What outweighs the routes that are `said`: other weights, or another route."""
    said = list(said)
    reasons = []
    bill, was = new.get(RouteName.BILL), old.get(RouteName.BILL)
    if bill and was and abs(bill.weight - was.weight) > _NOTABLE:
        reasons.append(
            f"the bill now counts for {_share(bill.weight, was.weight)} of the figure, for "
            f"{_share(was.weight, bill.weight)} before"
        )
    for name in [name for name in _CALLED if name not in said]:
        before = old.get(name)
        if name not in new:
            if before:
                had = significant(before.kg_co2e, 3)
                reasons.append(f"{_CALLED[name]} ({had} kg CO2e) no longer count")
        elif before is None:
            has = significant(new[name].kg_co2e, 3)
            reasons.append(f"{_CALLED[name]} ({has} kg CO2e) count now")
        elif _direction(before.kg_co2e, new[name].kg_co2e) == figure:
            reasons.append(_went(name, before, new[name]))
        else:
            reasons.append(_stays(name, new[name]))
    return f": {', and '.join(reasons)}" if reasons else ""


def _share(weight: float, other: float) -> str:
    """A weight as a percentage, with as many digits as tell it from the other."""
    digits = next(n for n in range(4) if n == 3 or f"{weight:.{n}%}" != f"{other:.{n}%}")
    return f"{weight:.{digits}%}".replace("%", " %")


def _within_the_bill(before: FigureState, after: FigureState, figure: int) -> str:
    """The same for materials that move against the bill that they are part of."""
    old, new = before.materials_kg_co2e, after.materials_kg_co2e
    routes = _counted(before), _counted(after)
    bills = [one.get(RouteName.BILL) for one in routes]
    if old is None or new is None or bills[0] is None or bills[1] is None:
        return ""
    rest = bills[0].kg_co2e - old, bills[1].kg_co2e - new
    if _direction(old, new) != -figure or _direction(*rest) != figure:
        return ""
    less, more = ("less", "more") if figure > 0 else ("more", "less")
    what = f"the materials come to {less} ({_from_to(old, new)})"
    why = (
        f": their processing, and parts that count by their own measure, come to {more} "
        f"({_from_to(*rest)})"
    )
    if abs(bills[0].weight - bills[1].weight) > _NOTABLE:
        why += _why(*routes, _CALLED, figure).replace(": ", "; ", 1)
    return _although(figure, what, why)
