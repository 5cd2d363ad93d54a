"""What `import weighbridge` gives, inside an event loop that runs, as in Jupyter."""

from __future__ import annotations

import json
import math
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import weighbridge
from weighbridge.errors import InputError, NotFound
from weighbridge.notebook.frames import as_file
from weighbridge.notebook.tables import RECORDED_NOTE, SIMULATED_NOTE
from weighbridge.notebook.threads import on_own_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[2] / "examples"
MUG = {"sku": "007", "title": "Steel mug", "description": "A mug of steel", "Weight (g)": 250.0}


@pytest.fixture
def here(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the examples, and a fresh database."""
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    monkeypatch.chdir(shutil.copytree(EXAMPLES, tmp_path / "examples"))
    return tmp_path


def _cells() -> list[str]:
    notebook = json.loads((EXAMPLES / "footprints.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


async def test_the_example_notebook_runs_from_top_to_bottom_and_ends_in_a_labelled_plot(
    here: Path,
) -> None:
    names: dict[str, Any] = {}
    for cell in _cells():
        exec(cell, names)  # noqa: S102 - our own file

    weighed = names["weighed"]
    assert weighed.products.height == 60
    assert set(weighed.products["status"]) == {"completed"}
    assert weighed.recorded
    assert weighed.label == RECORDED_NOTE
    assert "recorded answers" in names["axes"].get_title()
    names["figure"].savefig(here / "plot.png")
    assert (here / "plot.png").read_bytes().startswith(b"\x89PNG")
    names["plt"].close("all")


async def test_a_table_is_read_as_a_file_is_and_stored_results_are_those_of_the_run(
    here: Path,
) -> None:
    weighed = weighbridge.run(pl.DataFrame([MUG, {"sku": "8"}]), simulate=True)

    assert weighed.products.select("code", "weight_kg").rows() == [("007", 0.25)]
    assert [row for row, _, _ in weighed.rejected.rows()] == [2]
    assert weighed.label == SIMULATED_NOTE
    assert SIMULATED_NOTE in str(weighed)
    assert SIMULATED_NOTE in weighed._repr_html_()
    total = weighed.contributions["emissions_kg_co2e"].sum()
    assert total == pytest.approx(weighed.products["emissions_kg_co2e"].item())
    assert weighbridge.results(["007"]).products.equals(weighed.products)
    assert weighbridge.explain("007")["code"] == "007"


class _Missing:
    """As pandas writes an empty cell of a column of whole numbers."""


_Missing.__name__ = "NAType"


class _Pandas:
    """As a pandas DataFrame writes itself, with `index` as its index of this name."""

    def __init__(
        self, rows: list[dict[str, Any]], index: str | None = None, columns: Sequence[str] = ()
    ) -> None:
        self.columns = list(columns) or [name for name in rows[0] if name != index]
        self._index = index
        self._rows = rows

    def to_dict(self, *, orient: str) -> dict[str, Any]:
        """What `DataFrame.to_dict(orient="tight")` gives."""
        assert orient == "tight"
        at = list(range(len(self._rows)))
        return {
            "index": [row[self._index] for row in self._rows] if self._index else at,
            "columns": self.columns,
            "data": [[row[name] for name in self.columns] for row in self._rows],
            "index_names": [self._index],
            "column_names": [None],
        }


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame([MUG]),
        pl.LazyFrame([MUG]),
        [MUG],
        (MUG,),
        iter([MUG]),
        _Pandas([MUG]),
        _Pandas([MUG], index="sku"),
    ],
    ids=["polars", "lazy", "records", "tuple", "generator", "pandas", "pandas with an index"],
)
def test_every_kind_of_table_becomes_a_file_with_its_rows(table: object, tmp_path: Path) -> None:
    path = as_file(table, tmp_path)

    read = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_json(path)
    assert read.to_dicts() == [MUG]


@pytest.mark.parametrize(
    ("catalogue", "words"),
    [
        ("missing.csv", "missing.csv is not a file"),
        (42, "of type int"),
        ([{"sku": {1, 2}}], "cannot express: {1, 2} is of type set"),
        (MUG, "of type dict"),
        ([MUG, ["sku", "title"]], "Row 2 is no dictionary but of type list"),
        (_Pandas([MUG], columns=["sku", "title", "title"]), "several columns called title"),
    ],
)
def test_what_is_no_catalogue_is_refused_by_name(
    catalogue: object, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        as_file(catalogue, tmp_path)


def test_cells_that_json_does_not_know_keep_their_value(tmp_path: Path) -> None:
    odd = {
        "sku": np.int64(4006381333931),
        "weight": Decimal("0.3"),
        "pieces": Decimal(12),
        "since": date(2026, 1, 2),
        "share": np.float32(0.5),
        "list": np.array([1, 2]),
    }
    plain = {
        "sku": 4006381333931, "weight": 0.3, "pieces": 12, "since": "2026-01-02", "share": 0.5,
        "list": [1, 2],
    }  # fmt: skip
    missing = {"not a number": math.nan, "not available": _Missing(), "infinite": math.inf}
    for table in ([odd], _Pandas([odd])):
        assert json.loads(as_file(table, tmp_path).read_text()) == [plain]
    assert json.loads(as_file(_Pandas([missing]), tmp_path).read_text()) == [
        {"not a number": None, "not available": None, "infinite": "inf"}
    ]


async def test_every_rejected_row_is_in_the_table_and_in_the_remark(here: Path) -> None:
    nameless = [
        {"sku": f"N-{number}", "title": "", "description": "A mug"} for number in range(1_200)
    ]
    weighed = weighbridge.run([MUG, *nameless], simulate=True)
    assert weighed.rejected["row"].to_list() == list(range(2, 1_202))
    assert "Rejected 1,200 rows" in str(weighed)


async def test_results_of_codes_are_read_as_they_are_written_and_unknown_ones_are_named(
    here: Path,
) -> None:
    mugs = [{**MUG, "sku": sku} for sku in (1, 10, 1001)]
    weighbridge.run(mugs, simulate=True)
    assert weighbridge.results([1001, "10"]).products["code"].to_list() == ["10", "1001"]
    assert weighbridge.results("1001").products["code"].to_list() == ["1001"]
    assert weighbridge.explain(1001)["code"] == "1001"
    with pytest.raises(NotFound, match="There is no product 7, 8"):
        weighbridge.results([1001, 8, 7])


async def test_an_error_of_the_thread_is_raised_where_somebody_waits() -> None:
    async def fail() -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        on_own_thread(fail)


def test_the_package_names_what_it_offers_and_nothing_else() -> None:
    assert {"run", "results", "explain", "WeighedProducts"} <= set(dir(weighbridge))
    with pytest.raises(AttributeError, match="nothing"):
        _ = weighbridge.nothing
