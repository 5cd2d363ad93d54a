"""Weighbridge in Python and notebooks: what `import weighbridge` gives.

The functions use the same services and the same database as the command line. They may be called
where an event loop is already running, as in Jupyter: each call runs on a thread of its own.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from weighbridge.application import open_application
from weighbridge.errors import NotFound
from weighbridge.notebook.frames import as_file
from weighbridge.notebook.running import weigh
from weighbridge.notebook.tables import WeighedProducts, read_results
from weighbridge.notebook.threads import on_own_thread
from weighbridge.service.desk.explaining import explain_product
from weighbridge.settings import load_settings
from weighbridge.telemetry import log_errors_only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.settings import Settings

__all__ = ["WeighedProducts", "explain", "results", "run"]


def run(
    products: object,
    *,
    answers: str | Path | None = None,
    simulate: bool = False,
    budget_usd: float | None = None,
    factors: str | Path | None = None,
    data_dir: str | Path | None = None,
) -> WeighedProducts:
    """Process a catalogue and return the results of its products; called again, it resumes.

    Without `answers` or `simulate` the configured provider is asked, which costs money; there is no
    prompt for confirmation.

    Args:
        products: a file (CSV, XLSX, JSON, JSONL, Parquet), a polars or pandas DataFrame, or a list
            of dictionaries. Columns are recognised by name, as in files; so is the named index of a
            pandas DataFrame.
        answers: a recording to replay. The simulator answers about products that are not in it.
        simulate: ask the built-in simulator, which invents its answers.
        budget_usd: the most that this catalogue may cost over all its runs.
        factors: a CSV file of emission factors of your own.
        data_dir: where the embedded database is; by default that of the command line.

    Raises:
        InputError: the catalogue or the recording cannot be used; nothing was stored or sent.
        ProviderError, SettingsError, StoreError: as their names say.
    """
    settings = _settings(data_dir, factors)
    recording = Path(answers) if answers is not None else None
    with TemporaryDirectory(prefix="weighbridge-") as folder:
        file = as_file(products, Path(folder))
        return on_own_thread(
            lambda: weigh(settings, file, recording, simulate=simulate, budget_usd=budget_usd)
        )


def results(
    codes: Sequence[object] | None = None, *, data_dir: str | Path | None = None
) -> WeighedProducts:
    """Read the stored results of all products, or of those with `codes`.

    Raises:
        NotFound: there are no products with some of these codes.
    """
    settings = _settings(data_dir)
    wanted = None if codes is None else _codes(codes)

    async def read_stored() -> WeighedProducts:
        async with open_application(settings) as app:
            return await read_results(app, codes=wanted)

    found = on_own_thread(read_stored)
    if unknown := set(wanted or ()).difference(found.products["code"]):
        raise NotFound(f"There is no product {', '.join(sorted(unknown))}.")
    return found


def explain(code: object, *, data_dir: str | Path | None = None) -> dict[str, Any]:
    """The explanation of a product's figure, as `weighbridge explain CODE --json` prints it.

    Raises:
        NotFound: there is no such product.
        Conflict: it has no figure at present.
    """
    from weighbridge.api.schemas.explanation import ProductExplanation

    settings = _settings(data_dir)

    async def explanation() -> dict[str, Any]:
        async with open_application(settings) as app:
            found = await explain_product(app.database, app.questions.steps, str(code))
        view = ProductExplanation.model_validate(found, from_attributes=True)
        return view.model_dump(mode="json")

    return on_own_thread(explanation)


def _codes(given: Sequence[object] | str) -> list[str]:
    """Codes as text; a single one may be given without a list, and numbers as numbers."""
    return [given] if isinstance(given, str) else [str(code) for code in given]


def _settings(data_dir: str | Path | None, factors: str | Path | None = None) -> Settings:
    """The settings, with these two replaced where given; also limits logging to errors."""
    log_errors_only()
    return load_settings(data_dir=data_dir, factors=factors)
