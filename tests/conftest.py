"""What every test needs: a clean environment, a fixed seed, and, where asked for, a real database.

Sockets are closed but for this machine's own (see pyproject.toml).
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.support.database import PostgresForTests
from tests.support.run_folder import choose_run_folder
from tests.support.seeds import VARIABLE, choose_first_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

# A busy machine must not fail a test that asserts something else than speed. Examples are new in
# every run; a failure prints the line that repeats it, and the next run begins with it.
settings.register_profile(
    "weighbridge",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis"),
    print_blob=True,
)
settings.load_profile("weighbridge")

FOREIGN_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "PGQUEUER_PREFIX")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """All processes of a run draw the same new seeds, and keep their files away from those of other
    runs.
    """
    choose_first_seed()
    choose_run_folder(config)


def pytest_report_header() -> str:
    """How to repeat what was drawn."""
    return f"simulations: {VARIABLE}={choose_first_seed()}"


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No test sees the developer's own settings or `.env`."""
    import os

    for name in [*FOREIGN_VARIABLES, *(n for n in os.environ if n.startswith("WEIGHBRIDGE_"))]:  # noqa: TID251
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """The same dice in every run."""
    random.seed(20_261_123)


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresForTests]:
    """One embedded server for the whole session, with a migrated template database."""
    server = PostgresForTests(tmp_path_factory.mktemp("postgres"))
    yield server
    server.close()


@pytest.fixture
def database_url(postgres: PostgresForTests) -> Iterator[str]:
    """A fresh, migrated database, gone after the test."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)
