"""What keeps the program easy to find one's way in: short functions, small folders, one name per
class.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).parents[2] / "src" / "weighbridge"
MODULES: Final = sorted(SOURCE.rglob("*.py"))
FOLDERS: Final = sorted({module.parent for module in MODULES})
LONGEST_FUNCTION: Final = 60
MOST_MODULES: Final = 15
LARGER: Final = {"store": 43}
"""The store has one module per table."""


def name_of(path: Path) -> str:
    """As people say it."""
    return path.relative_to(SOURCE.parent).as_posix()


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_function_is_long(module: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_no_folder_is_crowded(folder: Path) -> None:
    modules = [module for module in folder.glob("*.py") if module.name != "__init__.py"]
    assert len(modules) <= LARGER.get(folder.name, MOST_MODULES)


def test_no_two_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_the_tokenizer_waits_until_tokens_are_counted() -> None:
    """Its vocabulary takes 0.2 s and 67 MB, which most commands save; its package twice that."""
    imports = "import sys, weighbridge.cli.main, weighbridge.wiring, weighbridge.tokenizer as one"
    says = "print(one.tokenizer.cache_info().currsize, one.count_tokens('chair'), *sys.modules)"
    loaded, tokens, *modules = subprocess.run(
        (sys.executable, "-c", f"{imports}; {says}"), capture_output=True, text=True, check=True
    ).stdout.split()
    assert (loaded, tokens) == ("0", "1")
    assert "bpe_openai" not in modules


PROVIDERS_AND_SERVERS = {"openai", "aiohttp", "httpx2", "starlette", "fastapi", "uvicorn"}
DATABASE = {"asyncpg", "pgqueuer"}
TABLES = {"polars"}
READERS = {"PIL", "ftfy", "charset_normalizer", "weighbridge.ingest.formats"}


@pytest.mark.parametrize(
    ("module", "not_needed"),
    [
        ("cli.main", PROVIDERS_AND_SERVERS | DATABASE | TABLES | READERS),
        ("application", PROVIDERS_AND_SERVERS | TABLES | READERS),
        ("wiring", TABLES | READERS - {"PIL"} | {"fastapi"}),
        ("service.imports", PROVIDERS_AND_SERVERS | READERS),
        ("ingest.isolation.child", PROVIDERS_AND_SERVERS | DATABASE | {"pydantic"}),
    ],
)
def test_a_process_loads_no_library_that_it_does_not_need(
    module: str, not_needed: set[str]
) -> None:
    """Each takes up to 60 MB and a second, in every process that loads it."""
    loaded = loaded_by(f"import weighbridge.{module}")
    assert f"weighbridge.{module}" in loaded
    assert loaded & not_needed == set()


@pytest.mark.parametrize("command", ["inspect", "estimate"])
def test_looking_at_a_file_loads_no_provider_and_no_reader(command: str, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.csv"
    file.write_text("code,name,description\nA,Chair,Oak chair\n", encoding="utf-8")
    run = "from weighbridge.cli.main import app; app({0!r}, standalone_mode=False)"
    loaded = loaded_by(run.format([command, "--json", str(file)]))
    assert "polars" in loaded
    assert loaded & ((PROVIDERS_AND_SERVERS - {"httpx2"}) | READERS) == set()


READS_WITH_AN_ESTIMATE = """
import sys
from pathlib import Path
from weighbridge import tokenizer
from weighbridge.application import estimate_basis
from weighbridge.ingest.isolation.reading import OpenCatalogue
from weighbridge.service.estimates import Estimator
from weighbridge.settings import load_settings

def say():
    print(tokenizer.tokenizer.cache_info().currsize, "genai_prices" in sys.modules)

estimator = Estimator(estimate_basis(load_settings()))
with OpenCatalogue(Path(sys.argv[1])) as catalogue:
    for chunk in catalogue.chunks():
        estimator.take(chunk)
        say()
estimator.estimate()
say()
"""


def test_an_estimate_loads_vocabulary_and_prices_when_the_file_is_read(tmp_path: Path) -> None:
    """They take 87 MB, which would add to the 200 MB of the process that reads a large file."""
    file = tmp_path / "catalogue.csv"
    file.write_text("code,name,description\nA,Chair,Oak chair\n", encoding="utf-8")
    answer = subprocess.run(
        (sys.executable, "-c", READS_WITH_AN_ESTIMATE, str(file)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.splitlines() == ["0 False", "1 True"]


def loaded_by(statements: str) -> set[str]:
    """The modules of a new process that has run these."""
    says = "import sys; print(*sys.modules)"
    answer = subprocess.run(
        (sys.executable, "-c", f"{statements}\n{says}"), capture_output=True, text=True, check=True
    )
    return set(answer.stdout.splitlines()[-1].split())
