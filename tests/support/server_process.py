"""`weighbridge serve --simulate` as a process of its own, for tests that need the whole program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 120.0
"""Ends a test that hangs; a process of its own takes long to begin on a busy machine."""


class ServerProcess:
    """A running server, and what is asked of it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self._log = log

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """One request; returns the JSON."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            self.base + path, data=body, method=method, headers=headers
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310
            return json.loads(response.read())

    def until(
        self,
        path: str,
        condition: Callable[[Any], bool],
        timeout_s: float = PATIENCE_S,
        **headers: str,
    ) -> Any:
        """Ask until the answer is as wanted."""
        ends = time.perf_counter() + timeout_s
        while True:
            try:
                answer = self.call("GET", path, None, **headers)
            except OSError:  # not there yet, not ready, or too busy to answer in time
                answer = None
            if answer is not None and condition(answer):
                return answer
            assert time.perf_counter() < ends, f"{path} answered {answer}"
            assert self.process.poll() is None, f"the server ended: {self.log}"
            time.sleep(0.05)

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)

    @property
    def log(self) -> str:
        """What it has said on stderr so far."""
        return self._log.read_text(encoding="utf-8")


def environment_of_server(url: str, data_dir: Path, **variables: str) -> dict[str, str]:
    """What a server process gets: the test's own environment, the database, and `variables`."""
    inherited = os.environ  # noqa: TID251 - a child process needs it
    return {
        **inherited,
        "WEIGHBRIDGE_DATABASE_URL": url,
        "WEIGHBRIDGE_DATA_DIR": str(data_dir),
        **variables,
    }


@contextmanager
def server_process(
    url: str, data_dir: Path, *options: str, **variables: str
) -> Iterator[ServerProcess]:
    """A server on a free port, ready; killed at the end unless it has ended before."""
    port = free_port()
    log = data_dir / f"server-{port}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "weighbridge",
                "serve",
                "--simulate",
                "--port",
                str(port),
                *options,
            ],
            env=environment_of_server(url, data_dir, **variables),
            stderr=stderr,
        )
    server = ServerProcess(process, port, log)
    try:
        server.until("/readyz", lambda answer: answer["status"] == "ready")
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=PATIENCE_S)
