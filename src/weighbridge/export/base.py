"""What every writer of results is given and guarantees. `service/` reads results from the database,
this folder writes them to files.

A row here holds everything that a file may say about one product; each writer writes the part for
which its format has a place. Nothing is rounded before it gets here (see `columns.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from weighbridge.domain.facts import NO_FACTS, ProductFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from weighbridge.domain.products import ProcessingStatus
    from weighbridge.domain.quantities import Origin
    from weighbridge.domain.results import Contribution, DataQuality, Provenance, Route
    from weighbridge.domain.totals import CatalogueTotals


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One product and all that is known about it, ready for a file.

    Every field from `answered` down is empty until the product is completed; `error` and
    `error_kind` are set while it is failed. `answered` has the values of all fields that the steps
    show, by name. At most one of `image_url` and `picture` is set. Texts are as PostgreSQL holds
    them: no NUL, no half surrogate pairs.
    """

    code: str
    name: str
    description: str
    status: ProcessingStatus
    weight_kg: float | None = None  # as the owner gave it
    image_url: str | None = None
    picture: str | None = None  # name of the stored image
    more_pictures: tuple[str, ...] = ()  # further ones: addresses, or names of stored images
    country_of_origin: str | None = None  # ISO 3166-1 alpha-2
    facts: ProductFacts = NO_FACTS
    row_notes: tuple[Mapping[str, Any], ...] = ()  # RowNote.as_stored
    error: str | None = None
    error_kind: str | None = None
    answered: Mapping[str, Any] = field(default_factory=dict)
    cpc_code: str | None = None
    emissions_kg_co2e: float | None = None
    low_kg_co2e: float | None = None
    high_kg_co2e: float | None = None
    boundary: str = "cradle-to-gate"
    mass_kg: float | None = None  # as calculated with
    mass_origin: Origin | None = None
    data_quality: DataQuality | None = None
    contributions: tuple[Contribution, ...] = ()
    shares: tuple[float, ...] = ()  # what part of the figure each contribution decides
    counted_kg_co2e: tuple[float, ...] = ()  # what each adds to the figure; they add up to it
    routes: tuple[Route, ...] = ()
    dominance: str = ""  # which route decides
    disagreement: float | None = None  # the highest figure of the routes divided by the lowest
    primary_data: str | None = None  # what of the figure is primary data, in words
    estimate_kg_co2e: float | None = None  # computed beside a supplier's figure
    notes: tuple[str, ...] = ()
    provenance: Provenance | None = None
    cost_usd: float | None = None
    completed_at: datetime | None = None  # aware, UTC
    figure_since: datetime | None = None  # when the figure became what it is

    @property
    def total_kg_co2e(self) -> float | None:
        """The figure times the quantity; a product without a quantity counts as one."""
        if self.emissions_kg_co2e is None:
            return None
        return self.emissions_kg_co2e * (
            1.0 if self.facts.quantity is None else self.facts.quantity
        )

    @property
    def simulated(self) -> bool:
        """Whether the figure rests on the simulator."""
        return self.provenance is not None and self.provenance.simulated

    @property
    def recorded(self) -> bool:
        """Whether the figure rests on recorded answers."""
        return self.provenance is not None and self.provenance.recorded


@dataclass(frozen=True, slots=True)
class Extras:
    """Options of single formats.

    `byte_order_mark`: the CSV begins with one, by which Excel recognises UTF-8. `totals` are shown
    on the workbook's sheet Summary; None: it has no such sheet.
    """

    byte_order_mark: bool = False
    totals: CatalogueTotals | None = None


NO_EXTRAS: Final = Extras()


class Writer(Protocol):
    """A file of results that is being written.

    `write` is called with one batch after the other, so memory does not grow with the catalogue.
    The file gets its name only at `close`. After `discard`, or an exception inside the `with`, a
    file that had this name before is still there, unchanged.
    """

    def write(self, rows: Sequence[ResultRow]) -> None:
        """Append these products, in this order."""
        ...

    def close(self) -> None:
        """Finish the file and give it its name. A second call does nothing."""
        ...

    def discard(self) -> None:
        """Give up: remove what was written so far. After `close` it does nothing."""
        ...

    def __enter__(self) -> Self:
        """Return this writer, which its constructor has opened."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """`close` the file; `discard` it if there was an exception."""
        ...
