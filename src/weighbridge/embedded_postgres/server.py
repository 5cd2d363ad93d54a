"""The embedded server: every process that uses it joins it; the first starts it, the last stops it.

Three locks in the data directory show which processes there are. A lock ends with the process that
holds it, so a killed process leaves no lock behind:

- `starting` is held while a process starts or stops the server;
- `users` is shared by every process that uses the server: one that can hold it alone is the last;
- `server` is inherited by PostgreSQL and all of its children: while it is held, one of them runs.

The server is reached through a socket inside its directory, so what answers there is the server of
this directory and of no copy. Only what works in this directory is ever signalled (`processes.py`).
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import secrets
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from weighbridge.clock import SystemClock
from weighbridge.embedded_postgres import processes
from weighbridge.embedded_postgres.account import owner_of
from weighbridge.embedded_postgres.address import PORT, SOCKET, ShortName, is_listening, url_of
from weighbridge.embedded_postgres.cluster import draft_of, failure_reasons, prepare, secret_of
from weighbridge.embedded_postgres.files import read_end, read_text
from weighbridge.embedded_postgres.locks import FileLock, held
from weighbridge.embedded_postgres.programs import run_in
from weighbridge.embedded_postgres.server_user import (
    absolute_data_dir,
    make_data_folder,
    server_account,
)
from weighbridge.embedded_postgres.waiting import wait_until
from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    import psutil

    from weighbridge.embedded_postgres.account import OsAccount

_logger = logging.getLogger(__name__)
STARTING_LIMIT_S: Final = 300.0
"""How long to wait for another process that starts or stops the server. Creating one takes seconds.
"""
READY_LIMIT_S: Final = 120.0
"""How long to wait until a started server is ready. Recovery after a crash may take longer; then
PostgreSQL tells clients so.
"""
STOP_LIMIT_S: Final = 60.0
"""How long to wait for a shutdown before a harder one is tried."""
ENDING_LIMIT_S: Final = 60.0
"""How long the remaining processes of a server may take to end before they are killed."""
REST_S: Final = 2.0
"""How long after a failed start no other start is tried."""
COPIED: Final = "copied-while-in-use"
"""Name of the file that marks a data directory as a copy that was made while the server of the
original ran.
"""


class EmbeddedServer:
    """The server of a data directory, as used by one process.

    Every method may block, for about a second.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = absolute_data_dir(data_dir)
        self.pgdata = self.data_dir / "postgres"
        self._users: FileLock | None = None
        self._name: ShortName | None = None
        self._failure: tuple[float, DatabaseUnavailable] | None = None

    def join(self) -> str:
        """Use the server, and start it if necessary; returns the URL of its database.

        Raises:
            DatabaseUnavailable: no space, no permission, the directory is a copy of one that was in
                use, or PostgreSQL does not start.
        """
        if self._users is not None:
            return url_of(self.pgdata, self._short_name())
        try:
            make_data_folder(self.data_dir)
            server_account(self.data_dir, self.pgdata)  # refuses a directory of another user
            atexit.register(self.leave)
            self._users = FileLock(self.data_dir / ".users.lock", owner_of(self.data_dir))
            with self._starting():
                self._users.try_to_share()
                self._ensure_running()
                return url_of(self.pgdata, self._short_name())
        except OSError as error:
            self._let_go()
            raise self._start_error(f"{type(error).__name__}: {error}") from error
        except DatabaseUnavailable:
            self._let_go()
            raise

    def ensure_running(self) -> None:
        """Start the server again if it has died, whichever process started it before.

        Raises:
            DatabaseUnavailable: it does not start. For `REST_S` after that the same error is raised
                without another try.
        """
        now_s = SystemClock().monotonic_s()
        if self._failure is not None and now_s < self._failure[0] + REST_S:
            raise self._failure[1]
        try:
            with self._starting():
                was_dead = not self._answers()
                self._ensure_running()
        except (OSError, DatabaseUnavailable) as error:
            failure = (
                error if isinstance(error, DatabaseUnavailable) else self._start_error(str(error))
            )
            self._failure = (SystemClock().monotonic_s(), failure)
            raise failure from error
        self._failure = None
        if was_dead:
            _logger.warning(
                "The embedded PostgreSQL in %s had died and was started again", self.data_dir
            )

    def leave(self) -> None:
        """Stop using the server; the last process that does so stops it."""
        try:
            if self._users is not None:
                with contextlib.suppress(OSError, DatabaseUnavailable), self._starting():
                    if self._users.try_to_hold():
                        self.stop()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Release the lock `users` and the short path."""
        atexit.unregister(self.leave)
        users, self._users = self._users, None
        if users is not None:
            users.release()
        name, self._name = self._name, None
        if name is not None:
            name.close()

    def stop(self) -> None:
        """Stop the server of this directory: by a fast shutdown, else by an immediate one (as in a
        crash), else by killing its processes.
        """
        for kind in (processes.FAST, processes.IMMEDIATE):
            postmaster = processes.postmaster_of(self.pgdata)
            if postmaster is None:
                break
            processes.send(postmaster, kind)
            if wait_until(partial(self._is_gone, postmaster), STOP_LIMIT_S):
                return
        self._kill_processes()

    # What follows may only be called while `starting` is held -------------------------------------

    def _starting(self) -> contextlib.AbstractContextManager[None]:
        """Holds the lock `starting` while a block runs."""
        return held(self.data_dir / ".starting.lock", owner_of(self.data_dir), STARTING_LIMIT_S)

    def _ensure_running(self) -> None:
        """Start the server unless it answers. If it runs without answering, it may be shutting
        down: wait for its end, then kill it.
        """
        if self._answers():
            return
        account = server_account(self.data_dir, self.pgdata)
        if not wait_until(lambda: self._answers() or self._has_ended(), ENDING_LIMIT_S):
            self._kill_processes()
        if self._answers():
            return
        self._clear_left_overs()
        lock = self._server_lock()
        try:
            lock.try_to_hold()  # all programs of PostgreSQL from here on inherit it
            prepare(self.pgdata, account, lock.descriptor)
            self._start(account, lock.descriptor)
        finally:
            lock.leave_to_children()
        self._wait_until_ready()

    def _answers(self) -> bool:
        """Whether a prepared server listens in this directory."""
        return secret_of(self.pgdata) is not None and is_listening(self.pgdata, self._short_name())

    def _short_name(self) -> Path:
        """A path of the directory that is short enough for a socket's address."""
        if self._name is None:
            self._name = ShortName(self.pgdata)
        return self._name.path

    def _has_ended(self) -> bool:
        """Whether no process of PostgreSQL is left: nobody holds the lock `server`."""
        lock = self._server_lock()
        try:
            return lock.try_to_hold()
        finally:
            lock.release()

    def _server_lock(self) -> FileLock:
        return FileLock(self.data_dir / ".server.lock", owner_of(self.data_dir))

    def _is_gone(self, postmaster: psutil.Process) -> bool:
        """Whether this process and all others of PostgreSQL have ended."""
        return not processes.is_alive(postmaster) and self._has_ended()

    def _clear_left_overs(self) -> None:
        """Remove the files that a crash, a copy or an earlier version of Weighbridge has left.

        Raises:
            DatabaseUnavailable: the directory may be damaged, or an earlier version is using it.
        """
        if processes.original_of(self.pgdata) is not None:
            (self.pgdata / "postmaster.pid").replace(self.pgdata / COPIED)
        self._refuse_copy_of_running()
        if (self.pgdata / "postmaster.pid").exists():
            self._stop_an_earlier_version()
        for name in ("postmaster.pid", SOCKET, f"{SOCKET}.lock"):
            (self.pgdata / name).unlink(missing_ok=True)

    def _stop_an_earlier_version(self) -> None:
        """Stop a server that an earlier version of Weighbridge has started and left: it holds none
        of our locks. Raises DatabaseUnavailable if it is in use.
        """
        if processes.has_sessions(self.pgdata):
            raise DatabaseUnavailable(
                f"An earlier version of Weighbridge is using the database in {self.data_dir}. End "
                "it first."
            )
        self.stop()

    def _refuse_copy_of_running(self) -> None:
        """Raise DatabaseUnavailable if the directory was copied while the original was in use."""
        if (self.pgdata / COPIED).exists():
            raise DatabaseUnavailable(
                f"{self.data_dir} is a copy of a data directory that was in use while it was "
                "copied, so it may be damaged without a sign. Stop Weighbridge on the original "
                "and copy it again. If it is a snapshot, which shows one moment of the whole "
                f"disk, delete {self.pgdata / COPIED}."
            )

    def _start(self, account: OsAccount | None, server_lock: int) -> None:
        """Start the server, which inherits `server_lock`; raises DatabaseUnavailable if it does not
        start.
        """
        log = self.pgdata / "log"
        if log.exists() and not log.is_file():  # a pipe would stop it, and us, for ever
            raise self._start_error(f"{log} is no regular file; delete it")
        arguments = ("-W", "-s", "-l", "log", "-o", _options(), "start")
        done = run_in(self.pgdata, account, "pg_ctl", *arguments, server_lock=server_lock)
        if done.returncode != 0:
            raise self._start_error(failure_reasons(done.stdout))

    def _wait_until_ready(self) -> None:
        """Wait until the server accepts connections; raises DatabaseUnavailable if it has ended, or
        does not even listen after `READY_LIMIT_S`.
        """
        wait_until(lambda: self._is_ready() or self._has_ended(), READY_LIMIT_S)
        if not self._answers():
            raise self._start_error(failure_reasons(read_end(self.pgdata / "log")))

    def _is_ready(self) -> bool:
        return read_text(self.pgdata / "postmaster.pid").rstrip().endswith("ready")

    def _kill_processes(self) -> None:
        """Kill all processes of PostgreSQL in this directory; raises DatabaseUnavailable if one is
        left that cannot be seen from here.
        """
        for place in (self.pgdata, draft_of(self.pgdata)):
            for process in processes.processes_of(place):
                processes.kill(process)
        if not wait_until(self._has_ended, ENDING_LIMIT_S):
            raise DatabaseUnavailable(
                f"A PostgreSQL that cannot be seen from here works in {self.data_dir}: of another "
                "container, or stuck on a broken disk. End it there, or choose another folder "
                "with WEIGHBRIDGE_DATA_DIR."
            )

    def _start_error(self, reason: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            f"The embedded PostgreSQL in {self.data_dir} does not start ({reason}). Check free "
            f"disk space and permissions, read {self.pgdata / 'log'}, or choose another folder "
            "with WEIGHBRIDGE_DATA_DIR."
        )


def _options() -> str:
    """The options with which the server is started; they override its configuration files.

    The random cluster name distinguishes this start from all others.
    """
    options = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": ".",
        "unix_socket_permissions": "0700",
        "cluster_name": f"weighbridge-{secrets.token_hex(8)}",
    }
    if sys.platform == "win32":  # the driver knows no sockets of the file system there
        options |= {"listen_addresses": "127.0.0.1", "port": str(_free_port())}
        del options["unix_socket_directories"], options["unix_socket_permissions"]
    return " ".join(f"-c {name}={value}" for name, value in options.items())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
