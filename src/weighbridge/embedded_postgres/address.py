"""The address of the server of a directory: a socket inside the directory, which only its owner may
enter.

The system limits the length of a socket's path. PostgreSQL makes the socket by a relative path,
which is short enough; clients need a short path too.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

from weighbridge.embedded_postgres.cluster import DATABASE, ROLE, secret_of
from weighbridge.embedded_postgres.files import read_text
from weighbridge.errors import DatabaseUnavailable

PORT: Final = 5432
SOCKET: Final = f".s.PGSQL.{PORT}"
_LONGEST: Final = 103
"""The most bytes in the path of a socket that every system allows: Linux allows 107, macOS 103."""


class ShortName:
    """A path of the directory that is short enough for a socket's address; valid until `close`."""

    def __init__(self, pgdata: Path) -> None:
        self._descriptor: int | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.path = pgdata
        if fits(pgdata):
            return
        if sys.platform == "linux":
            self._descriptor = os.open(pgdata, os.O_RDONLY | os.O_DIRECTORY)
            self.path = Path(f"/proc/self/fd/{self._descriptor}")
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="weighbridge-")  # for us only
            self.path = Path(self._folder.name, "s")
            self.path.symlink_to(pgdata)

    def close(self) -> None:
        """Remove the short path."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        if self._folder is not None:
            self._folder.cleanup()


def fits(pgdata: Path) -> bool:
    """Whether the path itself can be used: it is short enough and has no comma, which would
    separate two hosts.
    """
    return len(os.fsencode(pgdata / SOCKET)) <= _LONGEST and "," not in str(pgdata)


def url_of(pgdata: Path, name: Path) -> str:
    """The URL of our database, with our password. `name` is the `ShortName` of `pgdata`; the URL is
    valid until that is closed.

    Raises:
        DatabaseUnavailable: the file with the password is missing.
    """
    secret = secret_of(pgdata)
    if secret is None:
        raise DatabaseUnavailable(
            f"The password of the database is missing in {pgdata}. Restore the folder from a backup, or choose another one with WEIGHBRIDGE_DATA_DIR."
        )
    if sys.platform == "win32":
        return f"postgresql://{ROLE}:{secret}@127.0.0.1:{_tcp_port(pgdata)}/{DATABASE}"
    return f"postgresql://{ROLE}:{secret}@/{DATABASE}?host={quote(str(name))}&port={PORT}"


def is_listening(pgdata: Path, name: Path) -> bool:
    """Whether a server listens at the socket of this directory; at a copied socket none does."""
    if sys.platform == "win32":
        family, address = socket.AF_INET, ("127.0.0.1", _tcp_port(pgdata))
    else:
        family, address = socket.AF_UNIX, str(name / SOCKET)
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(address)
        except OSError:
            return False
    return True


def _tcp_port(pgdata: Path) -> int:
    """The port that the server has written to its file, or the default port."""
    lines = read_text(pgdata / "postmaster.pid").splitlines()
    return int(lines[3]) if len(lines) > 3 and lines[3].strip().isdigit() else PORT
