"""What `import weighbridge` gives, inside an event loop that runs, as in Jupyter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import weighbridge
from weighbridge.errors import InputError
from weighbridge.notebook.frames import as_file
from weighbridge.notebook.tables import RECORDED_NOTE, SIMULATED_NOTE
from weighbridge.notebook.threads import on_own_thread

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


class _Pandas:
    """As a pandas DataFrame writes itself."""

    def to_json(self, path: Path, **options: object) -> None:
        assert options["orient"] == "records"
        path.write_text(json.dumps([MUG]), encoding="utf-8")


@pytest.mark.parametrize(
    "table",
    [pl.DataFrame([MUG]), pl.LazyFrame([MUG]), [MUG], _Pandas()],
    ids=["polars", "lazy", "records", "pandas"],
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
        ([{"sku": {1, 2}}], "JSON cannot express"),
    ],
)
def test_what_is_no_catalogue_is_refused_by_name(
    catalogue: object, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        as_file(catalogue, tmp_path)


async def test_an_error_of_the_thread_is_raised_where_somebody_waits() -> None:
    async def fail() -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        on_own_thread(fail)


def test_the_package_names_what_it_offers_and_nothing_else() -> None:
    assert {"run", "results", "explain", "WeighedProducts"} <= set(dir(weighbridge))
    with pytest.raises(AttributeError, match="nothing"):
        _ = weighbridge.nothing
