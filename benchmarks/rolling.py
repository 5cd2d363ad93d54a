"""An upgrade host by host: workers of two versions on one database, while they work. Prints one
JSON line.

    python -m benchmarks.rolling [--from COMMIT] [--products 1000] [--latency 1] [--drains-only]

With `--from`, the older version is that commit of this repository (checked out beside it for the
time), the newer one what lies here. Without, the older one is what lies here and the newer one the
same with a migration more, other prompts and more in the limiter's state. Two old workers begin; a
new one joins and migrates the database; one old worker is drained and replaced by a new one; the
other is killed (kill -9), started again as it was, which only a version works that the migrations
serve, and then replaced too. Nothing may be lost, and nothing paid twice but what was in flight at
the kill.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.database import PostgresForTests
from tests.support.killed_run import KilledRun, SimulatorServer
from tests.support.two_versions import SOURCES, RollingUpgrade, next_version

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """The sources of a commit."""
    git = ["git", "-C", str(SOURCES.parent), "worktree"]
    place = folder / "earlier"
    subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
    try:
        yield place / "src"
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


def rolled(old: Path, new: Path, folder: Path, products: int, latency_s: float, kills: bool) -> str:
    """One upgrade, as a line of JSON."""
    url = PostgresForTests(folder / "postgres").create_empty_database()
    started_s = time.monotonic()
    with SimulatorServer("--latency", str(latency_s)) as simulator:
        run = KilledRun(simulator, folder, products)
        upgrade = RollingUpgrade(run, url, old, new).roll(kills=kills)
    seconds = round(time.monotonic() - started_s)
    return json.dumps({"measurement": "rolling", **upgrade.document(), "seconds": seconds})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="commit")
    parser.add_argument("--products", type=int, default=1_000)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--drains-only", action="store_true", help="kill nobody")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rest = (folder, asked.products, asked.latency, not asked.drains_only)
        if asked.commit:
            with checked_out(asked.commit, folder) as old:
                print(rolled(old, SOURCES, *rest))
        else:
            print(rolled(SOURCES, next_version(folder), *rest))


if __name__ == "__main__":
    main()
