"""A real PgBouncer in front of a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.ports import free_port
from weighbridge.embedded_postgres.account import is_root
from weighbridge.embedded_postgres.cluster import DATABASE, ROLE, secret_of
from weighbridge.embedded_postgres.server_user import server_account
from weighbridge.embedded_postgres.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.embedded_postgres.server import EmbeddedServer

_CONFIGURATION: Final = """
[databases]
* = host={pgdata} port=5432 user={role} password={secret} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
logfile = {folder}/log
pidfile = {folder}/pid
{options}
"""


def install_pgbouncer() -> str | None:
    """Its path; installed first where that is possible (Debian, as root), None where it is not."""
    path = os.pathsep.join((os.defpath, "/usr/sbin"))
    apt = shutil.which("apt-get", path=path)
    if shutil.which("pgbouncer", path=path) is None and is_root() and apt is not None:
        subprocess.run([apt, "update", "-qq"], check=False, capture_output=True)
        subprocess.run([apt, "install", "-y", "-qq", "pgbouncer"], check=False, capture_output=True)
    return shutil.which("pgbouncer", path=path)


@contextmanager
def pgbouncer(program: str, server: EmbeddedServer, *options: str) -> Iterator[str]:
    """The address of a database behind it.

    It runs as the user of the server, who alone reaches that.
    """
    account = server_account(server.data_dir, server.pgdata)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder, port = Path(name), free_port()
        (folder / "ini").write_text(
            _CONFIGURATION.format(
                pgdata=server.pgdata,
                role=ROLE,
                secret=secret_of(server.pgdata),
                database=DATABASE,
                port=port,
                folder=folder,
                options="\n".join(options),
            )
        )
        if account is not None:
            for path in (folder, folder / "ini"):
                os.chown(path, account.uid, account.gid)
        process = subprocess.Popen(
            [program, "-q", str(folder / "ini")],
            user=account.uid if account else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert wait_until(lambda: "listening on" in _log(folder), 60), _log(folder)
            yield f"postgresql://{ROLE}@127.0.0.1:{port}/{DATABASE}?sslmode=disable"
        finally:
            process.kill()
            process.wait()


def _log(folder: Path) -> str:
    log = folder / "log"
    return log.read_text() if log.exists() else ""
