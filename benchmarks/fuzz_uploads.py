"""Uploads the damaged files of `fuzz_readers` to a live server: does it live, and does it say where
each file is wrong?

    python -m benchmarks.fuzz_uploads [--minutes 15] [--seed 1]

Files go to bulk-upload, to the preview of an import and, where they are pictures, to a product. Any
answer of 500, refusal without a reason, dead server or unanswered health check is printed with its
seed. At the end: the answers by status, the health checks, and the most memory of the server with
its readers.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import psutil

from benchmarks.fuzz_readers import KINDS
from tests.support.database import PostgresForTests
from tests.support.server_process import server_process

if TYPE_CHECKING:
    from tests.support.server_process import ServerProcess

PICTURED = {"code": "PICTURED", "name": "Oak chair", "description": "A chair of solid oak"}
CHECK_EVERY_S = 0.5
PATIENCE_S = 240.0
MEMORY_LIMIT = 1_000_000_000


class Watch:
    """Asks for health and looks at the memory, in a thread of its own."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.latencies_s: list[float] = []
        self.unanswered: Counter[str] = Counter()
        self.most_bytes = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        process = psutil.Process(self._server.process.pid)
        while not self._is_over.wait(CHECK_EVERY_S):
            began_s = time.monotonic()
            try:
                httpx2.get(f"{self._server.base}/healthz", timeout=30.0).raise_for_status()
            except httpx2.HTTPError as error:
                self.unanswered[type(error).__name__] += 1
            else:
                self.latencies_s.append(time.monotonic() - began_s)
            self.most_bytes = max(self.most_bytes, _memory(process))


def _memory(process: psutil.Process) -> int:
    """Of the server with its readers; a child may end meanwhile."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


class Said(NamedTuple):
    """An answer of the server; status 0 is none."""

    status: int
    body: Any


def upload(client: httpx2.Client, kind: str, name: str, data: bytes, path: str) -> Said:
    files = {"file": (name, data)}
    target = "/api/products/PICTURED/image" if kind == "picture" else path
    try:
        answer = client.post(target, files=files)
    except httpx2.HTTPError as error:
        return Said(0, repr(error))
    try:
        return Said(answer.status_code, answer.json())
    except ValueError:
        return Said(answer.status_code, answer.text)


def fault_of(said: Said, name: str) -> str | None:
    """What is wrong with the answer; None: nothing."""
    if said.status in {200, 201}:
        rejected = said.body.get("rejected") or []
        nowhere = [row for row in rejected if not (row.get("row") and row.get("reason"))]
        return f"rejected without a place: {nowhere[:2]}" if nowhere else None
    if not 400 <= said.status < 500 or not isinstance(said.body, dict):
        return f"answered {said.status}: {str(said.body)[:300]}"
    words = json.dumps(said.body, ensure_ascii=False)
    detail = str(said.body.get("detail") or "")
    has_place = name in words or "picture" in words.lower()
    return None if has_place and len(detail) > 10 else f"names no place: {words[:300]}"


def run(server: ServerProcess, minutes: float, seed: int) -> int:
    ends_s = time.monotonic() + 60 * minutes
    answers: Counter[tuple[str, int]] = Counter()
    faults, first = 0, seed
    paths = ["/api/products/bulk-upload", "/api/products/inspect"]
    with (
        httpx2.Client(base_url=server.base, timeout=PATIENCE_S) as client,
        Watch(server) as watch,
    ):
        client.post("/api/products", json=PICTURED).raise_for_status()
        while time.monotonic() < ends_s and server.process.poll() is None:
            kind = list(KINDS)[seed % len(KINDS)]
            name = f"fuzzed-{seed}.{'jpg' if kind == 'picture' else kind}"
            data = KINDS[kind](random.Random(seed))
            said = upload(client, kind, name, data, paths[seed // len(KINDS) % 2])
            answers[kind, said.status] += 1
            if fault := fault_of(said, name):
                faults += 1
                print(f"seed {seed} ({kind}): {fault}", flush=True)
            seed += 1
    is_alive = server.process.poll() is None
    slowest_s = max(watch.latencies_s, default=0.0)
    print(f"{seed - first:,} files, {faults} faults; the next seed is {seed}")
    print(", ".join(f"{kind} {status}: {n}" for (kind, status), n in sorted(answers.items())))
    print(
        f"the server {'lives' if is_alive else 'died'}; health checks answered: "
        f"{len(watch.latencies_s)}, slowest {slowest_s:.2f} s, unanswered: {dict(watch.unanswered)}"
    )
    print(f"memory of server and readers: {watch.most_bytes / 1e6:.0f} MB at most")
    is_good = is_alive and not faults and not watch.unanswered
    return 0 if is_good and watch.most_bytes < MEMORY_LIMIT else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        postgres = PostgresForTests(Path(folder))
        try:
            url = postgres.create_database()
            with server_process(url, Path(folder)) as server:
                code = run(server, arguments.minutes, arguments.seed)
        finally:
            postgres.close()
    sys.exit(code)


if __name__ == "__main__":
    main()
