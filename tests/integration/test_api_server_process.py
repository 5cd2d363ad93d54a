"""The real server in a process of its own: it starts, works, and ends as it promises."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CSV = b"code,name,description\n" + b"".join(
    b"P%d,Steel bottle %d,Stainless steel bottle of 500 ml\n" % (n, n) for n in range(12)
)


class ServerProcess:
    """`weighbridge serve --simulate` on a free port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self._base = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """One request; returns the JSON."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            self._base + path, data=body, method=method, headers=headers
        )
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return json.loads(response.read())

    def until(self, path: str, condition: Any, timeout_s: float = 60.0) -> Any:
        """Ask until the answer is as wanted."""
        ends = time.perf_counter() + timeout_s
        while True:
            try:
                answer = self.call("GET", path)
            except (urllib.error.URLError, ConnectionError):
                answer = None
            if answer is not None and condition(answer):
                return answer
            assert time.perf_counter() < ends, f"{path} answered {answer}"
            assert self.process.poll() is None, "the server ended"
            time.sleep(0.05)


def _environment(url: str, data_dir: Path) -> dict[str, str]:
    inherited = os.environ  # noqa: TID251 - a child process needs it
    return {**inherited, "WEIGHBRIDGE_DATABASE_URL": url, "WEIGHBRIDGE_DATA_DIR": str(data_dir)}


@contextmanager
def _server(url: str, data_dir: Path) -> Iterator[ServerProcess]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "weighbridge", "serve", "--simulate", "--port", str(port)],
        env=_environment(url, data_dir),
        stderr=subprocess.DEVNULL,
    )
    server = ServerProcess(process, port)
    try:
        server.until("/readyz", lambda answer: answer["status"] == "ready")
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=20)


def test_an_upload_is_processed_by_itself_and_sigterm_ends_the_server_cleanly(
    database_url: str, tmp_path: Path
) -> None:
    with _server(database_url, tmp_path) as server:
        done = server.call("POST", "/api/products/bulk-upload", CSV, **{"Content-Type": "text/csv"})
        assert done["created"] == 12
        server.until("/api/products/queue-status", lambda s: s["database"]["completed"] == 12)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0


def test_ctrl_c_ends_the_server_with_its_own_exit_code(database_url: str, tmp_path: Path) -> None:
    with _server(database_url, tmp_path) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=30) == 130


def test_a_stopped_queue_stays_stopped_over_a_restart_and_goes_on_when_told(
    database_url: str, tmp_path: Path
) -> None:
    with _server(database_url, tmp_path) as server:
        server.call("POST", "/api/products/stop-queue")
        server.call("POST", "/api/products/bulk-upload", CSV, **{"Content-Type": "text/csv"})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
    with _server(database_url, tmp_path) as server:
        status = server.call("GET", "/api/products/queue-status")
        assert status["queue"]["running"] is False
        assert status["database"]["pending"] == 12
        assert server.call("POST", "/api/products/start-queue")["addedToQueue"] == 12
        server.until("/api/products/queue-status", lambda s: s["database"]["completed"] == 12)


def test_a_taken_port_is_explained(database_url: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = subprocess.run(
            [
                *(sys.executable, "-m", "weighbridge", "serve", "--simulate"),
                *("--port", str(taken.getsockname()[1])),
            ],
            env=_environment(database_url, tmp_path),
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 2
    assert b"--port" in result.stderr
