"""Pages that can rot are compared with what they describe."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from weighbridge.application import FACTOR_SOURCES
from weighbridge.domain.products import TRANSITIONS
from weighbridge.steps import STEPS
from weighbridge.wiring import PROVIDERS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))
PARTS_OF_A_DECISION = ["Context", "Decision", "Consequences", "Alternatives", "Enforced"]


def text_of(page: Path) -> str:
    """The page."""
    return page.read_text(encoding="utf-8")


def test_documented_product_states_match_the_program() -> None:
    section = text_of(DOCS / "explanation" / "architecture.md").split("## The states of a product")[
        1
    ]
    rows = re.findall(r"^\| (\w+) \| ([\w ]+) \| (\w+) \|$", section, flags=re.MULTILINE)
    described = {row for row in rows if row[0] != "in"}
    assert described == {(state, event, after) for (state, event), after in TRANSITIONS.items()}


@pytest.mark.parametrize(("chain", "most_files"), [("One product", 40), ("One call", 28)])
def test_the_chain_of_calls_is_that_of_the_program_and_short_enough(
    chain: str, most_files: int
) -> None:
    """Every name exists, is called in the file of the name above it, and few files are needed."""
    page = text_of(DOCS / "explanation" / "architecture.md")
    block = page.split(f"## {chain}, function by function")[1].split("```text\n")[1].split("```")[0]
    files: set[Path] = set()
    above: list[Path] = []
    for line in block.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.strip()
        file = _file_of(name)
        if depth:
            called = name.rpartition(".")[2]
            owner = name.split(".")[-2]
            caller = text_of(above[depth - 1])
            assert re.search(rf"\b({called}|{owner})\b", caller), f"{above[depth - 1]}: {name}"
        above[depth:] = [file]
        files.add(file)
    assert len(files) <= most_files


def _file_of(name: str) -> Path:
    """Where this function, class or constant of the program is defined."""
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        module = ROOT / "src" / "weighbridge" / Path(*parts[:split])
        path = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
        if path.exists():
            found: object = importlib.import_module(".".join(["weighbridge", *parts[:split]]))
            for attribute in parts[split:]:
                found = getattr(found, attribute)
            return path
    raise AssertionError(f"no module of {name}")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_every_decision_has_five_parts_and_is_in_index_and_menu(page: Path) -> None:
    assert re.findall(r"^## (\w+)$", text_of(page), flags=re.MULTILINE) == PARTS_OF_A_DECISION
    assert f"({page.name})" in text_of(DOCS / "decisions" / "index.md")
    assert f"decisions/{page.name}" in text_of(ROOT / "mkdocs.yml")


PAGES = [*DECISIONS, DOCS / "explanation" / "architecture.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_named_on_a_page_exist(page: Path) -> None:
    named = re.findall(r"`((?:[a-z_]+/)+[\w.]+\.(?:py|sql|md|csv))`", text_of(page))
    missing = [
        name
        for name in named
        if not (ROOT / name).exists() and not (ROOT / "src" / "weighbridge" / name).exists()
    ]
    assert missing == []


def test_the_architecture_page_names_every_folder_of_the_program() -> None:
    page = text_of(DOCS / "explanation" / "architecture.md")
    folders = [init.parent.name for init in (ROOT / "src" / "weighbridge").glob("*/__init__.py")]
    assert [folder for folder in folders if folder not in page] == []


def test_the_contributing_page_names_every_target_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z]+):.*##", text_of(ROOT / "Makefile"), flags=re.MULTILINE)
    page = text_of(ROOT / "CONTRIBUTING.md")
    assert [target for target in targets if f"`make {target}`" not in page] == ["help"]


def test_every_page_is_in_the_menu() -> None:
    menu = text_of(ROOT / "mkdocs.yml")
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert [page for page in pages if f" {page}\n" not in menu] == []


@pytest.mark.parametrize(
    ("page", "most_words"),
    [("reference/performance.md", 1_500), ("explanation/what-is-guaranteed.md", 1_200)],
)
def test_pages_of_results_stay_short(page: str, most_words: int) -> None:
    assert len(text_of(DOCS / page).split()) <= most_words


def test_links_point_to_existing_pages_and_headings() -> None:
    broken = []
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors_of(target)):
                broken.append(f"{page.name}: {link}")
    assert broken == []


def anchors_of(page: Path) -> set[str]:
    """The headings, as links name them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def test_the_recipe_for_a_step_is_what_the_tests_run() -> None:
    page = text_of(ROOT / "CONTRIBUTING.md")
    assert text_of(ROOT / "tests" / "toys" / "packaging.py") in page
    source = text_of(ROOT / "tests" / "integration" / "test_new_step.py")
    (test,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")
    )
    lines = source.splitlines()[test.decorator_list[0].lineno - 1 : test.end_lineno]
    assert "\n".join(lines) in page


def test_the_recipe_names_the_tables_that_take_a_line() -> None:
    page = text_of(ROOT / "CONTRIBUTING.md")
    tables = {"`STEPS`": STEPS, "`PROVIDERS`": PROVIDERS, "`FACTOR_SOURCES`": FACTOR_SOURCES}
    assert [name for name, table in tables.items() if name not in page or not table] == []
