"""How well the factors fit the product: PACT's three ratings, each from 1 (best) to 3.

Every contribution is rated, and the ratings are averaged, weighted by emissions, over the
contributions above 5 % of the footprint:

- technological: 1 the very technology, 2 a similar one, 3 another or unknown. Published averages
  are 2, proxies have the rating that they were given; a user's own factor may say 1.
- geographical: 1 the country of origin, 2 its part of the world, 3 elsewhere, world or unknown.
- temporal: 1 at most one year older than the reference year, 2 at most five years, 3 older.

Doubts about the bill of materials worsen the technological rating, because they put the match
itself in question: masses that missed the product's weight by more than 5 % (+0.5), a mass that the
model had to estimate (+0.5), a weight that the model finds impossible (+1). So do parts that the
bill lacks (+0.25 each, by the bill's weight) and routes that disagree by more than a factor of 3
(+0.5): see `combination`. No rating goes beyond 3.
"""

from __future__ import annotations

import math
import re
from functools import cache
from operator import mul
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.domain.results import DataQuality

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.answers import BillOfMaterials

REFERENCE_YEAR: Final = 2026
"""What "now" means for the age of a factor.

Fixed, so that recomputing gives the same figure.
"""

MASS_TOLERANCE: Final = 0.05
"""How far the sum of the model's masses may miss the product's weight, as a share of that weight,
before a rating gets worse.
"""

_MATERIAL_SHARE: Final = 0.05
"""Only contributions above this share of the footprint count in the mean of the ratings."""
_BEST: Final = 1.0
WORST: Final = 3.0
"""The worst rating of data quality; `_BEST` is the best."""
_EUROPE: Final = "Europe"


class Rating(NamedTuple):
    """The three ratings of one contribution, and its weight in the average."""

    emissions_kg_co2e: float
    technological: int
    geographical: int
    temporal: int


def overall_quality(ratings: Sequence[Rating], bill: BillOfMaterials) -> DataQuality:
    """The weighted mean of the contributions that matter, worsened by doubts about the bill."""
    weights = [abs(rating.emissions_kg_co2e) for rating in ratings]
    least = _MATERIAL_SHARE * math.fsum(weights)
    counted = [r for r, weight in zip(ratings, weights, strict=True) if weight > least]
    if counted:
        weights = [weight for weight in weights if weight > least]
    else:  # a product of very many small inputs has none above 5 %; then all of them count
        counted = list(ratings)
    if not any(weights):
        weights = [1.0] * len(counted)
    total = math.fsum(weights)

    def weighted_mean(ratings_of_counted: Iterable[int]) -> float:
        # The division may end a hair outside the scale.
        return min(max(math.fsum(map(mul, ratings_of_counted, weights)) / total, _BEST), WORST)

    technological = weighted_mean([r.technological for r in counted]) + doubt(bill)
    return DataQuality(
        technological=min(technological, WORST),
        geographical=weighted_mean([r.geographical for r in counted]),
        temporal=weighted_mean([r.temporal for r in counted]),
    )


def doubt(bill: BillOfMaterials) -> float:
    """What is added to the technological rating for doubts about the bill."""
    off_weight = 0.5 if mass_deviation(bill) > MASS_TOLERANCE else 0.0
    inferred = 0.5 if bill.mass_inferred else 0.0
    implausible = 1.0 if bill.weight_plausible is False else 0.0
    return off_weight + inferred + implausible


def mass_deviation(bill: BillOfMaterials) -> float:
    """How far the model's masses were off the product's weight before scaling, as a share of it."""
    return abs(bill.stated_mass_kg / bill.mass_kg - 1)


def geographical_rating(region: str, country: str | None, factors: FactorTable) -> int:
    """Rate a factor's region ("TW", "CN;ZA;BE", "EU", "GLO") for a product from `country`."""
    regions = region.split(";")
    if country in regions:
        return 1
    wanted = factors.world_region(country) if country else None
    if wanted is None:
        return 3
    covered = {_EUROPE if place == "EU" else factors.world_region(place) for place in regions}
    return 2 if wanted in covered else 3


def years_named(text: str) -> list[str]:
    """The years that a text names, in the order of the text."""
    return re.findall(r"\b(?:19|20)\d{2}\b", text)


@cache
def temporal_rating(year: str) -> int:
    """Rate the age of a factor by the last year named ("2014", "2000-2012"); unreadable counts as
    old.
    """
    years = years_named(year)
    if not years:
        return 3
    age = REFERENCE_YEAR - int(years[-1])
    if age <= 1:
        return 1
    return 2 if age <= 5 else 3
