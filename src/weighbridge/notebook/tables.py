"""Reads results as polars tables, with a note on simulated and recorded answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl
from typing_extensions import override

from weighbridge.plain_text import counted
from weighbridge.service.products import rejected_rows
from weighbridge.service.results import export_results

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from weighbridge.application import Application

SIMULATED_NOTE: Final = "SIMULATED: the answers of these products were invented by the simulator."
RECORDED_NOTE: Final = "RECORDED: answers come from a recording; no model was asked for this run."
_PARQUET: Final = "parquet"
_ROWS: Final = {"row": pl.Int64, "field": pl.String, "reason": pl.String}


@dataclass(frozen=True, slots=True)
class WeighedProducts:
    """Products with their footprints. Names and types of the columns are those of Parquet
    exports.
    """

    products: pl.DataFrame
    rejected: pl.DataFrame
    """Every row of the catalogue that could not be used: row, field, reason."""
    stopped_because: str | None = None
    """Why the run ended before all products were done; None if they are."""

    @property
    def contributions(self) -> pl.DataFrame:
        """A row for each contribution to a figure, with its factor and source."""
        return (
            self.products.select("code", "contributions")
            .explode("contributions")
            .drop_nulls("contributions")
            .unnest("contributions")
        )

    @property
    def simulated(self) -> bool:
        """Whether any figure was computed from the simulator's answers."""
        return bool(self.products["simulated"].any())

    @property
    def recorded(self) -> bool:
        """Whether any figure was computed from recorded answers."""
        return bool(self.products["recorded"].any())

    @property
    def label(self) -> str:
        """The notes that must be shown with figures from simulated or recorded answers; "" if there
        are none.
        """
        notes = [
            note
            for note, holds in ((SIMULATED_NOTE, self.simulated), (RECORDED_NOTE, self.recorded))
            if holds
        ]
        return " ".join(notes)

    @override
    def __str__(self) -> str:
        """The table of products below the label and remarks on what is missing."""
        return "\n".join([*self._remarks(), str(self.products)])

    def _repr_html_(self) -> str:
        remarks = "".join(f"<p><strong>{_escaped(one)}</strong></p>" for one in self._remarks())
        return remarks + self.products._repr_html_()

    def _remarks(self) -> list[str]:
        """The label, and a line each on an early end, failed products and rejected rows."""
        remarks = [self.label] if self.label else []
        if self.stopped_because:
            remarks.append(f"Stopped before the end: {self.stopped_because}")
        if failed := int((self.products["status"] == "failed").sum()):
            remarks.append(f"{failed:,} failed: see the column error.")
        if self.rejected.height:
            remarks.append(
                f"Rejected {counted(self.rejected.height, 'row')}: see the table rejected."
            )
        return remarks


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def read_results(
    app: Application,
    *,
    scope: UUID | None = None,
    codes: Sequence[str] | None = None,
    rejected_of: UUID | None = None,
    stopped_because: str | None = None,
) -> WeighedProducts:
    """The results of all products, of those of the import `scope`, or of those with `codes`.

    `rejected_of` is the import whose rejected rows are read, `stopped_because` is passed on.
    """
    with TemporaryDirectory(prefix="weighbridge-") as folder:
        path = Path(folder) / "results.parquet"
        await export_results(
            app.database,
            app.taxonomy,
            app.factors,
            app.questions.steps,
            [(_PARQUET, path)],
            scope,
            codes,
            names=app.settings.export_names,
        )
        products = pl.read_parquet(path)
    rejected = (
        []
        if rejected_of is None
        else [
            {"row": one.row, "field": one.field, "reason": one.reason}
            async for one in rejected_rows(app.database, rejected_of)
        ]
    )
    return WeighedProducts(products, pl.DataFrame(rejected, schema=_ROWS), stopped_because)
