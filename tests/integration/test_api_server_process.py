"""The real server in a process of its own: it starts, works, and ends as it promises."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.killed_run import wait_until
from tests.support.server_process import PATIENCE_S, environment_of_server, server_process

if TYPE_CHECKING:
    from pathlib import Path

CSV = b"code,name,description\n" + b"".join(
    b"P%d,Steel bottle %d,Stainless steel bottle of 500 ml\n" % (n, n) for n in range(12)
)


def test_an_upload_is_processed_and_sigterm_stops_cleanly(
    database_url: str, tmp_path: Path
) -> None:
    with server_process(database_url, tmp_path) as server:
        done = server.call("POST", "/api/products/bulk-upload", CSV, **{"Content-Type": "text/csv"})
        assert done["created"] == 12
        server.until("/api/products/queue-status", lambda s: s["database"]["completed"] == 12)
        assert server.terminate() == 0


def test_ctrl_c_ends_the_server_with_its_own_exit_code(database_url: str, tmp_path: Path) -> None:
    with server_process(database_url, tmp_path) as server:
        assert server.terminate(signal.SIGINT) == 130


def test_a_second_signal_ends_the_server_at_once_and_without_a_traceback(
    database_url: str, tmp_path: Path
) -> None:
    with server_process(database_url, tmp_path) as server:
        # Enough to keep calls in flight through the first signal.
        many = CSV + b"".join(
            b"Q%d,Oak chair %d,Solid oak chair with a lacquer\n" % (n, n) for n in range(3_000)
        )
        server.call("POST", "/api/products/bulk-upload", many, **{"Content-Type": "text/csv"})
        server.until("/api/products/queue-status", lambda s: s["queue"]["processing"])
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "a second signal stops at once" in server.log, "it says so")
        assert server.terminate() == 0
        assert "Traceback" not in server.log


def test_a_stopped_queue_stays_stopped_after_a_restart_until_started(
    database_url: str, tmp_path: Path
) -> None:
    with server_process(database_url, tmp_path) as server:
        server.call("POST", "/api/products/stop-queue")
        server.call("POST", "/api/products/bulk-upload", CSV, **{"Content-Type": "text/csv"})
        assert server.terminate() == 0
    with server_process(database_url, tmp_path) as server:
        status = server.call("GET", "/api/products/queue-status")
        assert status["queue"]["running"] is False
        assert status["database"]["pending"] == 12
        assert server.call("POST", "/api/products/start-queue")["addedToQueue"] == 12
        server.until("/api/products/queue-status", lambda s: s["database"]["completed"] == 12)


def test_a_port_in_use_is_explained(database_url: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = subprocess.run(
            [
                *(sys.executable, "-m", "weighbridge", "serve", "--simulate"),
                *("--port", str(taken.getsockname()[1])),
            ],
            env=environment_of_server(database_url, tmp_path),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert result.returncode == 2
    assert b"--port" in result.stderr
